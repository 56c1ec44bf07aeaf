"""MLflow holds each training once, and never stands in its way."""

import os

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
