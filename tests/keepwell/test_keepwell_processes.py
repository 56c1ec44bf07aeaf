"""What a stopped run leaves behind: nothing that goes on writing."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from keepwell.airflow_home import PROJECT, AirflowHome
from keepwell.pipeline import Pipeline, PipelineError
from keepwell.processes import stopped_with_us
from keepwell.request import Request
from keepwell.services import PROCESSES, Services
from warehouse import Settings

# As Airflow starts a task: a grandchild in a session of its own, deaf to the terminal.
TREE = """
import subprocess, sys, time
child = subprocess.Popen(["bash", "-c", "sleep 300; true"], start_new_session=True)
time.sleep(0.5)
print(child.pid, flush=True)
time.sleep(300)
"""


def test_a_run_that_is_interrupted_leaves_no_task_behind() -> None:
    started = time.monotonic()
    with (  # noqa: PT012  (what is interrupted has to be started first)
        pytest.raises(KeyboardInterrupt),
        subprocess.Popen([sys.executable, "-c", TREE], stdout=subprocess.PIPE, text=True) as process,
        stopped_with_us(process),
    ):
        assert process.stdout is not None
        task = psutil.Process(int(process.stdout.readline()))
        family = [task, *task.children()]
        assert len(family) == 2
        raise KeyboardInterrupt
    assert [member for member in family if member.is_running()] == []
    assert time.monotonic() - started < 60


def test_a_second_run_of_a_bank_waits_for_the_first(tmp_path: Path) -> None:
    request = Request.parse(Settings(home=tmp_path, target="duckdb"), None, None)
    first, second = (Pipeline(request, Console(stderr=True)) for _ in range(2))
    with first._alone():
        with pytest.raises(PipelineError, match="Another run of this bank is going on"):
            second.run()
        assert not (tmp_path / "landing").exists()
    with second._alone():
        pass


def test_airflow_finds_the_callbacks_and_what_the_caller_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of DAGs comes before what PYTHONPATH holds, which stays."""
    airflow = tmp_path / "airflow"
    airflow.write_text('#!/bin/sh\nprintf %s "$PYTHONPATH" > "$AIRFLOW_HOME/$1.path"\n')
    airflow.chmod(0o755)
    monkeypatch.setattr("keepwell.services.AIRFLOW", str(airflow))
    monkeypatch.setenv("PYTHONPATH", "/of/the/caller")
    home = AirflowHome(Settings(home=tmp_path, target="duckdb"))
    home.folder = tmp_path
    with Services(home) as services:
        for process in services._processes.values():
            process.wait(timeout=30)
    for name in PROCESSES:
        assert (tmp_path / f"{name}.path").read_text() == f"{PROJECT / 'dags'}:/of/the/caller"
