"""What a task does with the exit code of its command, and what happens when it has failed for good."""

import json
import logging
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
        yield


@pytest.mark.parametrize(
    ("code", "final", "error"),
    [
        (1, (), "AirflowException"),
        (1, (1,), "AirflowFailException"),
        (2, (), "AirflowFailException"),
        (99, (1,), "AirflowSkipException"),
        (137, (1,), "AirflowException"),
    ],
)
def test_a_verdict_fails_at_once_and_a_mishap_is_tried_again(
    code: int, final: tuple[int, ...], error: str, tmp_path: Path
) -> None:
    from keepwell_dags.operators import CommandLine

    task = CommandLine(task_id="task", bash_command=f"exit {code}", final=final, cwd=str(tmp_path))
    with pytest.raises(Exception) as raised:  # noqa: PT011  (the type is what is tested)
        task.execute({})
    assert type(raised.value).__name__ == error


def test_a_failure_is_told_with_the_last_line_of_the_command(tmp_path: Path) -> None:
    from keepwell_dags.operators import CommandLine

    task = CommandLine(
        task_id="task", bash_command="echo no; echo refused: why >&2; exit 1", cwd=str(tmp_path)
    )
    with pytest.raises(Exception, match=r"exit code 1\. refused: why"):
        task.execute({})


def test_an_empty_parameter_leaves_the_workers_own_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from keepwell_dags.operators import CommandLine

    monkeypatch.setenv("KEEPWELL_SOURCE", "of-the-worker")
    monkeypatch.setenv("KEEPWELL_TARGET", "of-the-worker")
    task = CommandLine(
        task_id="task", bash_command='echo "$KEEPWELL_SOURCE $KEEPWELL_TARGET"', cwd=str(tmp_path)
    )
    task.env = {"KEEPWELL_SOURCE": "", "KEEPWELL_TARGET": "duckdb"}
    assert task.execute({}) == "of-the-worker duckdb"


class Listener(BaseHTTPRequestHandler):
    heard: list[dict[str, str]]

    def do_POST(self) -> None:
        self.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, str]]]:
    Listener.heard = []
    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("KEEPWELL_ALERT_WEBHOOK", f"http://127.0.0.1:{server.server_port}/secret-token")
    yield Listener.heard
    server.shutdown()
    server.server_close()


def failure(run_id: str = "") -> dict[str, object]:
    return {
        "ti": SimpleNamespace(dag_id="customer_daily", task_id="facts"),
        "task": SimpleNamespace(env={"AS_OF": "2026-10-31", "RUN_ID": run_id, "KEEPWELL_TARGET": "duckdb"}),
        "exception": RuntimeError("exit code 1"),
    }


def test_a_failure_is_logged_and_posted(
    webhook: list[dict[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    from keepwell_dags.alerts import on_failure

    with caplog.at_level(logging.ERROR):
        on_failure(failure())
    assert len(webhook) == 1
    assert {name: webhook[0][name] for name in ("dag", "task", "as_of_date", "run_id", "error")} == {
        "dag": "customer_daily",
        "task": "facts",
        "as_of_date": "2026-10-31",
        "run_id": "",
        "error": "exit code 1",
    }
    assert "customer_daily failed at facts for 2026-10-31" in caplog.text


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/secret-token", "file:///etc/secret-token", "http://[secret-token"]
)
def test_an_alert_that_cannot_be_sent_hides_nothing_and_tells_no_secret(
    address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from keepwell_dags.alerts import on_failure

    monkeypatch.setenv("KEEPWELL_ALERT_WEBHOOK", address)
    on_failure(failure())
    assert "customer_daily failed at facts" in caplog.text
    assert "alert" in caplog.text.split("exit code 1")[1]
    assert "secret-token" not in caplog.text


def test_a_run_that_cannot_be_marked_failed_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from keepwell_dags.alerts import on_failure

    monkeypatch.setenv("KEEPWELL_HOME", str(tmp_path))
    monkeypatch.delenv("KEEPWELL_ALERT_WEBHOOK", raising=False)
    on_failure(failure("run_19000101_01"))
    assert "run run_19000101_01 could not be marked failed" in caplog.text


@pytest.fixture(scope="module")
def dag_bag() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(PROJECT / "dags"))


def tell_of_a_lost_process(dag_bag: Any, task_id: str, dag_run: dict[str, Any], run_id: str | None) -> None:
    """What Airflow's DAG processor does for a task whose process is gone; start_run pushed `run_id`."""
    from airflow.dag_processing import processor

    moment = "2026-11-01T00:00:00Z"
    request = processor.TaskCallbackRequest.model_validate(
        {
            "filepath": "customer_daily.py",
            "bundle_name": "dags",
            "bundle_version": None,
            "msg": "heartbeat timeout",
            "ti": {
                "id": "0192d4f5-0000-7000-8000-000000000000",
                "dag_version_id": "0192d4f5-0000-7000-8000-000000000001",
                "task_id": task_id,
                "dag_id": "customer_daily",
                "run_id": "scheduled__1",
                "try_number": 3,
                "map_index": -1,
            },
            "context_from_server": {
                "max_tries": 2,
                "dag_run": {
                    "dag_id": "customer_daily",
                    "run_id": "scheduled__1",
                    "logical_date": moment,
                    "data_interval_start": "2026-10-31T00:00:00Z",
                    "data_interval_end": moment,
                    "run_after": moment,
                    "start_date": moment,
                    "end_date": None,
                    "run_type": "scheduled",
                    "state": "running",
                    "consumed_asset_events": [],
                    "partition_key": None,
                    **dag_run,
                },
            },
        }
    )

    def answer(msg: Any) -> Any:
        assert type(msg).__name__ == "GetXComSequenceSlice"
        assert (msg.task_id, msg.run_id) == ("start_run", "scheduled__1")
        from airflow.sdk.execution_time.comms import XComSequenceSliceResult

        return XComSequenceSliceResult(root=[run_id] if run_id else [])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "airflow.sdk.execution_time.task_runner.SUPERVISOR_COMMS",
            SimpleNamespace(send=answer),
            raising=False,
        )
        processor._execute_task_callbacks(dag_bag, request, structlog.get_logger())


def test_a_task_whose_process_is_gone_is_told_whole_and_its_run_marked_failed(
    dag_bag: Any, webhook: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from warehouse import Settings, open_warehouse
    from warehouse.runs import start_run
    from warehouse.schema import init

    monkeypatch.setenv("KEEPWELL_HOME", str(tmp_path))
    monkeypatch.setenv("KEEPWELL_TARGET", "postgres")
    with open_warehouse(Settings(home=tmp_path, target="duckdb")) as wh:
        init(wh)
        wh.execute("insert into ops.sources values ('demo', 'cny', 'CNY', 1, 0.02)")
        run_id = start_run(wh, kind="daily", as_of_date=date(2026, 10, 31), key="k", source="demo")
    conf = {"target": "duckdb", "source": "demo"}
    tell_of_a_lost_process(dag_bag, "facts_and_snapshot", {"conf": conf}, run_id)
    [told] = webhook
    assert (told["task"], told["as_of_date"], told["run_id"]) == ("facts_and_snapshot", "2026-10-31", run_id)
    assert told["error"].startswith("the task's process is gone")
    with open_warehouse(Settings(home=tmp_path, target="duckdb")) as wh:
        runs = wh.query("select run_id, status from ops.runs").to_pylist()
        [entry] = wh.query("select actor, subject from ops.audit_log where action = 'fail-run'").to_pylist()
    assert runs == [{"run_id": run_id, "status": "failed"}]
    assert entry == {"actor": "scheduled", "subject": run_id}


def test_a_lost_task_before_any_run_was_opened_is_told_by_its_day(
    dag_bag: Any, webhook: list[dict[str, str]]
) -> None:
    tell_of_a_lost_process(dag_bag, "ingest", {"conf": {"as_of_date": "2026-01-31"}}, None)
    [told] = webhook
    assert (told["kind"], told["as_of_date"], told["run_id"]) == ("ingest", "2026-01-31", "")
    assert "{{" not in json.dumps(told)
