"""Fit and judge: choose a candidate out of time, evaluate it on the final test, refit it on every mature
month-end.
"""

import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from rich.progress import Progress
from sklearn.base import ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import average_precision_score

from ml.churn import evaluate
from ml.churn.errors import NothingToTrainError
from ml.churn.frame import fingerprint
from ml.churn.params import Params
from ml.churn.pipeline import build, fit, fit_calibrated, probabilities
from ml.churn.registry import EVALUATION, MODEL
from ml.churn.splits import Fold, choice_folds, expanding_folds

LIBRARIES = ("numpy", "pandas", "scikit-learn", "skops")


@dataclass(frozen=True)
class Choice:
    """The candidate that won out of time, its settings, and the mean average precision of every one that was
    tried.

    `is_embargoed_from_test`: the outcomes it was chosen by were all known before the final test.
    """

    candidate: str
    settings: dict[str, Any]
    is_embargoed_from_test: bool
    tried: list[dict[str, Any]] = field(default_factory=list)


def final_fold(panel: pd.DataFrame, params: Params) -> Fold:
    """The final test and what may train for it; raises NothingToTrainError with the outcome to record."""
    if panel.empty:
        raise NothingToTrainError(
            "no_mature_labels", "no month-end has both its whole observation and its outcome behind it"
        )
    folds = _folds(panel, params)
    if not folds:
        raise NothingToTrainError(
            "no_mature_labels",
            f"the mature month-ends {panel['as_of_date'].min()} to {panel['as_of_date'].max()} span "
            f"less than the embargo of {params.windows.embargo_days} days: none is left to test on",
        )
    for part, dates, least in (
        ("training", folds[-1].train_dates, params.minimum.train_churners),
        ("test", folds[-1].test_dates, params.minimum.test_churners),
    ):
        churners = int(snapshots(panel, dates)["is_churned"].sum())
        if churners < least:
            raise NothingToTrainError(
                "too_few_churners",
                f"{churners} churners in the {part} part ({dates[0]} to {dates[-1]}), {least} needed",
            )
    return folds[-1]


def train(
    panel: pd.DataFrame, params: Params, progress: Progress
) -> tuple[dict[str, ClassifierMixin], dict[str, Any]]:
    """The models by registry file name, and the metadata: pure, and the same for the same panel and params.

    `evaluation.skops` saw only what the final test allows; `model.skops` is the same recipe refitted on every
    mature row.
    """
    fold = final_fold(panel, params)
    before, test = snapshots(panel, fold.train_dates), snapshots(panel, fold.test_dates)
    choice = choose(panel, params, progress)
    task = progress.add_task(f"Fit {choice.candidate}", total=2)
    models = {EVALUATION: _fit(before, choice, params)}
    progress.advance(task)
    models[MODEL] = _fit(panel, choice, params)
    progress.advance(task)
    predicted = probabilities(models[EVALUATION], test[params.feature_names])
    churned = test["is_churned"].to_numpy()
    numbers = [feature.name for feature in params.features if not feature.is_category]
    return models, {
        "chosen_model": choice.candidate,
        "settings": choice.settings,
        "features": [asdict(feature) for feature in params.features],
        "directions_seen": evaluate.directions(panel, numbers),
        "windows": asdict(params.windows),
        "trained_on": _part(panel),
        "evaluated_on": {"train": _part(before), "test": _part(test)},
        "metrics": {
            "test": evaluate.metrics(churned, predicted),
            "tier_rate_baseline": evaluate.metrics(churned, evaluate.tier_rate_baseline(before, test)),
            "segments": evaluate.by_segment(test, predicted, params.segments),
            "choice": asdict(choice),
        },
        "seed": params.seed,
        "params_sha256": params.fingerprint(),
        "panel_sha256": fingerprint(panel, params.features),
        "libraries": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
    }


def choose(panel: pd.DataFrame, params: Params, progress: Progress) -> Choice:
    """The candidate with the best mean average precision over the choice folds; a tie goes to the earlier,
    simpler one.

    Without a fold to choose on, the first candidate stands.
    """
    folds, is_embargoed = choice_folds(
        _folds(panel, params), embargo_days=params.windows.embargo_days, at_most=params.split.choice_folds
    )
    parts = [(snapshots(panel, fold.train_dates), snapshots(panel, fold.test_dates)) for fold in folds]
    parts = [
        (before, test) for before, test in parts if before["is_churned"].any() and test["is_churned"].any()
    ]
    tries = [(candidate, settings) for candidate in params.candidates for settings in candidate.settings()]
    if not parts:
        return Choice(tries[0][0].name, tries[0][1], is_embargoed)
    task = progress.add_task("Compare candidates out of time", total=len(tries) * len(parts))
    tried: list[dict[str, Any]] = []
    for candidate, settings in tries:
        scores = []
        for before, test in parts:
            model = fit(
                build(candidate.name, settings, params),
                before[params.feature_names],
                before["is_churned"].to_numpy(),
            )
            predicted = probabilities(model, test[params.feature_names])
            scores.append(average_precision_score(test["is_churned"], predicted))
            progress.advance(task)
        tried.append(
            {"candidate": candidate.name, "settings": settings, "average_precision": float(np.mean(scores))}
        )
    best = pick(tried, params.tie_margin)
    return Choice(best["candidate"], best["settings"], is_embargoed, tried)


def pick(tried: Iterable[dict[str, Any]], tie_margin: float) -> dict[str, Any]:
    """The best of `tried`, simplest first; between kinds of models only a gain above `tie_margin` counts."""
    best: dict[str, Any] = {}
    for one in tried:
        margin = tie_margin if best and one["candidate"] != best["candidate"] else 0.0
        if not best or one["average_precision"] > best["average_precision"] + margin:
            best = one
    return best


def snapshots(panel: pd.DataFrame, dates: Sequence[date]) -> pd.DataFrame:
    """The rows of these as-of dates."""
    return panel[panel["as_of_date"].isin(dates)]


def _folds(panel: pd.DataFrame, params: Params) -> list[Fold]:
    return expanding_folds(
        panel["as_of_date"],
        embargo_days=params.windows.embargo_days,
        test_snapshots=params.split.test_snapshots,
    )


def _fit(rows: pd.DataFrame, choice: Choice, params: Params) -> CalibratedClassifierCV:
    return fit_calibrated(
        build(choice.candidate, choice.settings, params),
        rows[params.feature_names],
        rows["is_churned"].to_numpy(),
        rows["customer_id"].to_numpy(),
        params,
    )


def _part(rows: pd.DataFrame) -> dict[str, Any]:
    dates = sorted({day.isoformat() for day in rows["as_of_date"]})
    return {"as_of_dates": dates, "rows": len(rows), "churners": int(rows["is_churned"].sum())}
