"""A small sound bank in a warehouse, on which every expectation holds until a test plants something bad."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from tests.expectations import planted_tiers
from warehouse import Settings, Warehouse, open_warehouse
from warehouse.publish import PUBLIC_MARTS, REQUIRED_GATES, publish
from warehouse.runs import start_run, utc_now

AS_OF = dt.date(2026, 10, 31)
CUSTOMERS = [f"C{number:03d}" for number in range(30)]
DELIVERIES = 8  # batches after the history

STRING, DATE, INTEGER, BOOLEAN, DOUBLE = pa.string(), pa.date32(), pa.int32(), pa.bool_(), pa.float64()
AMOUNT, RATE, KPI = pa.decimal128(18, 2), pa.decimal128(12, 6), pa.decimal128(24, 6)

RAW = {
    "customers": {"customer_id": STRING},
    "accounts": {"account_id": STRING},
    "account_holders": {"account_id": STRING, "customer_id": STRING},
    "products": {"product_id": STRING},
    "transactions": {"transaction_id": STRING, "booked_on": DATE, "amount": AMOUNT, "currency_code": STRING},
    "month_end_balances": {
        "account_id": STRING,
        "balance_on": DATE,
        "balance_amount": AMOUNT,
        "currency_code": STRING,
    },
    "risk_questionnaires": {"questionnaire_id": STRING, "answered_on": DATE},
    "satisfaction_surveys": {"survey_id": STRING, "answered_on": DATE, "score": INTEGER},
    "exchange_rates": {"currency_code": STRING, "rate_on": DATE, "rate_to_reporting": RATE},
    "market_environment": {"market_on": DATE},
}
MARTS = {
    "dim_customers": {"as_of_date": DATE, "customer_id": STRING, "is_open": BOOLEAN},
    "fct_customer_activity": {
        "as_of_date": DATE,
        "customer_id": STRING,
        "currency_code": STRING,
        "count_transactions_30d": INTEGER,
        "count_transactions_90d": INTEGER,
        "count_transactions_365d": INTEGER,
        "days_since_last_activity": INTEGER,
        "relationship_status": STRING,
        "closing_assets": AMOUNT,
    },
    "fct_kpis": {
        "as_of_date": DATE,
        "kpi_code": STRING,
        "dimension": STRING,
        "member": STRING,
        "unit": STRING,
        "kpi_value": KPI,
    },
    "fct_customer_features": {"as_of_date": DATE, "customer_id": STRING, "is_eligible": BOOLEAN},
    "fct_churn_scores": {
        "as_of_date": DATE,
        "customer_id": STRING,
        "churn_probability": pa.decimal128(9, 8),
        "risk_decile": INTEGER,
        "risk_band": STRING,
        "model_version": STRING,
    },
    "raw_churn_scores": {
        "as_of_date": DATE,
        "customer_id": STRING,
        "churn_probability": DOUBLE,
        "log_odds": DOUBLE,
        "base_log_odds": DOUBLE,
        **{f"reason_{rank}": STRING for rank in range(1, 6)},
        **{f"contribution_{rank}": DOUBLE for rank in range(1, 6)},
        "contribution_rest": DOUBLE,
    },
    "fct_customer_risk_index": {
        "as_of_date": DATE,
        "customer_id": STRING,
        "risk_grade": STRING,
        "count_unknown_indicators": INTEGER,
    },
    "fct_churn_spells": {"as_of_date": DATE, "customer_id": STRING, "is_open_spell": BOOLEAN},
    **planted_tiers.COLUMNS,
}


def add(wh: Warehouse, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Append rows given as dicts; the table says the types."""
    columns = wh.query(f"select * from {table} limit 0").schema
    wh.append(table, pa.Table.from_pylist(list(rows), schema=columns))


def deliver(wh: Warehouse) -> None:
    """A history and eight daily deliveries of ten transactions each, up to the as-of date."""
    add(
        wh,
        "ops.sources",
        [
            {
                "source": "demo",
                "policy_set": "cny",
                "reporting_currency_code": "CNY",
                "landing_lag_days": 2,
                "max_rejected_share": 0.02,
            }
        ],
    )
    for entity, columns in RAW.items():
        wh.create_table(
            f"raw.{entity}", pa.schema([*columns.items(), ("batch_id", STRING), ("batch_no", INTEGER)])
        )
    for batch_no in range(1, DELIVERIES + 2):
        deliver_batch(wh, batch_no)


def deliver_batch(wh: Warehouse, batch_no: int) -> None:
    """One delivery; the first is the history and brings every entity."""
    day = AS_OF - dt.timedelta(days=DELIVERIES + 1 - batch_no)
    batch = {"batch_id": f"B{batch_no}", "batch_no": batch_no}
    add(
        wh,
        "raw.transactions",
        [
            {
                **batch,
                "transaction_id": f"T{batch_no}-{number}",
                "booked_on": day,
                "amount": Decimal("100.00"),
                "currency_code": "CNY" if number else "USD",
            }
            for number in range(10)
        ],
    )
    if batch_no == 1:
        # History may run past the as-of date.
        late = AS_OF + dt.timedelta(days=60)
        for entity, row in {
            "customers": {"customer_id": "C000"},
            "accounts": {"account_id": "A1"},
            "account_holders": {"account_id": "A1", "customer_id": "C000"},
            "products": {"product_id": "P1"},
            "transactions": {
                "transaction_id": "T-late",
                "booked_on": late,
                "amount": Decimal(1),
                "currency_code": "CNY",
            },
            "month_end_balances": {
                "account_id": "A1",
                "balance_on": late,
                "balance_amount": Decimal(-5),
                "currency_code": "CNY",
            },
            "risk_questionnaires": {"questionnaire_id": "Q1", "answered_on": day},
            "satisfaction_surveys": {"survey_id": "S1", "answered_on": day, "score": 5},
            "exchange_rates": {"currency_code": "USD", "rate_on": day, "rate_to_reporting": Decimal("7.1")},
            "market_environment": {"market_on": day},
        }.items():
            add(wh, f"raw.{entity}", [{**batch, **row}])
    counts = {"rows_read": 1000, "rows_loaded": 995, "rows_rejected": 5, "rows_duplicate": 0}
    add(
        wh,
        "ops.batches",
        [
            {
                **batch,
                **counts,
                "source": "demo",
                "delivered_on": day,
                "is_history": batch_no == 1,
                "status": "loaded",
                "loaded_at": utc_now(),
            }
        ],
    )
    add(
        wh,
        "ops.batch_files",
        [
            {
                **counts,
                "batch_id": f"B{batch_no}",
                "entity": "transactions",
                "file_name": "transactions.csv",
                "content_hash": f"hash-{batch_no}",
                "rows_loaded": 10,
            }
        ],
    )


def build(wh: Warehouse, day: dt.date = AS_OF) -> str:
    """A daily run of that date with sound marts and scores, not published; its run_id."""
    run_id = start_run(wh, kind="daily", as_of_date=day, key=f"daily {day}", source="demo")
    for mart, columns in MARTS.items():
        wh.create_table(f"{run_id}.{mart}", pa.schema(list(columns.items())))
    # Marts on which no expectation looks: published, and empty where a day may lack them.
    for mart in set(PUBLIC_MARTS) - set(MARTS):
        wh.create_table(f"{run_id}.{mart}", pa.schema([("as_of_date", DATE)]))
    each = [{"as_of_date": day, "customer_id": customer} for customer in CUSTOMERS]
    add(wh, f"{run_id}.dim_customers", [{**row, "is_open": True} for row in each])
    add(
        wh,
        f"{run_id}.fct_customer_activity",
        [
            {
                **row,
                "currency_code": "CNY",
                "count_transactions_30d": 1,
                "count_transactions_90d": 3,
                "count_transactions_365d": 12,
                "days_since_last_activity": 4,
                "relationship_status": "open",
                "closing_assets": planted_tiers.ASSETS,
            }
            for row in each
        ],
    )
    add(
        wh,
        f"{run_id}.fct_customer_risk_index",
        # Half of them are risky, and one in thirty is little known: just what may be.
        [
            {**row, "risk_grade": "AE"[number % 2], "count_unknown_indicators": 3 if number == 0 else 2}
            for number, row in enumerate(each)
        ],
    )
    # Three in ten are in a spell: just what may be. One more was, and is back.
    spells = [
        {**row, "is_open_spell": number > 0} for number, row in enumerate(each[: len(each) * 3 // 10 + 1])
    ]
    add(wh, f"{run_id}.fct_churn_spells", spells)
    for mart, rows in planted_tiers.rows(day, CUSTOMERS).items():
        add(wh, f"{run_id}.{mart}", rows)
    kpi = {"as_of_date": day, "kpi_code": "customers", "unit": "count"}
    share = {"as_of_date": day, "kpi_code": "churn_rate_annualised", "unit": "share"}
    add(
        wh,
        f"{run_id}.fct_kpis",
        [
            {**kpi, "dimension": "all", "member": "all", "kpi_value": Decimal(30)},
            *(
                {**kpi, "dimension": "value_tier", "member": tier, "kpi_value": Decimal(10)}
                for tier in ("high", "mid", "low")
            ),
            {**share, "dimension": "all", "member": "all", "kpi_value": Decimal("0.07")},
            # Unknown, which is not zero and no failure.
            {**share, "dimension": "value_tier", "member": "high", "kpi_value": None},
        ],
    )
    # The last three are not eligible and so not scored.
    add(wh, f"{run_id}.fct_customer_features", [{**row, "is_eligible": row in each[:27]} for row in each])
    add(
        wh,
        f"{run_id}.fct_churn_scores",
        [
            {
                **row,
                "churn_probability": Decimal("0.06"),
                "risk_decile": 1 + number % 10,
                "risk_band": "low",
                "model_version": "churn-1",
            }
            for number, row in enumerate(each[:27])
        ],
    )
    add(
        wh,
        f"{run_id}.raw_churn_scores",
        [
            {
                **row,
                "churn_probability": 0.05732418,
                "log_odds": -2.8,
                "base_log_odds": -3.0,
                "reason_1": "complaint",
                "reason_2": "rate_gap",
                "contribution_1": 0.5,
                "contribution_2": 0.25,
                "contribution_rest": -0.55,
            }
            for row in each[:27]
        ],
    )
    if not wh.query("select 1 as one from ops.training_runs").num_rows:
        add(
            wh,
            "ops.training_runs",
            [
                {
                    "model_version": "churn-1",
                    "run_id": "run_20260930_01",
                    "as_of_date": dt.date(2026, 9, 30),
                    "outcome": "promoted",
                    "rows_trained": 1000,
                    "churners_trained": 50,
                    "trained_at": utc_now(),
                }
            ],
        )
    return run_id


def pass_gates(wh: Warehouse, run_id: str) -> None:
    """A passed test at each gate."""
    for gate, tool in REQUIRED_GATES["daily"]:
        wh.execute(
            "insert into ops.test_results (run_id, tool, gate, test_name, severity, status, executed_at)"
            " values ($1, $2, $3, 'planted', 'error', 'pass', timestamp '1970-01-01 00:00:00')",
            [run_id, tool, gate],
        )


def sound_bank(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The sound bank, the day before published and the as-of date built, as `run_20261031_01`.

    The environment leads to it, as it leads a command line.
    """
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    with open_warehouse(settings) as wh:
        deliver(wh)
        before = build(wh, AS_OF - dt.timedelta(days=1))
        pass_gates(wh, before)
        # As if it had begun before anything was delivered: it covers no batch.
        wh.execute("update ops.runs set newest_batch_no = 0 where run_id = $1", [before])
        publish(wh, before)
        assert build(wh) == "run_20261031_01"
    return settings


@pytest.fixture
def bank(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The sound bank on each engine in turn."""
    return sound_bank(settings, monkeypatch)


@pytest.fixture
def duckdb_bank(duckdb_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The sound bank on one engine, for what does not depend on it."""
    return sound_bank(duckdb_settings, monkeypatch)


@pytest.fixture
def deliver_next() -> Callable[[Warehouse, int], None]:
    """Deliver the batch of a given number after those of `bank`."""
    return deliver_batch


@pytest.fixture
def pass_other_gates() -> Callable[[Warehouse, str], None]:
    """Let a run pass all gates, as far as publication asks."""
    return pass_gates
