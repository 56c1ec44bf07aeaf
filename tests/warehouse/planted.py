"""A bank planted in a warehouse by hand: just enough for runs and publications."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa

from warehouse import Warehouse
from warehouse.publish import ARCHIVED_MARTS, REQUIRED_GATES, Publication, publish
from warehouse.runs import start_run

SOURCE = "demo"
DAY = dt.date(2026, 10, 31)
BEFORE = dt.date(2026, 10, 30)


def plant_source(wh: Warehouse, lag_days: int = 1) -> None:
    """ops.sources as ingest leaves it."""
    wh.execute("insert into ops.sources values ('demo', 'cny', 'CNY', $1, 0.02)", [lag_days])


def plant_transactions(wh: Warehouse, first_on: dt.date) -> None:
    """raw.transactions with one row."""
    wh.create_table("raw.transactions", pa.schema([("booked_on", pa.date32())]))
    wh.append("raw.transactions", pa.table({"booked_on": [first_on]}))


def plant_run(wh: Warehouse, as_of_date: dt.date = DAY, key: str = "key", kind: str = "daily") -> str:
    """A started run with its marts, built for all of its dates, that has passed its gates; the run_id."""
    run_id = start_run(wh, kind=kind, as_of_date=as_of_date, key=key, source=SOURCE)
    plant_marts(wh, run_id)
    plant_gates(wh, run_id, kind)
    return run_id


def plant_gates(wh: Warehouse, run_id: str, kind: str = "daily") -> None:
    """A passed test for each gate that a run of this kind has to have been through."""
    for gate, tool in REQUIRED_GATES.get(kind, ()):
        plant_test(wh, run_id, gate=gate, tool=tool)


def plant_test(
    wh: Warehouse, run_id: str, *, gate: str, tool: str, severity: str = "error", status: str = "pass"
) -> None:
    """One row of ops.test_results."""
    wh.execute(
        "insert into ops.test_results (run_id, tool, gate, test_name, severity, status, executed_at)"
        " values ($1, $2, $3, $4, $5, $6, $7)",
        [run_id, tool, gate, f"assert_{gate}", severity, status, dt.datetime(2026, 10, 31)],
    )


def plant_marts(
    wh: Warehouse, run_id: str, marts: tuple[str, ...] = ARCHIVED_MARTS, customers: int = 2
) -> None:
    """Marts of a run: `customers` rows for each date; the label tells the run that made them."""
    dates = wh.query("select as_of_date from ops.run_dates where run_id = $1 order by 1", [run_id])
    rows = [
        {
            "as_of_date": date,
            "customer_id": f"C{number}",
            "label": run_id,
            "balance_amount": Decimal("10.50") * number,
            "model_version": "m1",
        }
        for date in dates["as_of_date"].to_pylist()
        for number in range(1, customers + 1)
    ]
    schema = pa.schema(
        [
            ("as_of_date", pa.date32()),
            ("customer_id", pa.string()),
            ("label", pa.string()),
            ("balance_amount", pa.decimal128(18, 2)),
            ("model_version", pa.string()),
        ]
    )
    for mart in marts:
        wh.create_table(f"{run_id}.{mart}", schema)
        wh.append(f"{run_id}.{mart}", pa.Table.from_pylist(rows, schema=schema))


def published(wh: Warehouse, as_of_date: dt.date = DAY, key: str = "key", kind: str = "daily") -> Publication:
    """A run planted and published."""
    return publish(wh, plant_run(wh, as_of_date, key, kind))


def shown(wh: Warehouse, mart: str = "dim_customers") -> list[str]:
    """The runs whose rows marts.<mart> show."""
    found: list[str] = wh.query(f"select distinct label from marts.{mart} order by 1")["label"].to_pylist()
    return found


def history(wh: Warehouse, mart: str = "dim_customers") -> dict[dt.date, str]:
    """The run that stands for each date; fails when two stand for one date."""
    rows = wh.query(f"select distinct as_of_date, run_id from history.{mart} order by 1, 2").to_pylist()
    found = {row["as_of_date"]: row["run_id"] for row in rows}
    assert len(found) == len(rows), rows
    return found


def everything_published(wh: Warehouse) -> dict[str, list[dict[str, object]]]:
    """All that a publication may change, to compare before and after."""
    found = {}
    for table in ("ops.runs", "ops.publications", "ops.standing_snapshots"):
        found[table] = wh.query(f"select * from {table}").to_pylist()
    for mart in ARCHIVED_MARTS:
        for schema in ("marts", "history", "archive"):
            if wh.exists(f"{schema}.{mart}"):
                found[f"{schema}.{mart}"] = wh.query(f"select * from {schema}.{mart}").to_pylist()
    return {
        name: sorted(rows, key=lambda row: str(sorted(row.items(), key=str))) for name, rows in found.items()
    }
