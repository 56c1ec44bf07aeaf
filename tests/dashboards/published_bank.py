"""A small bank published through the DAGs' own command lines, for tests that need real marts and history.

What would cost minutes of training is planted: raw scores, and what a training and its monitoring record.
"""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa

from keepwell_dags import commands
from ml.churn.score import SCORES
from tests.dashboards.planted_churn import model_metrics, monitoring
from tests.dbt_project.conftest import ROOT, Bank
from warehouse import Settings, Warehouse, open_warehouse

AS_OF = "2026-10-31"
# Eight month-ends of history, so that quarters have a quarter before them.
SINCE, UNTIL = dt.date(2026, 2, 28), dt.date(2026, 9, 30)
MODEL = "churn-20260930"


def publish_bank(settings: Settings, landing: Path) -> Bank:
    """Simulate, load, build and publish 400 customers: eight month-ends and one scored day."""
    subprocess.run(
        [sys.executable, "-m", "simulator", "--out", landing, "--customers", "400", "--seed", "11"],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    bank = Bank(settings, landing)
    bank.ingest(AS_OF)
    bank.bootstrap(AS_OF, since=SINCE, until=UNTIL)
    run_id = bank.start("daily", AS_OF)
    bank.build(run_id, "facts_and_snapshot")
    with open_warehouse(settings) as wh:
        _plant_scores(wh, run_id)
    bank.build(run_id, "lists")
    bank.shell(commands.expectations("arrival", "marts"), RUN_ID=run_id)
    # The suite of scores would ask for a training that made them.
    bank.take_as_passed(run_id, "scores", "expectation")
    bank.publish(run_id)
    with open_warehouse(settings) as wh:
        _plant_operations(wh, run_id)
    return bank


def _plant_scores(wh: Warehouse, run_id: str) -> None:
    """Scores of all eligible customers, evenly spread by a hash of the customer, with two reasons each."""
    wh.create_table(f"{run_id}.raw_churn_scores", SCORES)
    customers = wh.query(
        f"select as_of_date, customer_id from {run_id}.fct_customer_features"
        " where is_eligible order by customer_id"
    ).to_pylist()
    reasons = ("falling_activity", "low_assets", "complaint", "rate_gap")
    rows: list[dict[str, Any]] = []
    for number, customer in enumerate(customers):
        # Squared, so that few are at high risk.
        probability = ((number * 37 % 101 + 1) / 102) ** 3
        rows.append(
            dict.fromkeys(SCORES.names)
            | customer
            | {
                "churn_probability": probability,
                "model_version": MODEL,
                "scored_at": dt.datetime(2026, 11, 1),
                "log_odds": 0.0,
                "base_log_odds": -0.5,
                "reason_1": reasons[number % 4],
                "contribution_1": 0.4,
                "reason_2": reasons[(number + 1) % 4],
                "contribution_2": 0.1,
                "contribution_rest": 0.0,
            }
        )
    wh.append(f"{run_id}.raw_churn_scores", pa.Table.from_pylist(rows, schema=SCORES))


def _plant_operations(wh: Warehouse, run_id: str) -> None:
    """What trainings, their monitoring and the health checks leave behind."""
    planted = {
        "ops.model_metrics": model_metrics(),
        "ops.model_monitoring": monitoring(),
        "ops.training_runs": [
            {
                "model_version": MODEL, "run_id": run_id, "as_of_date": dt.date(2026, 9, 30),
                "outcome": "promoted",
                "chosen_model": "logistic", "rows_trained": 2000, "churners_trained": 90, "auc": 0.81,
                "average_precision": 0.3, "brier": 0.05, "lift_top_decile": 4.2, "calibration_slope": 1.02,
                "metrics": "{}", "trained_at": dt.datetime(2026, 10, 1),
            }
        ],
        "ops.health_checks": [
            {
                "checked_at": dt.datetime(2026, 11, 1, hour), "check_name": name, "subject": subject,
                "check_value": value, "threshold_value": bound, "unit": unit, "status": status,
                "message": message,
            }
            for hour in (6, 7)
            for name, subject, value, bound, unit, status, message in (
                ("publication_age", "marts", 0.0, 1.0, "days", "ok", "published as of 2026-10-31"),
                ("delivery_age", "transactions", 1.0, 40.0, "days", "ok", "newest of 2026-10-31"),
                ("delivery_volume", "transactions", 0.4, 0.5, "share", "alert", "40 % of the median"),
            )
        ],
    }  # fmt: skip
    for table, rows in planted.items():
        schema = wh.query(f"select * from {table} limit 0").schema
        wh.append(table, pa.Table.from_pylist(rows, schema=schema))
