"""Train: read the panel, fit a new version, register it, promote it when it is better, and record what came
of it.
"""

import hashlib
import json
import subprocess
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from rich.progress import Progress

from ml.churn import card, evaluate, experiments, figures, leaks, tracking
from ml.churn.errors import InputError, LeakError, NothingToTrainError
from ml.churn.explain import Explainer
from ml.churn.fit import final_fold, snapshots, train
from ml.churn.frame import KEYS, check_columns, fingerprint, panel_frame
from ml.churn.monitor.reference import reference
from ml.churn.params import Params
from ml.churn.pipeline import check_candidates, probabilities
from ml.churn.registry import EVALUATION, MODEL, REFERENCE, Promotion, Registry, beats
from ml.churn.runs import Run, get_run
from ml.churn.sample import Drawn, draw
from warehouse import Settings, Warehouse, open_warehouse
from warehouse.runs import utc_now

LABELS = ("label_status", "is_churned", "observation_complete")
# What the panel carries beside features and labels: what history has, and what is told of a label.
ADMINISTRATIVE = (
    *("run_id", "is_eligible", evaluate.RISK_INDEX),
    *("label_from_on", "label_to_on", "churn_form", "is_voluntary", "churned_on", "churn_known_on"),
    *("is_account_closure", "is_balance_drain", "is_silence", "is_loan_runoff", "is_card_stop"),
)


@dataclass(frozen=True)
class Outcome:
    """What a training came to: `outcome` as in ops.training_runs, and a sentence for people."""

    model_version: str
    outcome: str
    reason: str


def run_training(settings: Settings, params: Params, run_id: str, progress: Progress) -> Outcome:
    """Train on `<run_id>.churn_panel` and record the outcome in ops.training_runs, one row a run.

    The same panel and parameters give the same model version; a version that is registered is not fitted
    again. Raises NothingToTrainError when no snapshot is mature or churners are too few, and LeakError when a
    feature knows the outcome; both are recorded too.
    """
    check_candidates(params)
    registry = Registry(settings.models_dir)
    with open_warehouse(settings) as wh:
        run = get_run(wh, run_id)
        panel, drawn = read_panel(wh, run, params)
        try:
            fold = final_fold(panel, params)
        except NothingToTrainError as nothing:
            _record(wh, run, nothing.outcome, {}, str(nothing))
            raise
        test = snapshots(panel, fold.test_dates)
        found = leaks.find_leaks(
            snapshots(panel, fold.train_dates), test, params.features, params.minimum.test_churners
        )
        if found:
            _record(wh, run, "leak", {}, leaks.tell(found))
            raise LeakError(leaks.tell(found))
        model_version = name_version(run.as_of_date, panel, params)
        if model_version not in registry.versions():
            models, metadata = train(panel, params, progress)
            metadata |= {"model_version": model_version, "as_of_date": run.as_of_date.isoformat()}
            metadata["run_id"] = run.run_id
            metadata["git_commit"] = _git_commit()
            metadata["metrics"]["sample"] = drawn.metadata()
            fitted_on = reference(
                panel, params.features, probabilities(models[MODEL], panel[params.feature_names])
            )
            registry.save(
                model_version,
                models,
                metadata,
                {
                    REFERENCE: json.dumps(fitted_on, indent=1, ensure_ascii=False) + "\n",
                    card.CARD: card.write(metadata),
                },
            )
        outcome = promote_if_better(registry, model_version, run.as_of_date, test, params)
        metadata = registry.metadata(model_version)
        _record(wh, run, outcome.outcome, metadata, outcome.reason)
        figures.record(wh, run, model_version, metadata)
        experiments.record(wh, run, metadata["metrics"]["choice"])
    if params.tracking.mlflow:
        tracking.log_training(
            settings.bank_home / "mlflow",
            registry.root / model_version,
            run.run_id,
            outcome.outcome,
            metadata,
        )
    card.place(metadata, settings.report_dir / f"model_{model_version}.html")
    return outcome


def read_panel(wh: Warehouse, run: Run, params: Params) -> tuple[pd.DataFrame, Drawn]:
    """The mature rows with a complete observation, as panel_frame(), of the customers drawn; InputError when
    panel and params disagree.
    """
    relation = f"{run.run_id}.churn_panel"
    if not wh.exists(relation):
        raise InputError(f"{relation} does not exist; build it first: dbt build --selector training")
    present = list(wh.column_types(relation))
    check_columns(
        present,
        needed=[*KEYS, *LABELS, *params.feature_names],
        allowed=[*ADMINISTRATIVE, *params.excluded, *params.segments],
        where=relation,
        remedy="make the dbt model and ml/churn/params.yaml agree",
    )
    shown = (*params.segments, evaluate.RISK_INDEX)
    beside = [name for name in shown if name in present and name not in params.feature_names]
    columns = ", ".join([*KEYS, "is_churned", *params.feature_names, *beside])
    drawn = draw(wh, relation, params)
    table = wh.query(f"select {columns} from {relation} where {drawn.condition}")
    panel = panel_frame(table, params.features, beside, where=relation)
    matured = run.knowledge_cutoff_on - timedelta(days=params.windows.embargo_days)
    if len(panel) and panel["as_of_date"].max() > matured:
        raise InputError(
            f"{relation} calls {panel['as_of_date'].max()} mature, and with the windows of "
            f"ml/churn/params.yaml nothing after {matured} can be; make the policy seed and params.yaml agree"
        )
    return panel, drawn


def name_version(as_of_date: date, panel: pd.DataFrame, params: Params) -> str:
    """churn_<as-of>_<8 hex>: the hash of the data, the parameters and the scikit-learn that fits them."""
    content = [fingerprint(panel, params.features), params.fingerprint(), version("scikit-learn")]
    return f"churn_{as_of_date:%Y%m%d}_{hashlib.sha256(','.join(content).encode()).hexdigest()[:8]}"


def promote_if_better(
    registry: Registry, model_version: str, as_of_date: date, test: pd.DataFrame, params: Params
) -> Outcome:
    """Compare a registered version with the champion standing at `as_of_date`, both on `test`, and switch if
    it wins.

    It stands from `as_of_date` on, and from the next day where that one has a champion. Where there is none
    to be compared with, it has to bring more than each baseline. Raises InputError when the version itself
    cannot be loaded or explained.
    """
    log = registry.promotions()
    if any(entry.model_version == model_version for entry in log):
        taken_off = registry.taken_off(model_version)
        if taken_off is None:
            return Outcome(model_version, "promoted", "promoted when it was first trained")
        told = f"rolled back on {taken_off.as_of_date} by {taken_off.author}: {taken_off.reason}"
        return Outcome(model_version, "kept_champion", told)
    metadata = registry.metadata(model_version)
    challenger = _evaluate_again(registry, model_version, test, params)
    is_better, reason = _leads_baselines(metadata["metrics"])
    first_date = as_of_date
    # What that day was scored with stays; a second training of the day meets what the first put up.
    if registry.standing(first_date) is not None:
        first_date += timedelta(days=1)
    champion = registry.standing(first_date)
    if champion is None:
        reason = "the first model" if is_better else f"no champion, and none yet: {reason}"
    elif log[-1].as_of_date > first_date:
        is_better = False
        reason = (
            f"champions.json goes on to {log[-1].as_of_date} ({log[-1].model_version}): a champion from "
            f"{first_date} on would write the past anew"
        )
    else:
        try:
            standing = _evaluate_again(registry, champion.model_version, test, params)
        except InputError as error:
            # A champion that cannot predict for this panel cannot score tomorrow either.
            reason = f"the champion cannot be compared: {error}; {reason}"
        else:
            is_better, reason = beats(challenger, standing, params.promotion)
    if not is_better:
        return Outcome(model_version, "below_baseline" if champion is None else "kept_champion", reason)
    Explainer(registry.load(model_version), registry.features(model_version), params.excluded, model_version)
    registry.promote(Promotion(model_version, first_date, reason))
    return Outcome(model_version, "promoted", reason)


def _leads_baselines(metrics: dict[str, Any]) -> tuple[bool, str]:
    """Whether the model brings more on its test than each baseline, and the figures in words."""
    against = {name: metrics[name]["empc"] for name in figures.BASELINES if name in metrics}
    ours = metrics[figures.TEST]["empc"]
    is_ahead = all(ours > theirs for theirs in against.values())
    told = ", ".join(f"{theirs:.4f} of {name}" for name, theirs in against.items()) or "no baseline"
    return is_ahead, f"EMPC {ours:.4f} is {'above' if is_ahead else 'not above'} {told}"


def _evaluate_again(
    registry: Registry, model_version: str, test: pd.DataFrame, params: Params
) -> dict[str, Any]:
    metadata = registry.metadata(model_version)
    names = [feature["name"] for feature in metadata["features"]]
    check_columns(
        list(test.columns),
        needed=names,
        allowed=list(test.columns),
        where="the panel",
        remedy=f"{model_version} needs them",
    )
    model = registry.load(model_version, _comparable(metadata, test["as_of_date"].min()))
    predicted = probabilities(model, test[names])
    return {
        "test": evaluate.metrics(test["is_churned"].to_numpy(), predicted, params.economics),
        "groups": evaluate.by_segment(test, predicted, params.excluded, params.economics),
    }


def _comparable(metadata: dict[str, Any], first_test: date) -> str:
    """The file of a version that is fit to be judged from `first_test` on: the model that scores, where every
    outcome that it learned from was known by then, else the one fitted for its own evaluation.
    """
    windows = metadata["windows"]
    last = date.fromisoformat(metadata["trained_on"]["as_of_dates"][-1])
    known = last + timedelta(days=windows["gap_days"] + windows["outcome_days"])
    return MODEL if known <= first_test else EVALUATION


def _record(wh: Warehouse, run: Run, outcome: str, metadata: dict[str, Any], reason: str) -> None:
    tested = metadata.get("metrics", {}).get("test", {})
    trained_on = metadata.get("trained_on", {})
    row = {
        "model_version": pa.array([metadata.get("model_version")], pa.string()),
        "run_id": pa.array([run.run_id], pa.string()),
        "as_of_date": pa.array([run.as_of_date], pa.date32()),
        "outcome": pa.array([outcome], pa.string()),
        "chosen_model": pa.array([metadata.get("chosen_model")], pa.string()),
        "rows_trained": pa.array([trained_on.get("rows")], pa.int64()),
        "churners_trained": pa.array([trained_on.get("churners")], pa.int64()),
        "auc": pa.array([tested.get("auc")], pa.float64()),
        "average_precision": pa.array([tested.get("average_precision")], pa.float64()),
        "brier": pa.array([tested.get("brier")], pa.float64()),
        "lift_top_decile": pa.array([tested.get("lift_top_decile")], pa.float64()),
        "calibration_slope": pa.array([tested.get("calibration_slope")], pa.float64()),
        "metrics": pa.array(
            [json.dumps(metadata.get("metrics", {}) | {"reason": reason}, sort_keys=True)],
            pa.string(),
        ),
        "trained_at": pa.array([utc_now()], pa.timestamp("us")),
    }
    with wh.transaction():
        wh.execute("delete from ops.training_runs where run_id = $1", [run.run_id])
        wh.append("ops.training_runs", pa.table(row))


def _git_commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
