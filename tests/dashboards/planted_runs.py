"""Four months of a bank's runs, publications, deliveries and checks, planted in `ops` directly."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from tests.dashboards.planted import add
from warehouse import Settings, Warehouse, open_warehouse

# What may not stand on any page: an id or a text of a customer.
SECRETS = ("CUST-99999", "SECRET", "CUST-00042", "Wang")

SOURCE = {
    "source": "demo",
    "policy_set": "cny",
    "reporting_currency_code": "CNY",
    "landing_lag_days": 2,
    "max_rejected_share": 0.02,
}


def at(text: str) -> dt.datetime:
    """2026-11-18 00:40 as the warehouse keeps it."""
    return dt.datetime.fromisoformat(text)


def run(run_id: str, kind: str, status: str, started_at: str, note: str | None = None) -> dict[str, Any]:
    """A row of ops.runs; the day is that of the id."""
    day = dt.date.fromisoformat(f"{run_id[4:8]}-{run_id[8:10]}-{run_id[10:12]}")
    return {
        "run_id": run_id,
        "run_key": f"key of {run_id}",
        "kind": kind,
        "as_of_date": day,
        "knowledge_cutoff_on": day,
        "status": status,
        "note": note,
        "started_at": at(started_at),
    }


RUNS = [
    run("run_20260731_01", "bootstrap", "dropped", "2026-08-01 00:10"),
    run("run_20260731_02", "training", "started", "2026-08-01 01:00"),
    run("run_20260801_01", "daily", "failed", "2026-08-02 00:10"),
    run("run_20261116_01", "daily", "published", "2026-11-17 00:10"),
    run("run_20261117_01", "daily", "published", "2026-11-18 00:10"),
    run("run_20261118_01", "daily", "withdrawn", "2026-11-19 00:10", "scores: too young: a reason"),
    run("run_20261118_02", "training", "started", "2026-11-19 03:00"),
    run("run_20261118_03", "audit", "dropped", "2026-11-19 04:00"),
    run("run_20261119_01", "daily", "failed", "2026-11-20 00:10"),
    run("run_20261119_02", "daily", "failed", "2026-11-20 02:00"),
]


def publication(number: int, run_id: str, published_at: str, **rest: Any) -> dict[str, Any]:
    """A row of ops.publications of a planted run."""
    of = next(row for row in RUNS if row["run_id"] == run_id)
    return {
        "publication_no": number,
        "run_id": run_id,
        "kind": of["kind"],
        "as_of_date": of["as_of_date"],
        "scores_status": "scored",
        "model_version": "churn-20260731",
        "rows_published": 1_000_000 + number,
        "published_at": at(published_at),
        **rest,
    }


# The newest was withdrawn, so readers see the one before it: since then, and not since it was published.
PUBLICATIONS = [
    publication(1, "run_20260731_01", "2026-08-01 00:40", scores_status="none", model_version=None),
    publication(2, "run_20261116_01", "2026-11-17 00:40", published_by="scheduled"),
    publication(3, "run_20261117_01", "2026-11-18 00:41", published_by="scheduled"),
    publication(
        4,
        "run_20261118_01",
        "2026-11-19 00:42",
        published_by="li.na",
        withdrawn_at=at("2026-11-20 08:15"),
        scores_status="too_young",
        model_version=None,
    ),
]


def results_of(
    run_id: str, gate: str, status: str, count: int = 1, name: str = "grain_of_dim_customers", **rest: Any
) -> list[dict[str, Any]]:
    """Rows of ops.test_results that all ended alike."""
    return [
        {
            "run_id": run_id,
            "tool": "dbt",
            "gate": gate,
            "test_name": f"{name}_{number}" if count > 1 else name,
            "relation": f"{run_id}.dim_customers",
            "severity": "warn" if status == "warn" else "error",
            "status": status,
            "failures": 0 if status == "pass" else 3,
            "message": "" if status == "pass" else "Got 3 results, configured to fail if != 0",
            "executed_at": at("2026-11-20 00:30"),
            **rest,
        }
        for number in range(count)
    ]


TESTS = [
    *results_of("run_20260801_01", "facts", "fail", 3),
    *results_of("run_20261117_01", "arrival", "pass", 49, tool="expectation"),
    *results_of("run_20261117_01", "arrival", "warn", 1, "newest_booking_is_recent", tool="expectation"),
    *results_of("run_20261117_01", "facts", "pass", 61),
    *results_of("run_20261117_01", "marts", "pass", 58),
    *results_of("run_20261117_01", "scores", "skipped", 2),
    *results_of("run_20261119_01", "arrival", "pass", 50, tool="expectation"),
    *results_of("run_20261119_01", "facts", "pass", 59),
    *results_of("run_20261119_01", "facts", "warn", 1, "assert_few_orphans"),
    *results_of("run_20261119_01", "facts", "fail", 1, "grain_fct_transactions"),
    *results_of(
        "run_20261119_01", "facts", "error", 1, "fct_customer_activity_daily", message="Database Error"
    ),
    # More than a page names.
    *results_of("run_20261119_01", "marts", "fail", 25, "late"),
]

BATCHES = [
    ("B1", 1, "2026-08-01", True, "loaded", 900_000, 899_000, 600, 400, 0, "2026-08-01 00:05"),
    ("B2", 2, "2026-11-18", False, "loaded", 1_200, 1_150, 20, 25, 5, "2026-11-18 00:05"),
    ("B3", 3, "2026-11-19", False, "refused", 1_100, 0, 301, 0, 0, "2026-11-19 00:05"),
    ("B4", 4, "2026-11-20", False, "loaded", 1_300, 1_300, 0, 0, 0, "2026-11-20 00:05"),
]
BATCH_COLUMNS = (
    "batch_id", "batch_no", "delivered_on", "is_history", "status", "rows_read", "rows_loaded",
    "rows_rejected", "rows_duplicate", "rows_erased", "loaded_at",
)  # fmt: skip
FILES = [("transactions.csv", "transactions", 1_000, 300), ("customers.csv", "customers", 100, 1)]

# Two whole daily runs, one of which was withdrawn, and one that failed half way.
BUILDS = [
    (run_id, gate, node, kind, status, seconds)
    for run_id, factor in (("run_20261116_01", 1.0), ("run_20261117_01", 2.0), ("run_20261118_01", 4.5))
    for gate, node, kind, status, seconds in (
        ("facts", "policy_tiers", "seed", "success", 0.5 * factor),
        ("facts", "fct_customer_activity_daily", "model", "success", 10.0 * factor),
        ("marts", "fct_customer_tiers", "model", "success", 6.0 * factor),
        ("marts", "fct_churn_rates", "model", "success", 2.0 * factor),
        ("lists", "fct_churn_scores", "model", "success", 1.0 * factor),
    )
] + [("run_20261119_01", "facts", "fct_customer_activity_daily", "model", "error", 99.0)]

HEALTH = [
    ("2026-11-20 06:00", "publication_age", "all", 1.0, 0.0, "days", "alert", "one day behind"),
    ("2026-11-20 06:00", "delivery_age", "accounts", 0.25, 1.5, "days", "ok", "6 hours old"),
    ("2026-11-20 07:00", "publication_age", "all", 1.0, 0.0, "days", "alert", "one day behind"),
    ("2026-11-20 07:00", "delivery_age", "accounts", 0.29, 1.5, "days", "ok", "7 hours old"),
    ("2026-11-20 07:00", "rejected_share", "all", 0.3, 0.01, "share of rows", "alert", "300 of 1000 rows"),
    ("2026-11-20 07:00", "delivery_volume", "products", None, None, "", "unknown", "too few deliveries"),
    # It was in order for an hour, long before: the alert begins after that.
    ("2026-11-19 05:00", "publication_age", "all", 0.0, 0.0, "days", "ok", "up to date"),
    ("2026-11-19 04:00", "publication_age", "all", 2.0, 0.0, "days", "alert", "two days behind"),
]

TRAININGS = [
    {
        "model_version": "churn-20260731",
        "run_id": "run_20260731_02",
        "as_of_date": dt.date(2026, 7, 31),
        "outcome": "promoted",
        "chosen_model": "hist_gradient_boosting",
        "rows_trained": 20_000,
        "churners_trained": 1_200,
        "auc": 0.8123,
        "lift_top_decile": 4.33,
        "calibration_slope": 1.04,
        "trained_at": at("2026-08-01 01:30"),
    },
    {
        "run_id": "run_20261031_09",
        "as_of_date": dt.date(2026, 10, 31),
        "outcome": "too_few_churners",
        "trained_at": at("2026-11-01 01:30"),
    },
]

AUDIT = [
    ("2026-08-01 00:40", "li.na", "publish", "run_20260731_01", "before the full days"),
    ("2026-11-18 00:41", "scheduled", "publish", "run_20261117_01", "publication 3"),
    ("2026-11-20 08:15", "wang.wei", "rollback", "run_20261118_01", "marts.* show run_20261117_01"),
    ("2026-11-20 09:00", "li.na", "erase", "CUST-00042", "Wang asked for it, CUST-00042"),
]


def plant_runs(settings: Settings) -> None:
    """Plant all of it in an initialised warehouse."""
    with open_warehouse(settings) as wh:
        add(wh, "ops.sources", [SOURCE])
        add(wh, "ops.runs", RUNS)
        add(wh, "ops.publications", PUBLICATIONS)
        add(wh, "ops.test_results", TESTS)
        plant_deliveries(wh)
        built_at = at("2026-11-20 00:20")
        add(
            wh,
            "ops.build_results",
            rows_of(("run_id", "gate", "node_name", "resource_type", "status", "duration_seconds"), BUILDS,
                    built_at=built_at),
        )  # fmt: skip
        columns = (
            "checked_at", "check_name", "subject", "check_value", "threshold_value", "unit", "status",
            "message",
        )  # fmt: skip
        add(wh, "ops.health_checks", timed(rows_of(columns, HEALTH), "checked_at"))
        add(wh, "ops.training_runs", TRAININGS)
        add(
            wh,
            "ops.model_monitoring",
            [
                {
                    "run_id": "run_20261118_02",
                    "as_of_date": dt.date(2026, 11, 18),
                    "model_version": "churn-20260731",
                    "check_name": "volume",
                    "subject": "all",
                    "status": "ok",
                    "monitored_at": at("2026-11-19 03:30"),
                }
            ],
        )
        columns = ("happened_at", "actor", "action", "subject", "detail")
        add(wh, "ops.audit_log", timed(rows_of(columns, AUDIT, session_role="duckdb"), "happened_at"))


def plant_deliveries(wh: Warehouse) -> None:
    """Deliveries with the files of the refused one and its rejected rows."""
    add(wh, "ops.batches", timed(dated(rows_of(BATCH_COLUMNS, BATCHES, source="demo")), "loaded_at"))
    add(
        wh,
        "ops.batch_files",
        [
            {
                "batch_id": "B3",
                "entity": entity,
                "file_name": name,
                "content_hash": name,
                "rows_read": read,
                "rows_loaded": 0,
                "rows_rejected": rejected,
                "rows_duplicate": 0,
            }
            for name, entity, read, rejected in FILES
        ],
    )
    add(
        wh,
        "ops.rejected_rows",
        [
            {
                "batch_id": batch,
                "entity": "transactions",
                "file_name": "transactions.csv",
                "line_no": line,
                "reason_code": "orphan",
                "reason": "the account CUST-99999 is not known",
                "raw_text": "CUST-99999,SECRET",
            }
            for batch, count in (("B3", 300), ("B2", 20))
            for line in range(count)
        ],
    )


def plant_many(settings: Settings, *, count: int) -> None:
    """So many days of published daily runs up to 2026-11-20, with tests and build times, and deliveries."""
    last = dt.date(2026, 11, 20)
    days = [last - dt.timedelta(days=place) for place in range(count)][::-1]
    ids = {day: f"run_{day:%Y%m%d}_01" for day in days}
    begun = {day: dt.datetime.combine(day, dt.time(0, 10)) for day in days}
    gates = (("arrival", 50), ("facts", 61), ("marts", 58), ("lists", 12), ("scores", 11))
    with open_warehouse(settings) as wh:
        add(wh, "ops.sources", [SOURCE])
        add(
            wh,
            "ops.runs",
            [
                run(ids[day], "daily", "failed" if day.day == 13 else "published", begun[day].isoformat())
                for day in days
            ],
        )
        published = [day for day in days if day.day != 13]
        add(
            wh,
            "ops.publications",
            [
                {
                    "publication_no": number,
                    "run_id": ids[day],
                    "kind": "daily",
                    "as_of_date": day,
                    "scores_status": "scored",
                    "model_version": "churn-20260731",
                    "rows_published": 1_000_000 + number,
                    "published_at": begun[day] + dt.timedelta(minutes=20),
                    "published_by": "scheduled",
                }
                for number, day in enumerate(published, start=1)
            ],
        )
        add(
            wh,
            "ops.test_results",
            [
                row
                for day in days
                for gate, tests in gates
                for row in results_of(ids[day], gate, "pass", tests)
            ]
            + [row for day in days for row in results_of(ids[day], "arrival", "warn", 3, "volume_of")]
            + [
                row
                for day in days
                if day.day == 13
                for row in results_of(ids[day], "marts", "fail", 4, "grain")
            ],
        )
        add(
            wh,
            "ops.build_results",
            [
                {
                    "run_id": ids[day],
                    "gate": "facts" if model < 40 else "marts" if model < 110 else "lists",
                    "node_name": f"fct_model_number_{model}",
                    "resource_type": "model",
                    "status": "success",
                    "duration_seconds": 0.1 + (model * 37 % 101) / 10 + (place * 13 % 7) / 5,
                    "built_at": begun[day],
                }
                for place, day in enumerate(days)
                for model in range(120)
            ],
        )
        rows = [
            (
                f"B{place}",
                place + 1,
                str(day),
                place == 0,
                "loaded",
                1_000,
                990,
                6,
                4,
                0,
                begun[day].isoformat(),
            )
            for place, day in enumerate(days)
        ]
        add(wh, "ops.batches", timed(dated(rows_of(BATCH_COLUMNS, rows, source="demo")), "loaded_at"))


def rows_of(columns: Sequence[str], rows: Sequence[tuple[Any, ...]], **rest: Any) -> list[dict[str, Any]]:
    """Tuples as rows of a table, each with the `rest`."""
    return [{**dict(zip(columns, row, strict=True)), **rest} for row in rows]


def timed(rows: list[dict[str, Any]], column: str) -> list[dict[str, Any]]:
    """Rows with a moment that was given as text."""
    return [{**row, column: at(row[column])} for row in rows]


def dated(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Batches with the day of delivery that was given as text."""
    return [{**row, "delivered_on": dt.date.fromisoformat(row["delivered_on"])} for row in rows]
