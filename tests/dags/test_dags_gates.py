"""Each gate, broken on purpose: `customer_daily` stops at it, and readers keep the last publication."""

import json
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from keepwell.airflow_home import AIRFLOW, PROJECT, AirflowHome
from keepwell_dags import commands
from warehouse import Settings, open_warehouse

DAY_BEFORE, AS_OF = "2026-10-29", "2026-10-30"
EVERY_TASK = {
    "init", "ingest", "start_run", "arrival_gate", "facts_and_snapshot", "score", "lists",
    "marts_and_scores_gate", "publish", "report", "retain",
}  # fmt: skip


@dataclass
class Bank:
    """A young bank with one publication and a second run built through its gates, kept to be broken anew."""

    settings: Settings
    airflow: AirflowHome
    run_id: str = ""

    def shell(self, command: str, **values: str) -> str:
        environment = {
            **self.airflow.environment(),
            "KEEPWELL_LANDING": str(self.settings.landing_dir),
            **values,
        }
        done = subprocess.run(
            ["bash", "-c", command], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
        )
        # A bank too young for scores skips `score`.
        assert done.returncode in (0, 99), done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def build(self, as_of: str) -> str:
        """A day up to all of its gates; the run's id."""
        self.shell(commands.ingest(), AS_OF=as_of)
        run_id = self.shell(commands.start_run("daily"), AS_OF=as_of, RUN_KEY=as_of).split()[-1]
        for command in (
            commands.dbt_layer("facts_and_snapshot"), commands.churn("score"), commands.dbt_layer("lists"),
            commands.expectations("arrival", "marts", "scores"),
        ):  # fmt: skip
            self.shell(command, RUN_ID=run_id)
        return run_id

    def run_tasks(self, *tasks: str) -> dict[str, str]:
        """States of all tasks after a run of the DAG in which only these are not taken as done already."""
        assert set(tasks) < EVERY_TASK
        done_already = "|".join(sorted(EVERY_TASK - set(tasks)))
        conf = {"as_of_date": AS_OF, "source": "demo", "target": "duckdb"}
        subprocess.run(
            [
                AIRFLOW, "dags", "test", "customer_daily", "--conf", json.dumps(conf),
                "--mark-success-pattern", f"^({done_already})$",
            ],
            cwd=PROJECT,
            env={**self.airflow.environment(), "RUN_ID": self.run_id, "KEEPWELL_DEADLINE_HOURS": "0",
                 "KEEPWELL_ACTOR": "the analyst"},
            capture_output=True, check=False,
        )  # fmt: skip
        with sqlite3.connect(self.airflow.folder / "airflow.db") as database:
            return dict(
                database.execute(
                    """
                    select task_id, state from task_instance
                    where run_id = (select run_id from dag_run order by id desc limit 1)"""
                )
            )

    def query(self, sql: str) -> list[tuple]:
        with open_warehouse(self.settings) as warehouse:
            return [tuple(row.values()) for row in warehouse.query(sql).to_pylist()]

    def execute(self, sql: str) -> None:
        with open_warehouse(self.settings) as warehouse:
            warehouse.execute(sql.format(run=self.run_id))


@pytest.fixture(scope="module")
def built(short_dir: Path) -> Bank:
    settings = Settings(home=short_dir / "gates", target="duckdb")
    bank = Bank(settings, AirflowHome(settings))
    bank.airflow.prepare()
    bank.shell(f"{sys.executable} -m simulator --out {settings.landing_dir} --customers 200 --months 6")
    bank.shell(commands.init())
    bank.shell(commands.publish(), RUN_ID=bank.build(DAY_BEFORE))
    bank.run_id = bank.build(AS_OF)
    shutil.copy(settings.duckdb_path, settings.duckdb_path.with_suffix(".kept"))
    return bank


@pytest.fixture
def bank(built: Bank) -> Bank:
    """The bank as it was built, whatever the test before did to it."""
    path = built.settings.duckdb_path
    path.with_name(path.name + ".wal").unlink(missing_ok=True)
    shutil.copy(path.with_suffix(".kept"), path)
    return built


def test_a_sound_run_passes_every_gate_and_is_published(bank: Bank) -> None:
    tasks = ("arrival_gate", "marts_and_scores_gate", "publish")
    states = bank.run_tasks(*tasks)
    assert set(states) == EVERY_TASK
    assert {states[task] for task in tasks} == {"success"}
    newest = "select run_id, published_by from ops.publications order by publication_no desc limit 1"
    # Who typed it, not Airflow's name for a run from the command line.
    assert bank.query(newest) == [(bank.run_id, "the analyst")]


# The gate's name in ops.test_results, its task, and what breaks it.
PLANTS = [
    (
        "arrival",
        "arrival_gate",
        """
        update raw.transactions set currency_code = 'XXX'
        where batch_no = (select max(batch_no) from raw.transactions)""",
    ),
    (
        "facts",
        "facts_and_snapshot",
        """
        insert into core.fct_customer_activity_daily
        with one as materialized (
            select * replace (99 as batch_no) from core.fct_customer_activity_daily limit 1
        )
        select * from one union all select * from one""",
    ),
    # A second owner of one account.
    (
        "marts",
        "facts_and_snapshot",
        """
        insert into raw.account_holders
        select * replace ((select max(customer_id) from raw.customers) as customer_id)
        from raw.account_holders
        where holder_role = 'owner' and customer_id < (select max(customer_id) from raw.customers)
        limit 1""",
    ),
    # A customer scored twice.
    (
        "lists",
        "lists",
        """
        insert into {run}.raw_churn_scores by name
        select date '2026-10-30' as as_of_date, 'nobody' as customer_id, 0.5 as churn_probability,
            'a_model' as model_version, timestamp '2026-10-31 00:00:00' as scored_at
        from range(2)""",
    ),
    # A customer lost from the mart of one scheme, and kept by the mart of all.
    (
        "marts",
        "marts_and_scores_gate",
        """
        delete from {run}.fct_customer_loyalty_classes
        where customer_id = (select max(customer_id) from {run}.dim_customers)""",
    ),
    # A tier that nobody knows, the same in both marts.
    (
        "marts",
        "marts_and_scores_gate",
        """
        update {run}.fct_customer_pyramid_tiers set pyramid_tier = 'titanium', earned_tier = 'titanium';
        update {run}.fct_customer_tiers set pyramid_tier = 'titanium'""",
    ),
    (
        "scores",
        "marts_and_scores_gate",
        """
        insert into {run}.fct_churn_scores by name
        select
            customer_id, 'a_model' as model_version, 'high' as risk_band, 'High' as risk_band_en,
            '高' as risk_band_zh, 'CNY' as currency_code, 1 as risk_decile, 1.7 as churn_probability,
            as_of_date
        from {run}.dim_customers limit 1""",
    ),
]


@pytest.mark.parametrize(
    ("gate", "task", "plant"), PLANTS, ids=[f"{gate}-{task}" for gate, task, _ in PLANTS]
)
def test_a_broken_gate_stops_the_run_before_publication(bank: Bank, gate: str, task: str, plant: str) -> None:
    before = bank.query("select * from ops.publications order by publication_no")
    shown = bank.query("select count(*), min(customer_id), max(as_of_date) from marts.dim_customers")
    assert len(before) == 1
    bank.execute(plant)

    states = bank.run_tasks(task, "publish", "report", "retain")

    assert states[task] == "failed"
    assert states["publish"] == "upstream_failed"
    assert bank.query("select * from ops.publications order by publication_no") == before
    assert bank.query("select count(*), min(customer_id), max(as_of_date) from marts.dim_customers") == shown
    failed = bank.query(
        f"select count(*) from ops.test_results where run_id = '{bank.run_id}' and gate = '{gate}' "
        "and severity = 'error' and status in ('fail', 'error')"
    )
    assert failed[0][0] >= 1
