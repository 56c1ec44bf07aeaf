"""MLflow holds each training once, and never stands in its way."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from ml.churn import tracking
from ml.churn.registry import Registry

METADATA = {
    "model_version": "churn_20261031_aaaaaaaa",
    "as_of_date": "2026-10-31",
    "chosen_model": "logistic",
    "settings": {"C": 0.1},
    "seed": 7,
    "git_commit": "abc",
    "params_sha256": "p",
    "panel_sha256": "d",
    "trained_on": {"rows": 10, "churners": 2},
    "metrics": {
        "test": {"auc": 0.8, "brier": 0.1, "gains": [{}], "mpc": None},
        "tier_rate_baseline": {"auc": 0.6},
    },
}


@pytest.fixture
def version_folder(tmp_path):
    registry = Registry(tmp_path / "models")
    registry.save(METADATA["model_version"], {}, METADATA, {"card.html": "<p>card</p>"})
    return registry.root / METADATA["model_version"]


def test_a_training_is_one_run_with_figures_lineage_and_card(with_mlflow, tmp_path, version_folder, capsys):
    for _ in range(2):
        tracking.log_training(tmp_path / "mlflow", version_folder, "run_20261031_01", "promoted", METADATA)
    tracking.log_training(tmp_path / "mlflow", version_folder, "run_20261130_01", "promoted", METADATA)
    assert capsys.readouterr() == ("", "")
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow/mlflow.db")
    experiment = client.get_experiment_by_name("churn").experiment_id
    runs = {run.data.tags["run_id"]: run for run in client.search_runs([experiment])}
    assert set(runs) == {"run_20261031_01", "run_20261130_01"}
    run = runs["run_20261031_01"]
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {
        "test.auc": 0.8, "test.brier": 0.1, "tier_rate_baseline.auc": 0.6,
        "trained_on.rows": 10, "trained_on.churners": 2,
    }  # fmt: skip
    assert run.data.params == {"candidate": "logistic", "C": "0.1"}
    lineage = {
        name: run.data.tags[name] for name in ("model_version", "outcome", "git_commit", "panel_sha256")
    }
    assert lineage == {
        "model_version": METADATA["model_version"], "outcome": "promoted", "git_commit": "abc",
        "panel_sha256": "d",
    }  # fmt: skip
    assert {file.name for file in (tmp_path / "mlflow" / "artifacts").rglob("*.*") if file.is_file()} == {
        "metadata.json", "card.html",
    }  # fmt: skip
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_a_store_that_cannot_be_written_is_a_warning(with_mlflow, tmp_path, version_folder, capsys):
    (tmp_path / "mlflow").write_text("a file where the folder should be", encoding="utf-8")
    tracking.log_training(tmp_path / "mlflow", version_folder, "run_20261031_01", "promoted", METADATA)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ml.churn train: warning: not logged to MLflow in ")


class TrackingServer(BaseHTTPRequestHandler):
    """As much of a tracking server as a training asks for; keeps what it was sent."""

    asked: ClassVar[list[tuple[str, str, Any]]] = []

    def _answer(self, body: dict[str, Any], status: int = 200) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _ask(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0].partition("/api/2.0/")[2]
        is_json = "json" in (self.headers.get("Content-Type") or "") and path.startswith("mlflow/")
        self.asked.append((self.command, path, json.loads(sent) if is_json and sent else sent))
        run = {"run_id": "r1", "experiment_id": "7", "status": "RUNNING", "start_time": 1,
               "artifact_uri": "mlflow-artifacts:/7/r1/artifacts"}  # fmt: skip
        answers: dict[str, dict[str, Any]] = {
            "mlflow/experiments/create": {"experiment_id": "7"},
            "mlflow/runs/search": {},
            "mlflow/runs/create": {"run": {"info": run, "data": {}}},
            "mlflow/runs/get": {"run": {"info": run, "data": {}}},
        }
        if path == "mlflow/experiments/get-by-name":
            self._answer({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"}, 404)
        else:
            self._answer(answers.get(path, {}))

    do_GET = do_POST = do_PUT = _ask  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Not to the terminal."""


@pytest.fixture
def server(monkeypatch):
    TrackingServer.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), TrackingServer) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        monkeypatch.setenv("KEEPWELL_MLFLOW_URL", f"http://127.0.0.1:{listening.server_port}")
        yield TrackingServer
        listening.shutdown()


def test_with_a_tracking_server_a_training_is_posted_there(
    with_mlflow, tmp_path, version_folder, server, capsys
):
    tracking.log_training(tmp_path / "mlflow", version_folder, "run_20261031_01", "promoted", METADATA)
    assert capsys.readouterr() == ("", "")
    assert not (tmp_path / "mlflow").exists()
    sent = {path: body for _, path, body in server.asked}
    # Where artifacts lie is the server's to say.
    assert sent["mlflow/experiments/create"] == {"name": "churn"}
    batch = sent["mlflow/runs/log-batch"]
    assert {metric["key"]: metric["value"] for metric in batch["metrics"]}["test.auc"] == 0.8
    assert {"key": "run_id", "value": "run_20261031_01"} in batch["tags"]
    assert {"key": "candidate", "value": "logistic"} in batch["params"]
    stored = {path.rpartition("/")[2]: body for verb, path, body in server.asked if verb == "PUT"}
    assert stored["card.html"] == b"<p>card</p>"
    assert set(stored) == {"card.html", "metadata.json"}
    assert sent["mlflow/runs/update"]["status"] == "FINISHED"


def test_a_server_that_is_away_is_a_warning_without_its_address(
    with_mlflow, tmp_path, version_folder, monkeypatch, capsys
):
    monkeypatch.setenv("KEEPWELL_MLFLOW_URL", "http://name:word@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    tracking.log_training(tmp_path / "mlflow", version_folder, "run_20261031_01", "promoted", METADATA)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ml.churn train: warning: not logged to MLflow at KEEPWELL_MLFLOW_URL: ")
    assert "word" not in err
