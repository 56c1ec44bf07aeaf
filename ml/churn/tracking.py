"""Trainings as runs of MLflow, beside the registry: for who compares runs in MLflow's pages.

They go to the tracking server of KEEPWELL_MLFLOW_URL where it is set, else to a SQLite store in the bank's
folder. The registry decides what scores, since MLflow's aliases hold no as-of date. So a log that cannot be
written is a warning and never fails a training.
"""

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml.churn.card import CARD

EXPERIMENT = "churn"
VERSION_TAG, RUN_TAG = "model_version", "run_id"
# Of the registry's folder: what a person reads. Models stay in the registry, under their hashes.
ARTIFACTS = ("metadata.json", CARD)
SERVER_VARIABLE = "KEEPWELL_MLFLOW_URL"
# A server that is away must not hold up a training for the minutes that MLflow tries by default.
# And stdout is the task's own.
CLIENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
LINEAGE = ("as_of_date", "git_commit", "params_sha256", "panel_sha256", "seed")


def log_training(
    folder: Path, version_folder: Path, run_id: str, outcome: str, metadata: dict[str, Any]
) -> None:
    """Log one training, once for a version and run, to the server of KEEPWELL_MLFLOW_URL (artifacts where it
    keeps them); without one, to the SQLite store in `folder` (mlflow.db, artifacts/).

    Parameters are the candidate and its settings, metrics those of the test part and its baselines, tags the
    lineage and the outcome. Look at a folder with `mlflow server --backend-store-uri
    sqlite:///<folder>/mlflow.db`.
    """
    server = os.environ.get(SERVER_VARIABLE) or None
    try:
        _log(server, folder, version_folder, run_id, outcome, metadata)
    except Exception as error:
        # An address may hold a password.
        place = f"at {SERVER_VARIABLE}: {type(error).__name__}" if server else f"in {folder}: {error}"
        print(f"ml.churn train: warning: not logged to MLflow {place}", file=sys.stderr)


def _log(
    server: str | None,
    folder: Path,
    version_folder: Path,
    run_id: str,
    outcome: str,
    metadata: dict[str, Any],
) -> None:
    # Before the import: MLflow would tell its makers of its use, and write the making of tables to stderr.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    for name, value in CLIENT.items():
        os.environ.setdefault(name, value)
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.tracking import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    if server:
        client, artifacts = MlflowClient(tracking_uri=server), None
    else:
        folder.mkdir(parents=True, exist_ok=True)
        client = MlflowClient(tracking_uri=f"sqlite:///{folder.resolve()}/mlflow.db")
        artifacts = (folder / "artifacts").resolve().as_uri()
    found = client.get_experiment_by_name(EXPERIMENT)
    experiment_id = (
        found.experiment_id if found else client.create_experiment(EXPERIMENT, artifact_location=artifacts)
    )
    version = metadata["model_version"]
    same = f"tags.{VERSION_TAG} = '{version}' and tags.{RUN_TAG} = '{run_id}'"
    if client.search_runs([experiment_id], filter_string=same, max_results=1):
        return
    run = client.create_run(experiment_id, run_name=version)
    tags = {VERSION_TAG: version, RUN_TAG: run_id, "outcome": outcome}
    tags |= {name: metadata.get(name) for name in LINEAGE}
    parameters = {"candidate": metadata["chosen_model"]} | metadata["settings"]
    client.log_batch(
        run.info.run_id,
        metrics=[Metric(name, value, run.info.start_time, 0) for name, value in _numbers(metadata)],
        params=[Param(name, str(value)) for name, value in parameters.items()],
        tags=[RunTag(name, str(value)) for name, value in tags.items()],
    )
    for name in ARTIFACTS:
        if (version_folder / name).exists():
            client.log_artifact(run.info.run_id, str(version_folder / name))
    client.set_terminated(run.info.run_id)


def _numbers(metadata: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for part in ("test", "tier_rate_baseline", "risk_index_baseline"):
        for name, value in metadata["metrics"].get(part, {}).items():
            if isinstance(value, int | float):
                yield f"{part}.{name}", float(value)
    for name in ("rows", "churners"):
        yield f"trained_on.{name}", float(metadata["trained_on"][name])
