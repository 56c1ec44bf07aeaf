"""`airflow backfill` over past days gives the rows that a run on the day gave, through the real scheduler."""

import socket
import sqlite3
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from keepwell.airflow_home import AIRFLOW, PROJECT, AirflowHome
from keepwell.pipeline import Pipeline
from keepwell.request import Request
from keepwell.services import Services
from warehouse import Settings, open_warehouse
from warehouse.publish import ARCHIVED_MARTS

THE_DAY, NEXT_DAY, LAST_DAY = "2026-10-29", "2026-10-30", "2026-10-31"
PATIENCE_S = 400


class Bank:
    """A small bank, too young for scores, with a history and three daily deliveries."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home, target="duckdb")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.airflow = AirflowHome(self.settings, probe.getsockname()[1])
        self.python(
            "simulator", "--out", str(self.settings.landing_dir), "--customers", "200", "--months", "6"
        )
        self.airflow.prepare()

    def python(self, *arguments: str) -> None:
        self._run([sys.executable, "-m", *arguments])

    def run_airflow(self, *arguments: str) -> None:
        self._run([AIRFLOW, *arguments])

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            command, cwd=PROJECT, env=self.airflow.environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]

    def run_on(self, day: str) -> None:
        as_of, landing = date.fromisoformat(day), self.settings.landing_dir
        request = Request(self.settings, landing, as_of, is_simulated=False)
        Pipeline(request, Console(stderr=True)).run_dag("customer_daily")

    def states(self) -> list[str]:
        """Of the runs of the backfill, read from Airflow's database: its commands take seconds to start."""
        with sqlite3.connect(self.airflow.folder / "airflow.db", timeout=30) as database:
            rows = database.execute(
                "select state from dag_run where run_type = 'backfill' order by logical_date"
            )
            return [state for (state,) in rows]

    def runs_of(self, day: str) -> list[str]:
        with open_warehouse(self.settings) as warehouse:
            query = "select run_id from ops.publications where as_of_date = $1 order by publication_no"
            return [str(run_id) for run_id in warehouse.query(query, [day])["run_id"].to_pylist()]

    def rows(self, mart: str, run_id: str) -> list[tuple[object, ...]]:
        """A mart as that run published it, without the name of the run."""
        with open_warehouse(self.settings) as warehouse:
            table = warehouse.query(f"select * from archive.{mart} where run_id = $1", [run_id])
        return sorted((tuple(row.values()) for row in table.drop_columns("run_id").to_pylist()), key=repr)


@pytest.mark.slow
def test_a_backfill_gives_the_rows_of_the_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The runs of this test only: none for the day on which it is run. And no second of sleep after each task.
    monkeypatch.setenv("AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE", "False")
    monkeypatch.setenv("AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME", "0.1")
    bank = Bank(tmp_path)
    bank.run_on(THE_DAY)
    landing = str(bank.settings.landing_dir)
    bank.python("ingest", "load", "--source", "demo", "--landing", landing, "--as-of", LAST_DAY)
    bank.run_airflow("dags", "unpause", "customer_daily")
    bank.run_airflow(
        *("backfill", "create", "--dag-id", "customer_daily", "--max-active-runs", "1"),
        *("--from-date", THE_DAY, "--to-date", NEXT_DAY),
    )
    deadline = time.monotonic() + PATIENCE_S
    with Services(bank.airflow) as services:
        while not set(bank.states()) <= {"success", "failed"}:
            services.check()
            assert time.monotonic() < deadline, bank.states()
            time.sleep(1)
    assert bank.states() == ["success", "success"]

    on_the_day, backfilled = bank.runs_of(THE_DAY)
    assert on_the_day != backfilled
    assert len(bank.runs_of(NEXT_DAY)) == 1
    for mart in ARCHIVED_MARTS:
        assert bank.rows(mart, backfilled) == bank.rows(mart, on_the_day), mart
    for mart in ("dim_customers", "fct_customer_tiers", "fct_customer_profit"):
        assert len(bank.rows(mart, on_the_day)) > 100, mart
