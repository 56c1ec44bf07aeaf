"""The leakage gates of `churn_training`, broken on purpose: no model is trained behind a broken one."""

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from keepwell.airflow_home import AIRFLOW, PROJECT, AirflowHome
from keepwell_dags import commands
from tests.dags.test_dags_gates import Bank
from warehouse import Settings

# The newest month-end whose labels are mature on the day of the training, and one whose labels are not.
AS_OF, MATURE, IMMATURE = "2026-10-30", "2026-06-30", "2026-07-31"
DONE_ALREADY = "^(init|start_run|panel)$"


def train_behind_gates(bank: Bank) -> dict[str, str]:
    """States of all tasks after a run of the DAG whose panel is the one that was built."""
    conf = {"as_of_date": AS_OF, "source": "demo", "target": "duckdb"}
    subprocess.run(
        [
            AIRFLOW, "dags", "test", "churn_training", "--conf", json.dumps(conf),
            "--mark-success-pattern", DONE_ALREADY,
        ],
        cwd=PROJECT, env={**bank.airflow.environment(), "RUN_ID": bank.run_id},
        capture_output=True, check=False,
    )  # fmt: skip
    with sqlite3.connect(bank.airflow.folder / "airflow.db") as database:
        return dict(
            database.execute(
                """
                select task_id, state from task_instance
                where run_id = (select run_id from dag_run order by id desc limit 1)"""
            )
        )


@pytest.fixture(scope="module")
def built(short_dir: Path) -> Bank:
    """A young bank with five month-ends in history, and the panel of a training."""
    settings = Settings(home=short_dir / "training", target="duckdb")
    bank = Bank(settings, AirflowHome(settings))
    bank.airflow.prepare()
    bank.shell(f"{sys.executable} -m simulator --out {settings.landing_dir} --customers 200 --months 6")
    bank.shell(commands.init())
    bank.shell(commands.ingest(), AS_OF=AS_OF)
    history = bank.shell(commands.start_run("bootstrap"), AS_OF=AS_OF, RUN_KEY="history").split()[-1]
    bank.shell(commands.dbt_layer("facts_and_snapshot"), RUN_ID=history)
    bank.shell(commands.expectations("arrival", "marts"), RUN_ID=history)
    bank.shell(commands.publish(), RUN_ID=history)
    bank.run_id = bank.shell(commands.start_run("training"), AS_OF=AS_OF, RUN_KEY="model").split()[-1]
    bank.shell(commands.dbt_layer("training"), RUN_ID=bank.run_id)
    shutil.copy(settings.duckdb_path, settings.duckdb_path.with_suffix(".kept"))
    return bank


@pytest.fixture
def bank(built: Bank) -> Bank:
    """The bank as it was built, whatever the test before did to it."""
    path = built.settings.duckdb_path
    path.with_name(path.name + ".wal").unlink(missing_ok=True)
    shutil.copy(path.with_suffix(".kept"), path)
    return built


def failed_tests(bank: Bank) -> list[tuple]:
    return bank.query(
        "select gate, test_name, failures from ops.test_results"
        " where status in ('fail', 'error') order by 1, 2"
    )


def test_a_sound_panel_and_history_reach_the_training(bank: Bank) -> None:
    states = train_behind_gates(bank)
    assert states["panel_gate"] == states["replay"] == "success"
    audits = bank.query("select cast(as_of_date as varchar) from ops.runs where kind = 'audit'")
    assert audits == [(MATURE,)]
    held = bank.query(
        "select count(*), min(status), max(status) from ops.test_results where gate = 'leakage'"
    )
    assert held[0][0] > 70
    assert held[0][1:] == ("pass", "pass")
    # Half a year cannot carry a model; that was found by the training itself.
    assert states["train"] == "skipped"
    assert bank.query("select run_id from ops.training_runs") == [(bank.run_id,)]


def test_a_label_that_shares_a_day_with_its_features_stops_the_training(bank: Bank) -> None:
    bank.execute(
        "update {run}.churn_panel set label_from_on = as_of_date"
        " where customer_id = (select min(customer_id) from {run}.churn_panel)"
        f" and as_of_date = date '{IMMATURE}'"
    )
    states = train_behind_gates(bank)
    assert states["panel_gate"] == "failed"
    assert states["replay"] == states["train"] == "upstream_failed"
    assert failed_tests(bank) == [("panel", "labels_begin_after_the_day_of_the_features", 1)]
    assert bank.query("select * from ops.training_runs") == []


def test_a_feature_that_knew_more_than_its_day_stops_the_training(bank: Bank) -> None:
    # What a feature that had looked into the following month would have left in the archive.
    bank.execute(
        "update archive.fct_customer_features set sum_amount_90d = sum_amount_90d + 100"
        f" where as_of_date = date '{MATURE}' and sum_amount_90d > 20000"
    )
    changed = bank.query(
        f"select count(*) from archive.fct_customer_features where as_of_date = date '{MATURE}'"
        " and sum_amount_90d > 20100"
    )[0][0]
    assert changed > 3
    states = train_behind_gates(bank)
    assert states["panel_gate"] == "success"
    assert states["replay"] == "failed"
    assert states["train"] == "upstream_failed"
    assert failed_tests(bank) == [("leakage", "sum_amount_90d_is_what_was_known", changed)]
    assert bank.query("select * from ops.training_runs") == []


def test_without_a_mature_label_there_is_nothing_to_replay_and_the_training_says_so(bank: Bank) -> None:
    bank.execute("update {run}.churn_panel set label_status = 'immature', is_churned = null")
    states = train_behind_gates(bank)
    assert states["panel_gate"] == "success"
    assert states["replay"] == "skipped"
    assert bank.query("select outcome from ops.training_runs") == [("no_mature_labels",)]
