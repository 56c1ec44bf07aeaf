"""Who did what: rows that are only ever added to ops.audit_log, in the transaction of the act itself."""

from __future__ import annotations

from warehouse.clock import utc_now
from warehouse.door import Warehouse
from warehouse.settings import actor


def record(wh: Warehouse, action: str, subject: str, detail: str | None = None) -> None:
    """Add a row: the action (`publish`, `erase` ...), what it was done to, and what a reader should know.

    Call it inside the transaction of the act, so that neither stands without the other. Who asked is
    `settings.actor()`; whom the database saw is its session's user, `duckdb` where there are no users.
    """
    session_role = "duckdb"
    if wh.target == "postgres":
        session_role = wh.query("select session_user::text as name")["name"][0].as_py()
    wh.execute(
        """
        insert into ops.audit_log (happened_at, actor, session_role, action, subject, detail)
        values ($1, $2, $3, $4, $5, $6)
        """,
        [utc_now(), actor(), session_role, action, subject, detail],
    )
