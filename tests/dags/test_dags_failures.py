"""What a task does with the exit code of its command, and what happens when it has failed for good."""

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest


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
