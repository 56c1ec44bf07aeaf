"""A run is cleared and started again, the documented way out of most failures, while its deadline is ahead.

Airflow 3.3.2 cannot clear a run that has a deadline counted from when it was queued.
"""

import socket
import sqlite3
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from keepwell.airflow_home import AIRFLOW, PROJECT, AirflowHome
from warehouse import Settings


def test_a_run_whose_deadline_is_ahead_can_be_cleared(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        airflow = AirflowHome(Settings(home=tmp_path, target="duckdb"), probe.getsockname()[1])
    airflow.prepare()

    def run(*arguments: str) -> None:
        done = subprocess.run(
            [AIRFLOW, *arguments],
            cwd=PROJECT, env=airflow.environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    def rows(statement: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(airflow.folder / "airflow.db", timeout=30) as database:
            return database.execute(statement).fetchall()

    now = datetime.now(UTC).isoformat()
    run("dags", "reserialize")
    # The DAG is paused: the run stays as it was made.
    run("dags", "trigger", "customer_daily", "--run-id", "cleared", "--logical-date", now)
    assert rows("select missed from deadline") == [(0,)]
    rows("update task_instance set state = 'failed' where task_id = 'ingest'")
    run("tasks", "clear", "customer_daily", "--start-date", "2026-01-01", "--yes")
    assert rows("select clear_number from dag_run where run_id = 'cleared'") == [(1,)]
