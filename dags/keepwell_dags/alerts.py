"""What happens when a task has failed for good: the run is marked failed, somebody is told."""

import json
import logging
import os
import subprocess
import sys
import urllib.request
from http.client import HTTPException
from typing import Any

from keepwell_dags.commands import PROJECT, given

log = logging.getLogger(__name__)


def on_failure(context: Any) -> None:
    """Say in one line what failed, mark the run failed, post to KEEPWELL_ALERT_WEBHOOK where it is set.

    Never raises: an alert that cannot be sent must not hide the failure itself.
    """
    instance, task = context["ti"], context["task"]
    environment = {**os.environ, **given(task.env)}
    message = {
        "dag": instance.dag_id,
        "task": instance.task_id,
        "as_of_date": environment.get("AS_OF", ""),
        "run_id": environment.get("RUN_ID", ""),
        "error": str(context.get("exception", "")),
    }
    log.error("Keepwell: %(dag)s failed at %(task)s for %(as_of_date)s (run %(run_id)s): %(error)s", message)
    if message["run_id"]:
        _mark_failed(message["run_id"], environment)
    if webhook := environment.get("KEEPWELL_ALERT_WEBHOOK"):
        _post(webhook, message)


def _mark_failed(run_id: str, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "warehouse", "fail-run", "--run", run_id]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        log.error("Keepwell: run %s could not be marked failed: %s", run_id, done.stderr.strip())


def _post(webhook: str, message: dict[str, str]) -> None:
    if not webhook.startswith(("https://", "http://")):
        log.error("Keepwell: KEEPWELL_ALERT_WEBHOOK is no http address; no alert was sent")
        return
    try:
        body = json.dumps(message).encode()
        request = urllib.request.Request(webhook, data=body, headers={"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()
    except (OSError, ValueError, HTTPException) as error:
        # The address can carry a secret, and some of these errors quote it.
        log.error("Keepwell: the alert could not be sent: %s", type(error).__name__)
