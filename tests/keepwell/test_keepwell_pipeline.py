"""What `make run` shows, and when."""

import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from keepwell import pipeline
from keepwell.pipeline import Pipeline
from keepwell.request import Request
from warehouse import Settings, open_warehouse


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps of runs in this test, in their order; every program is replaced by one that does nothing."""
    steps: list[str] = []

    def run(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        steps.append(" ".join(command[2:]))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(pipeline.subprocess, "run", run)
    monkeypatch.setattr(Pipeline, "run_dag", lambda _, dag_id: steps.append(dag_id))
    monkeypatch.setattr("keepwell.airflow_home.AirflowHome.prepare", lambda _: None)
    return steps


def run_with(settings: Settings, *, is_built: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of a bank that has no model, and whose history stands or not, before and after the bootstrap."""
    monkeypatch.setattr(Pipeline, "_is_history_built", lambda _: is_built.pop(0))
    monkeypatch.setattr(Pipeline, "_holds", lambda *_: False)
    Pipeline(Request.parse(settings, None, None), Console(stderr=True)).run()
    assert is_built == []


def test_the_bank_is_shown_before_its_model_is_trained(
    duckdb_settings: Settings,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_with(duckdb_settings, is_built=[False, True], monkeypatch=monkeypatch)
    assert told[2:] == [
        "customer_bootstrap", "dashboards summary --history", "churn_training", "customer_daily",
        "churn_monitoring",
        f"dashboards history --out {duckdb_settings.report_dir / 'history.html'}",
        f"dashboards report --out {duckdb_settings.report_dir / 'report.html'}",
        "dashboards summary",
    ]  # fmt: skip
    said = " ".join(capsys.readouterr().err.split())
    assert "Now the churn model, then the day itself, with scores." in said


@pytest.mark.parametrize("is_built", [[True], [False, False]])
def test_nothing_is_shown_of_a_history_that_was_not_built_now(
    duckdb_settings: Settings, told: list[str], monkeypatch: pytest.MonkeyPatch, is_built: list[bool]
) -> None:
    run_with(duckdb_settings, is_built=list(is_built), monkeypatch=monkeypatch)
    assert "dashboards summary --history" not in told
    assert told[-1] == "dashboards summary"


def test_a_month_that_was_monitored_is_not_monitored_again(
    duckdb_settings: Settings, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pipeline, "_is_history_built", lambda _: True)
    for as_of, ran in (("2026-09-29", True), ("2026-09-30", False)):
        told.clear()
        with open_warehouse(duckdb_settings) as warehouse:
            warehouse.execute(
                """
                insert into ops.model_monitoring (
                    run_id, as_of_date, model_version, check_name, subject, status, monitored_at
                )
                values ('r', $1, 'none', 'champion_age', 'all', 'ok', timestamp '2026-10-01 00:00:00')
                """,
                [date.fromisoformat(as_of)],
            )
        Pipeline(Request.parse(duckdb_settings, None, "2026-10-30"), Console(stderr=True)).run()
        assert ("churn_monitoring" in told) is ran, as_of
        assert told[-1] == "dashboards summary"
