"""A snapshot's tiers by another policy, made by dbt itself in a schema of their own.

dbt builds the policy seeds and the models of the tiers into the schema `what_if` (generate_schema_name), and
everything else comes from the published run (--defer). So it cannot touch what is published,
and the answer is that of the rule itself.
"""

import datetime as dt
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from policy.faults import PolicyError
from policy.published import Snapshot
from warehouse import Settings, dbt_environment, open_warehouse

SCHEMA = "what_if"
SELECTOR = "what_if"
PROJECT = Path(__file__).resolve().parents[1] / "dbt_project"
_DBT = Path(sys.executable).with_name("dbt")
_SHOWN_LINES = 15


@contextmanager
def built(settings: Settings, snapshot: Snapshot, *, policy_on: dt.date, project: Path) -> Iterator[None]:
    """The tiers of the snapshot's run by the project's seeds, as of `policy_on`, while the block lasts.

    Raises PolicyError when another what-if is at work on this bank, or dbt fails.
    """
    folder = settings.bank_home / SCHEMA
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PolicyError("another what-if is at work on this bank: wait until it is done") from None
        _drop(settings)  # one that was killed leaves its schema
        try:
            _build(settings, snapshot, policy_on, project, folder)
            yield
        finally:
            _drop(settings)


def _drop(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        wh.execute(f"drop schema if exists {SCHEMA} cascade")


def _build(settings: Settings, snapshot: Snapshot, policy_on: dt.date, project: Path, folder: Path) -> None:
    published, target = folder / "published", folder / "dbt"
    run = {"run_id": snapshot.run_id}
    environment = {**os.environ, **dbt_environment(settings), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}

    def dbt(*arguments: str | Path, variables: Mapping[str, object], into: Path) -> None:
        command = [_DBT, "--quiet", *arguments, "--vars", json.dumps(variables), "--target", settings.target]
        command += ["--project-dir", project, "--profiles-dir", project]
        command += ["--target-path", into, "--log-path", folder / "logs"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_SHOWN_LINES:])
            raise PolicyError(f"dbt could not build the tiers by this policy:\n{said}")

    # Where the tables of the published run lie, for what is not built anew.
    dbt("parse", variables=run, into=published)
    dbt(
        "build",
        "--selector",
        SELECTOR,
        *("--resource-type", "seed", "--resource-type", "model"),
        *("--defer", "--favor-state", "--state", published),
        variables={**run, "what_if": True, "policy_on": policy_on.isoformat()},
        into=target,
    )
