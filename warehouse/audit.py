"""Who did what: rows that are only ever added to ops.audit_log, in the transaction of the act itself."""

from __future__ import annotations

from warehouse.clock import utc_now
from warehouse.door import Warehouse
from warehouse.settings import actor


def record(wh: Warehouse, action: str, subject: str, detail: str | None = None) -> None:
    """Add a row: the action (`publish`, `erase` ...), what it was done to, and what a reader should know.

    Call it inside the transaction of the act, so that neither stands without the other. Who asked is
    `settings.actor()`. When, and whom the database saw, PostgreSQL fills in itself (`schema.LOG_DEFAULTS`);
    where there are no users the latter is `duckdb`.
    """
    row: dict[str, object] = {"actor": actor(), "action": action, "subject": subject, "detail": detail}
    if wh.target != "postgres":
        row |= {"happened_at": utc_now(), "session_role": "duckdb"}
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    wh.execute(f"insert into ops.audit_log ({', '.join(row)}) values ({places})", list(row.values()))
