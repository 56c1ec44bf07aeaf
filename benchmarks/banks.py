"""Simulated banks to measure on, and a champion to score them with."""

import os
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

from benchmarks.steps import PROJECT, Bank, StepError, run_dag
from simulator.parameters import SIMULATOR_VERSION
from warehouse import Settings, open_warehouse, schema

END = date(2026, 10, 31)
# Less than two years are too young to train on.
CHAMPION_SCALE, CHAMPION_MONTHS = 0.01, 24
# Of the source `demo`: ingest/sources/demo.yml.
LANDING_LAG = timedelta(days=1)


def simulate(folder: Path, *, scale: float, months: int, seed: int) -> Path:
    """The landing folder of a bank; made unless it is there already. Raises StepError."""
    return _simulate(folder / f"landing-{scale:g}-{months}-{seed}", "--scale", f"{scale:g}", months, seed)


def simulate_customers(folder: Path, *, customers: int, seed: int) -> Path:
    """The same for a number of customers and 24 months."""
    return _simulate(folder / f"landing-{customers}-{seed}", "--customers", str(customers), 24, seed)


def truth_of(landing: Path) -> Path:
    """Where the simulator put what it planted."""
    return landing.with_name(landing.name + ".truth")


def _simulate(landing: Path, measure: str, size: str, months: int, seed: int) -> Path:
    landing.parent.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable, "-m", "simulator", "--out", str(landing.resolve()), measure, size,
        "--months", str(months), "--seed", str(seed), "--end", END.isoformat(),
    ]  # fmt: skip
    if subprocess.run(command, cwd=PROJECT, check=False, stdout=subprocess.DEVNULL).returncode:
        raise StepError(f"the bank {landing.name} could not be made; see above")
    return landing


def described_days(landing: Path) -> list[date]:
    """The day that each delivery describes, oldest first: its date less the landing lag."""
    delivered = sorted(date.fromisoformat(path.name) for path in landing.iterdir() if path.is_dir())
    return [day - LANDING_LAG for day in delivered]


def new_bank(folder: Path, target: str, landing: Path) -> Bank:
    """An empty warehouse in `folder`, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    # A server of the user's would not be ours to fill.
    os.environ.pop("KEEPWELL_WAREHOUSE_URL", None)
    return Bank(Settings(home=folder.resolve(), source="demo", target=target), landing)


def champion(folder: Path, *, seed: int) -> Settings:
    """A small bank of the same kind with a trained champion, made once: for the time that scoring takes."""
    landing = simulate(folder, scale=CHAMPION_SCALE, months=CHAMPION_MONTHS, seed=seed)
    as_of = described_days(landing)[0]
    home = folder / f"champion-{SIMULATOR_VERSION}-{seed}"
    settings = Settings(home=home.resolve(), source="demo", target="duckdb")
    if not (settings.models_dir / "champions.json").exists():
        bank = new_bank(home, "duckdb", landing)
        for dag_id in ("customer_bootstrap", "churn_training"):
            run_dag(dag_id, bank, as_of)
    return settings


def lend_champion(lender: Settings, borrower: Settings) -> None:
    """Copy the model registry and its training runs into an empty warehouse, which is initialised."""
    shutil.copytree(lender.models_dir, borrower.models_dir)
    with open_warehouse(lender, read_only=True) as warehouse:
        trainings = warehouse.query("select * from ops.training_runs")
    with open_warehouse(borrower) as warehouse:
        schema.init(warehouse)
        warehouse.append("ops.training_runs", trainings)
