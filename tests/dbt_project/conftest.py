"""A small simulated bank taken through the DAGs' own command lines, without the wait for a scheduler."""

import csv
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from keepwell_dags import commands
from ml.churn.score import SCORES
from warehouse import Settings, embedded, open_warehouse
from warehouse.publish import REQUIRED_GATES

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Bank:
    """A bank's warehouse and landing folder; each method is one command line of the DAGs.

    `root` is the folder whose `dbt_project` builds it: a test may copy the project and change its seeds.
    """

    settings: Settings
    landing: Path
    root: Path = ROOT
    keys: int = field(default=0)
    last_run: str = ""

    def shell(self, command: str, **values: str) -> str:
        """Standard output of a command line; an AssertionError with all it printed when it fails."""
        environment = {
            **os.environ,
            **self.settings.environment(),
            "KEEPWELL_LANDING": str(self.landing),
            "PYTHONPATH": str(ROOT),
            **values,
        }
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def ingest(self, as_of: str) -> None:
        self.shell(commands.init())
        self.shell(commands.ingest(), AS_OF=as_of)

    def start(self, kind: str, as_of: str) -> str:
        """Open a run and give its id."""
        self.keys += 1
        output = self.shell(commands.start_run(kind), AS_OF=as_of, RUN_KEY=f"test/{self.keys}")
        self.last_run = output.split()[-1]
        return self.last_run

    def build(self, run_id: str, *layers: str) -> None:
        for layer in layers:
            self.shell(commands.dbt_layer(layer), RUN_ID=run_id)

    def publish(self, run_id: str) -> None:
        self.shell(commands.publish(), RUN_ID=run_id)

    def bootstrap(self, as_of: str, *, until: date, since: date = date.min) -> str:
        """Build and publish the month-ends of [since, until] that do not stand yet, in one pass; its run id.

        The gates are taken as passed: what they let through is tried elsewhere.
        """
        run_id = self.start("bootstrap", as_of)
        with open_warehouse(self.settings) as warehouse:
            warehouse.execute(
                "delete from ops.run_dates where run_id = $1 and (as_of_date < $2 or as_of_date > $3)",
                [run_id, since, until],
            )
        self.build(run_id, "facts_and_snapshot")
        self._pass_gates(run_id, "bootstrap")
        self.publish(run_id)
        return run_id

    def publish_day(self, as_of: str) -> str:
        """Build and publish one day of a bank too young to be scored; its run id. Gates as in `bootstrap`."""
        run_id = self.start("daily", as_of)
        self.build(run_id, "facts_and_snapshot")
        self.build_lists(run_id)
        self._pass_gates(run_id, "daily")
        self.publish(run_id)
        return run_id

    def build_lists(self, run_id: str) -> None:
        """What needs scores, of a bank too young for any: it has the table of scores and no row in it."""
        with open_warehouse(self.settings) as warehouse:
            warehouse.create_table(f"{run_id}.raw_churn_scores", SCORES)
        self.build(run_id, "lists")

    def _pass_gates(self, run_id: str, kind: str) -> None:
        for gate, tool in REQUIRED_GATES[kind]:
            self.take_as_passed(run_id, gate, tool)

    def take_as_passed(self, run_id: str, gate: str, tool: str) -> None:
        """Let `publish` find a result of a gate that was not run."""
        with open_warehouse(self.settings) as warehouse:
            warehouse.execute(
                """
                insert into ops.test_results (
                    run_id, tool, gate, test_name, severity, status, executed_at
                )
                values ($1, $2, $3, 'taken as passed', 'error', 'pass', timestamp '2026-10-31 00:00:00')
                """,
                [run_id, tool, gate],
            )

    def snapshot(self, as_of: str) -> str:
        """Facts and marts of one day, not published; the run's id."""
        run_id = self.start("daily", as_of)
        self.build(run_id, "facts", "snapshot")
        return run_id

    def rows(self, sql: str) -> list[dict[str, str]]:
        """Rows of a select, every value as the text that a reader would get."""
        output = subprocess.run(
            [sys.executable, "-m", "warehouse", "sql", sql],
            cwd=ROOT, env={**os.environ, **self.settings.environment()},
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        return list(csv.DictReader(io.StringIO(output)))


@pytest.fixture(scope="session")
def small_landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Deliveries of a demo bank of 400 customers over 24 months."""
    folder = tmp_path_factory.mktemp("landing") / "demo"
    subprocess.run(
        [sys.executable, "-m", "simulator", "--out", folder, "--customers", "400", "--seed", "11"],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def make_bank(
    cluster: embedded.Address, short_dir: Path, small_landing: Path
) -> Iterator[Callable[[str, str], Bank]]:
    """`make_bank(target, name)`: an empty warehouse before the small landing folder."""
    databases: list[str] = []

    def make(target: str, name: str) -> Bank:
        url = None
        if target == "postgres":
            database = f"test_{name}_{os.getpid()}"
            embedded.create_database(cluster, database)
            databases.append(database)
            url = cluster.url(database)
        return Bank(Settings(home=short_dir / name, target=target, url=url), small_landing)

    yield make
    for database in databases:
        embedded.drop_database(cluster, database)
