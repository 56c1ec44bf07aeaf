"""From an empty warehouse to published marts in a running Airflow: `python -m keepwell first-run`.

What the one-shot service `first-run` of docker-compose.yml does. What stands is left as it is, so it may be
started any number of times.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from keepwell.airflow_api import AirflowApi, ConflictError
from keepwell.due import due_dags, is_history_built, is_published
from keepwell.request import DEMO_AS_OF, DEMO_CUSTOMERS, DEMO_DIRT, PROJECT, BadRequestError
from warehouse import Settings, open_warehouse

DAGS = ("customer_bootstrap", "churn_training", "customer_daily", "churn_monitoring")
# Those that Airflow starts by itself, where schedules are on, and those that others start.
ALWAYS_ON = (*DAGS, "platform_watch")
POLL_S = 5.0
# The dag-processor reads a new folder of DAGs within a minute.
DAGS_APPEAR_WITHIN_S = 300.0
ENDED = {"success", "failed"}
TOLD = {"running", "success", "skipped", "failed", "up_for_retry"}


class FirstRunError(Exception):
    """A DAG failed or is missing; the message says which, at what task, and where the log is."""


@dataclass(frozen=True)
class Wanted:
    """What the environment asks for."""

    settings: Settings
    landing: Path
    as_of: date
    demo_customers: int
    airflow: str
    pages: str
    user: str
    password_file: Path
    has_schedules: bool

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> "Wanted":
        """Raises BadRequestError for what is missing or cannot be used, WarehouseError from the settings."""
        settings = Settings.from_environment(variables)
        missing = [
            name
            for name in ("KEEPWELL_AIRFLOW_URL", "KEEPWELL_AIRFLOW_PASSWORD_FILE")
            if not variables.get(name)
        ]
        if missing:
            raise BadRequestError(f"{' and '.join(missing)} not set: say which Airflow to ask")
        landing = Path(variables.get("KEEPWELL_LANDING") or settings.home / "landing" / settings.source)
        customers = variables.get("KEEPWELL_DEMO_CUSTOMERS") or str(DEMO_CUSTOMERS)
        if not customers.isdigit():
            raise BadRequestError(f"KEEPWELL_DEMO_CUSTOMERS={customers} is no number")
        return cls(
            settings,
            landing,
            _as_of(settings.source, variables.get("KEEPWELL_AS_OF") or ""),
            int(customers),
            variables["KEEPWELL_AIRFLOW_URL"],
            (variables.get("KEEPWELL_AIRFLOW_PAGES") or variables["KEEPWELL_AIRFLOW_URL"]).rstrip("/"),
            variables.get("KEEPWELL_AIRFLOW_USER") or "admin",
            Path(variables["KEEPWELL_AIRFLOW_PASSWORD_FILE"]),
            (variables.get("KEEPWELL_SCHEDULES") or "False").lower() == "true",
        )


def first_run(wanted: Wanted) -> None:
    """Raises BadRequestError, FirstRunError, ApiError or WarehouseError."""

    def holds(query: str, *days: date) -> bool:
        with open_warehouse(wanted.settings) as warehouse:
            return bool(warehouse.query(query, days).column("n")[0].as_py())

    day = wanted.as_of
    due: list[str] = []
    if not is_published(holds, day):
        due = due_dags(holds, day, is_built=is_history_built(holds, day))
        land(wanted)
    runs = DagRuns(AirflowApi(wanted.airflow, wanted.user, wanted.password_file), wanted.pages)
    runs.switch_on(ALWAYS_ON)
    if due:
        _say(f"To do for {day}: {', '.join(due)}")
    for dag_id in due:
        runs.run(dag_id, day)
    if not wanted.has_schedules:
        _say("Schedules are off: KEEPWELL_SCHEDULES=True starts the DAGs of a bank that gets deliveries.")
    _say(f"{day} is published. Airflow: {wanted.pages}" if due else f"{day} is published: nothing to do.")


def land(wanted: Wanted) -> None:
    """Make the demo bank where nothing has landed. Raises BadRequestError where it is a bank's own folder."""
    if wanted.landing.is_dir() and any(wanted.landing.iterdir()):
        return
    if wanted.settings.source != "demo":
        raise BadRequestError(
            f"Nothing has landed in {wanted.landing}: put the deliveries of {wanted.settings.source} there "
            "(KEEPWELL_LANDING_DIR names the folder on this machine)"
        )
    _say(f"The demo bank: {wanted.demo_customers:,} customers into {wanted.landing}")
    # Where no room of the pipeline looks: beside the landing volume, not in it.
    truth = wanted.landing.parent.with_name("truth") / wanted.landing.name
    command = [
        sys.executable, "-m", "simulator", "--out", str(wanted.landing), "--truth", str(truth),
        "--customers", str(wanted.demo_customers), "--dirt", str(DEMO_DIRT),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=PROJECT, check=False)
    if done.returncode:
        raise FirstRunError("The demo bank could not be made; the lines above say why.")


class DagRuns:
    """Runs of DAGs in a running Airflow, waited for."""

    def __init__(self, api: AirflowApi, pages: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._api = api
        self._pages = pages
        self._sleep = sleep

    def switch_on(self, dag_ids: tuple[str, ...]) -> None:
        """Unpause them; waits until Airflow knows them. Raises FirstRunError when it does not come to."""
        for dag_id in dag_ids:
            waited = 0.0
            while (dag := self._api.get(f"dags/{dag_id}")) is None:
                if waited >= DAGS_APPEAR_WITHIN_S:
                    raise FirstRunError(
                        f"Airflow knows no DAG {dag_id} after {waited:.0f} s: {self._import_errors()}"
                    )
                self._sleep(POLL_S)
                waited += POLL_S
            if dag["is_paused"]:
                self._api.patch(f"dags/{dag_id}", {"is_paused": False})

    def run(self, dag_id: str, day: date) -> None:
        """One run of the DAG for the day to its end: that which goes on already, else a new one.

        Raises FirstRunError when it fails.
        """
        run_id = self._going_on_or_new(dag_id, day)
        started = time.monotonic()
        told: dict[str, str] = {}
        while True:
            run = self._api.get(f"dags/{dag_id}/dagRuns/{run_id}")
            if run is None:
                raise FirstRunError(f"The run {run_id} of {dag_id} was deleted while it was waited for.")
            self._tell(dag_id, run_id, told)
            if run["state"] in ENDED:
                break
            self._sleep(POLL_S)
        if run["state"] == "failed":
            raise FirstRunError(self._failure(dag_id, run_id))
        _say(f"{dag_id}: {run['state']} after {time.monotonic() - started:.0f} s")

    def _going_on_or_new(self, dag_id: str, day: date) -> str:
        number = 1
        while True:
            run_id = f"first_run_{day}_{number}"
            run = self._api.get(f"dags/{dag_id}/dagRuns/{run_id}")
            if run is None:
                body = {"dag_run_id": run_id, "logical_date": None, "conf": {"as_of_date": day.isoformat()}}
                # It was not there a moment ago: the answer to a first try was lost.
                with suppress(ConflictError):
                    self._api.post(f"dags/{dag_id}/dagRuns", body)
                _say(f"{dag_id}: started as {run_id}")
                return run_id
            if run["state"] not in ENDED:
                _say(f"{dag_id}: {run_id} goes on")
                return run_id
            number += 1

    def _tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        answer = self._api.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=100) or {}
        tasks: list[dict[str, Any]] = answer.get("task_instances", [])
        return tasks

    def _tell(self, dag_id: str, run_id: str, told: dict[str, str]) -> None:
        for task in self._tasks(dag_id, run_id):
            name, state = task["task_id"], task["state"]
            if state in TOLD and told.get(name) != state:
                told[name] = state
                took = f" {task['duration']:.1f} s" if state != "running" and task.get("duration") else ""
                _say(f"{dag_id}: {name} {state}{took}")

    def _failure(self, dag_id: str, run_id: str) -> str:
        failed = [task["task_id"] for task in self._tasks(dag_id, run_id) if task["state"] == "failed"]
        if not failed:
            return (
                f"{dag_id} failed without a failed task (a time-out of the run, or it was marked so).\n"
                f"See {self._pages}/dags/{dag_id}/runs/{run_id}"
            )
        logs = "\n".join(
            f"Log: {self._pages}/dags/{dag_id}/runs/{run_id}/tasks/{name}\n"
            f"     or dag_id={dag_id}/run_id={run_id}/task_id={name} in the folder of Airflow's logs"
            for name in failed
        )
        return f"{dag_id} failed at {', '.join(failed)}.\n{logs}"

    def _import_errors(self) -> str:
        errors = (self._api.get("importErrors") or {}).get("import_errors", [])
        if not errors:
            return "is the dag-processor running?"
        return "\n".join(
            f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}" for error in errors
        )


def _as_of(source: str, text: str) -> date:
    if not text:
        if source != "demo":
            raise BadRequestError(
                f"KEEPWELL_SOURCE={source} needs KEEPWELL_AS_OF, the day to publish, for example {DEMO_AS_OF}"
            )
        return DEMO_AS_OF
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadRequestError(f"KEEPWELL_AS_OF={text} is no date: write it as YYYY-MM-DD") from None


def _say(line: str) -> None:
    print(line, flush=True)
