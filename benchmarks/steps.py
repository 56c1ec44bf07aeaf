"""The tasks of a DAG, one process each, timed and weighed: the very command lines that Airflow runs."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from warehouse import Settings

PROJECT = Path(__file__).resolve().parents[1]
SKIPPED = 99
console = Console(stderr=True)


class StepError(Exception):
    """A step failed; the message holds the end of what it printed."""


@dataclass(frozen=True)
class Step:
    """One process and all it started: wall time, CPU time, the largest memory of any one process."""

    name: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    is_skipped: bool = False


@dataclass(frozen=True)
class Bank:
    """A warehouse of its own in front of a landing folder."""

    settings: Settings
    landing: Path

    def environment(self) -> dict[str, str]:
        """What leads a command line to this bank."""
        return {
            **os.environ,
            **self.settings.environment(),
            "KEEPWELL_LANDING": str(self.landing),
            "COLUMNS": "120",
        }


@cache
def tasks_of(dag_id: str) -> list[tuple[str, str]]:
    """Name and command line of each task of a DAG, in the order in which they run."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "AIRFLOW_HOME": folder, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        command = [sys.executable, "-m", "benchmarks.dag_tasks", dag_id]
        _, output = run_step(f"{dag_id} read", command, environment)
    return [(name, line) for name, line in json.loads(output.splitlines()[-1])]


def run_dag(
    dag_id: str, bank: Bank, as_of: date, watch: Callable[[Step], None] = lambda step: None
) -> list[Step]:
    """Run every task of a DAG for a day, without Airflow between them. Raises StepError.

    `watch` sees each step when it is over and before the next begins.
    """
    # What Airflow would render into the environment of the tasks.
    environment = {
        **bank.environment(),
        "AS_OF": as_of.isoformat(),
        "RUN_KEY": f"benchmark/{dag_id}/{as_of}",
    }
    steps = []
    for name, command in tasks_of(dag_id):
        step, output = run_step(f"{dag_id} {name}", ["bash", "-c", command], environment)
        steps.append(replace(step, name=name))
        watch(steps[-1])
        if name == "start_run":
            if step.is_skipped:
                break
            environment["RUN_ID"] = output.split()[-1]
    return steps


def run_step(name: str, command: list[str], environment: dict[str, str]) -> tuple[Step, str]:
    """Run one command; the measured step and its standard output. Raises StepError when it fails."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors, _shown(name):
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdout=output, stderr=errors, start_new_session=True
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            # Bash alone would leave the dbt that it started at work.
            os.killpg(process.pid, signal.SIGKILL)
            raise
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        printed = output.read()
        if process.returncode not in (0, SKIPPED):
            told = (printed + errors.read()).strip().splitlines()
            raise StepError("\n".join([f"{name} failed with exit code {process.returncode}:", *told[-15:]]))
    # Linux counts ru_maxrss in KiB, and of the largest process of the tree.
    step = Step(
        name, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, process.returncode == SKIPPED
    )
    return step, printed


def timed(work: Callable[[], Any], times: int) -> list[float]:
    """Wall times in seconds of some calls, after one that warms the caches, the shortest first."""
    work()
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return sorted(seconds)


def _shown(name: str) -> Progress:
    progress = Progress(
        SpinnerColumn(), TextColumn(name), TimeElapsedColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    progress.add_task(name, total=None)
    return progress
