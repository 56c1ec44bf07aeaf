"""The full build of a bank and the next daily run, beside the bare limits of the engine in the same run."""

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.banks import champion, described_days, lend_champion, new_bank, simulate
from benchmarks.layers import Layer, read_layers
from benchmarks.steps import PROJECT, Bank, Step, StepError, console, run_dag, run_step

DAILY = "customer_daily"


@dataclass(frozen=True)
class Build:
    """What one benchmark found. Times in seconds, memory in bytes."""

    target: str
    scale: float
    months: int
    seed: int
    transactions: int
    group_by_seconds: float
    slowest_group_by_seconds: float
    bare_load_seconds: float
    full: list[Step]
    daily: list[Step]
    full_layers: list[Layer]
    daily_layers: list[Layer]

    @property
    def full_seconds(self) -> float:
        return sum(step.seconds for step in self.full)

    @property
    def daily_seconds(self) -> float:
        return sum(step.seconds for step in self.daily)

    @property
    def peak_bytes(self) -> int:
        """Of the largest process; the database server is none of ours."""
        return max(step.peak_bytes for step in (*self.full, *self.daily))

    @property
    def ratios(self) -> dict[str, float]:
        """The figures that may be compared between machines."""
        ingest = sum(step.seconds for step in self.full if step.name == "ingest")
        return {
            "full_build_to_group_by": self.full_seconds / self.group_by_seconds,
            "daily_to_full_build": self.daily_seconds / self.full_seconds,
            "ingest_to_bare_load": ingest / self.bare_load_seconds,
        }

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratios": self.ratios, "peak_bytes": self.peak_bytes}


def measure(folder: Path, *, target: str, scale: float, months: int, seed: int, keep: bool) -> Build:
    """Simulate, build, run the next day, measure the limits. Raises StepError when a step fails.

    The full build is the DAG customer_daily on an empty warehouse: every file loaded and checked, the facts
    of the whole history, one snapshot, scores by a champion that was trained elsewhere, gates, publication,
    report.
    """
    lender = champion(folder, seed=seed)
    landing = simulate(folder, scale=scale, months=months, seed=seed)
    first, following = described_days(landing)[:2]
    bank = new_bank(folder / f"bank-{target}-{scale:g}-{months}", target, landing)
    try:
        lend_champion(lender, bank.settings)
        full, full_layers = _run(bank, first)
        bare = _limits(bank, history_files(landing))
        daily, daily_layers = _run(bank, following)
        return Build(
            target=target, scale=scale, months=months, seed=seed, full=full, daily=daily,
            full_layers=full_layers, daily_layers=daily_layers, **bare,
        )  # fmt: skip
    finally:
        close(bank, keep=keep)


def _run(bank: Bank, day: date) -> tuple[list[Step], list[Layer]]:
    """A day's steps, and the layers of models within; `lists` starts dbt again and leaves other results."""
    layers: list[Layer] = []

    def watch(step: Step) -> None:
        if step.name == "facts_and_snapshot":
            layers.extend(read_layers(bank))

    steps = run_dag(DAILY, bank, day, watch)
    _check(steps)
    return steps, layers


def _check(steps: list[Step]) -> None:
    """Raise StepError when a step had nothing to do: less work would look like speed."""
    if skipped := [step.name for step in steps if step.is_skipped]:
        raise StepError(f"{', '.join(skipped)} had nothing to do: this measures no whole run")


def _limits(bank: Bank, files: list[Path]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.limits", *(str(file.resolve()) for file in files)]
    _, output = run_step("bare limits", command, bank.environment())
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


def history_files(landing: Path) -> list[Path]:
    """The transactions of the first delivery, which the full build loads."""
    first = min(path for path in landing.iterdir() if path.is_dir())
    return sorted(first.glob("transactions*.parquet"))


def close(bank: Bank, *, keep: bool) -> None:
    """Stop the server that a PostgreSQL benchmark started; remove the warehouse unless it is to be kept."""
    if bank.settings.target == "postgres":
        command = [sys.executable, "-m", "warehouse", "down"]
        # Whatever goes wrong here must not hide what went wrong before.
        subprocess.run(command, cwd=PROJECT, env=bank.environment(), check=False, stdout=subprocess.DEVNULL)
    if keep:
        console.print(f"Kept: {bank.settings.home}", highlight=False)
    else:
        shutil.rmtree(bank.settings.home)
