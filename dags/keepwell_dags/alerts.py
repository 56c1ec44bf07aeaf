"""What is told when a task has failed for good, and when a day is late."""

import asyncio
import logging
import os
import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any

from keepwell_dags.channels import LONGEST_ERROR, Alert, send
from keepwell_dags.commands import ENVIRONMENT, PROJECT, given

log = logging.getLogger(__name__)

# Which section of docs/operations.md helps when a task has failed; any other task has `task`.
KINDS = {
    "ingest": "ingest",
    "arrival_gate": "gate",
    "facts_and_snapshot": "gate",
    "lists": "gate",
    "marts_gate": "gate",
    "marts_and_scores_gate": "gate",
    "panel": "gate",
    "panel_gate": "gate",
    "replay": "gate",
    "score": "model",
    "train": "model",
    "monitor": "model",
    "publish": "publish",
}
# The checks of `python -m warehouse watch` have a section each.
CHECKS = (
    "publication_age",
    "delivery_age",
    "delivery_volume",
    "rejected_share",
    "failed_runs",
    "audit_gap",
)
DEADLINE = "deadline"


def on_failure(context: Any) -> None:
    """Say in one line what failed, mark the run failed, tell those who are to know.

    Never raises: an alert that cannot be sent must not hide the failure itself.
    """
    instance = context["ti"]
    environment = {**os.environ, **given(_values(context))}
    error = _reason(context.get("exception"))[:LONGEST_ERROR]
    alert = Alert(
        kind=_kind(instance.task_id, error),
        dag=instance.dag_id,
        task=instance.task_id,
        as_of_date=environment.get("AS_OF", ""),
        run_id=environment.get("RUN_ID", ""),
        error=error,
    )
    log.error(
        "Keepwell: %s failed at %s for %s (run %s): %s",
        alert.dag, alert.task, alert.as_of_date, alert.run_id, alert.error,
    )  # fmt: skip
    if alert.run_id:
        _mark_failed(alert.run_id, environment)
    send(alert, environment)


async def on_missed_deadline(context: dict[str, Any]) -> None:
    """Tell that a run has not ended in time; the triggerer calls it, so nothing may block here.

    Only of the schedule's runs: a past day that is built by hand or by a backfill was due long ago.
    """
    run = context["dag_run"]
    if run.get("run_type") != "scheduled":
        return
    alert = Alert(
        kind=DEADLINE,
        dag=run["dag_id"],
        task="",
        as_of_date=(run.get("conf") or {}).get("as_of_date") or _last_day(run.get("data_interval_end")),
        run_id="",
        error=(
            f"Airflow's run {run['dag_run_id']} is {run['state']} and was to be done"
            f" by {str(context['deadline']['deadline_time'])[:16]} UTC"
        ),
    )
    log.error("Keepwell: %s", alert.text)
    await asyncio.to_thread(send, alert)


def _values(context: Any) -> dict[str, str]:
    """The task's values of `ENVIRONMENT`.

    Where its process is gone Airflow's DAG processor asks, which knows the task as it was parsed and has
    rendered nothing. What cannot be rendered there is left out.
    """
    task = context["task"]
    values: dict[str, str] = task.env or {}
    if values != ENVIRONMENT:
        return values
    rendered = {}
    for name, template in values.items():
        try:
            rendered[name] = str(task.render_template(template, context))
        except Exception as error:
            log.warning("Keepwell: %s is not known for this alert: %s", name, type(error).__name__)
    return rendered


def _reason(exception: BaseException | str | None) -> str:
    if exception is None:
        return (
            "the task's process is gone, and could not say why: out of memory, killed, or its worker,"
            " scheduler or machine died"
        )
    return str(exception) or type(exception).__name__


def _kind(task_id: str, error: str) -> str:
    if task_id == "watch":
        # The last line of the watch names the checks, the most urgent one first.
        return next((check.replace("_", "-") for check in CHECKS if f" {check}" in error), "task")
    return KINDS.get(task_id, "task")


def _last_day(interval_end: str | None) -> str:
    """The day that a run of this interval describes, as `AS_OF` of commands.py has it."""
    if not interval_end:
        return ""
    return (datetime.fromisoformat(interval_end) - timedelta(days=1)).date().isoformat()


def _mark_failed(run_id: str, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "warehouse", "fail-run", "--run", run_id]
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env={**environment, "KEEPWELL_ROLE": "publisher"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        log.error("Keepwell: run %s could not be marked failed: %s", run_id, done.stderr.strip())
