"""Monitoring through Airflow itself: it starts the training of its own day where one is asked for, and else
skips it.
"""

import json
import sqlite3
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from keepwell.airflow_home import AIRFLOW, PROJECT, AirflowHome
from keepwell.pipeline import Pipeline
from keepwell.request import Request
from ml.churn.registry import Promotion, Registry
from warehouse import Settings, open_warehouse

AS_OF = date(2026, 10, 31)


class Bank:
    """A small bank with two years of published month-ends and no model."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home, target="duckdb")
        self.airflow = AirflowHome(self.settings)
        self._run(
            [sys.executable, "-m", "simulator", "--out", str(self.settings.landing_dir), "--customers", "200"]
        )
        self.airflow.prepare()
        self._run([AIRFLOW, "dags", "reserialize"])
        self.run_dag("customer_bootstrap")

    def run_dag(self, dag_id: str) -> None:
        request = Request(self.settings, self.settings.landing_dir, AS_OF, is_simulated=False)
        Pipeline(request, Console(stderr=True)).run_dag(dag_id)

    def states(self) -> dict[str, str]:
        """Of the tasks of the newest run of churn_monitoring."""
        return dict(
            self._airflow(
                "select task_id, state from task_instance where run_id = ("
                " select run_id from dag_run where dag_id = 'churn_monitoring' order by id desc limit 1)"
                " and dag_id = 'churn_monitoring'"
            )
        )

    def trainings(self) -> list[dict[str, str]]:
        """The parameters of the runs of churn_training that were started, oldest first."""
        rows = self._airflow("select conf from dag_run where dag_id = 'churn_training' order by id")
        return [conf if isinstance(conf, dict) else json.loads(conf) for (conf,) in rows]

    def monitored(self) -> list[tuple[str, str]]:
        with open_warehouse(self.settings) as warehouse:
            rows = warehouse.query(
                "select run_id, check_name, status from ops.model_monitoring order by run_id"
            )
        return [(row["check_name"], row["status"]) for row in rows.to_pylist()]

    def _airflow(self, query: str) -> list[tuple[str, ...]]:
        with sqlite3.connect(self.airflow.folder / "airflow.db", timeout=30) as database:
            return database.execute(query).fetchall()

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            command, cwd=PROJECT, env=self.airflow.environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


@pytest.fixture(scope="module")
def bank(short_dir: Path) -> Bank:
    return Bank(short_dir / "monitoring")


@pytest.mark.slow
def test_a_training_is_started_where_one_is_asked_for_and_skipped_where_not(bank: Bank) -> None:
    bank.run_dag("churn_monitoring")
    assert bank.monitored() == [("champion_age", "alert")]
    assert bank.states()["ask_for_training"] == "success"
    assert bank.trainings() == [
        {
            "as_of_date": "2026-10-31",
            "source": "demo",
            "landing": str(bank.settings.landing_dir),
            "target": "duckdb",
        }
    ]

    registry = Registry(bank.settings.models_dir)
    registry.save("churn_20261031_aaaaaaaa", {}, {"as_of_date": "2026-10-31", "features": []})
    registry.promote(Promotion("churn_20261031_aaaaaaaa", AS_OF, "for a test"))
    bank.run_dag("churn_monitoring")
    assert ("champion_age", "ok") in bank.monitored()
    assert bank.states()["monitor"] == bank.states()["ask_for_training"] == "skipped"
    assert len(bank.trainings()) == 1
