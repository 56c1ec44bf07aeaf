"""Fit and judge: choose a candidate on outcomes known before the final test, evaluate it on that test, refit
it on every mature month-end.
"""

import platform
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from rich.progress import Progress
from sklearn.base import ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import average_precision_score, roc_auc_score
from threadpoolctl import threadpool_limits

from ml.churn import evaluate
from ml.churn.errors import NothingToTrainError
from ml.churn.figures import judge
from ml.churn.frame import fingerprint
from ml.churn.money import empc
from ml.churn.params import Params
from ml.churn.pipeline import build, fit, fit_calibrated, probabilities, responses
from ml.churn.registry import EVALUATION, MODEL
from ml.churn.splits import Fold, choice_folds, customer_folds, expanding_folds

LIBRARIES = ("numpy", "pandas", "scikit-learn", "skops")
# Fits at a time: the cores of the machine that the times are promised for.
WORKERS = 2
# Of every setting tried; the first decides.
FIGURES = ("average_precision", "auc", "empc")
# Rows to train and to test on.
Part = tuple[pd.DataFrame, pd.DataFrame]


@dataclass(frozen=True)
class Choice:
    """The candidate that won, its settings, and the mean figures over the folds of every setting that was
    tried.

    Of `count_folds`, `count_time_folds` test out of time; every outcome they see is known before the final
    test.
    """

    candidate: str
    settings: dict[str, Any]
    count_folds: int = 0
    count_time_folds: int = 0
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
        churners = count_churners(snapshots(panel, dates))
        if churners < least:
            raise NothingToTrainError(
                "too_few_churners",
                f"{churners} customers churned in the {part} part ({dates[0]} to {dates[-1]}), "
                f"{least} needed",
            )
    return folds[-1]


def count_churners(rows: pd.DataFrame) -> int:
    """Customers who churned: one departure is a 1 at each month-end whose outcome window it falls in."""
    return int(rows.loc[rows["is_churned"] == 1, "customer_id"].nunique())


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
    models = fit_twice(before, panel, choice, params, progress)
    predicted = probabilities(models[EVALUATION], test[params.feature_names])
    return models, describe(panel, (before, test), choice, judge(before, test, predicted, params), params)


def fit_twice(
    before: pd.DataFrame, panel: pd.DataFrame, choice: Choice, params: Params, progress: Progress
) -> dict[str, ClassifierMixin]:
    """The chosen candidate by registry file name: fitted on `before` to be judged, on all to be used."""
    task = progress.add_task(f"Fit {choice.candidate}", total=2)
    models: dict[str, ClassifierMixin] = {}
    with threadpool_limits(1), ThreadPoolExecutor(WORKERS) as pool:
        fits = pool.map(lambda rows: fit_choice(rows, choice, params), (before, panel))
        for file_name, model in zip((EVALUATION, MODEL), fits, strict=True):
            models[file_name] = model
            progress.advance(task)
    return models


def describe(
    panel: pd.DataFrame, final: Part, choice: Choice, metrics: dict[str, Any], params: Params
) -> dict[str, Any]:
    """The metadata of a model: what was fitted on what, how it was chosen, and judge()'s `metrics`."""
    numbers = [feature.name for feature in params.features if not feature.is_category]
    return {
        "chosen_model": choice.candidate,
        "settings": choice.settings,
        "features": [asdict(feature) for feature in params.features],
        "directions_seen": evaluate.directions(panel, numbers),
        "windows": asdict(params.windows),
        "trained_on": _part(panel),
        "evaluated_on": {"train": _part(final[0]), "test": _part(final[1])},
        "metrics": metrics | {"choice": asdict(choice)},
        "seed": params.seed,
        "params_sha256": params.fingerprint(),
        "panel_sha256": fingerprint(panel, params.features),
        "libraries": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
    }


def choose(panel: pd.DataFrame, params: Params, progress: Progress) -> Choice:
    """The candidate with the best mean average precision over the folds; a tie goes to the earlier, simpler
    one.

    Folds over time with embargo come first. Where the bank is too young for `choice_folds` of them, folds by
    customer inside the training part of the final test make up the number: their outcomes are known as well,
    and they fit on about as many rows as the model that is judged. A fold whose test has fewer churners than
    `minimum` asks of the final test is left out. Where none is left, the first candidate stands.
    """
    folds = _folds(panel, params)
    known = choice_folds(folds, embargo_days=params.windows.embargo_days, at_most=params.split.choice_folds)
    over_time = [(snapshots(panel, fold.train_dates), snapshots(panel, fold.test_dates)) for fold in known]
    over_time = [part for part in over_time if _has_churners(part, params)]
    before = snapshots(panel, folds[-1].train_dates)
    by_customer = customer_parts(before, params.split.choice_folds - len(over_time), params)
    parts = over_time + [part for part in by_customer if _has_churners(part, params)]
    tried = compare(parts, params, progress)
    best = pick(tried, params.tie_margin)
    if not best:
        first = params.candidates[0]
        return Choice(first.name, first.settings()[0])
    return Choice(best["candidate"], best["settings"], len(parts), len(over_time), tried)


def customer_parts(rows: pd.DataFrame, count: int, params: Params) -> list[Part]:
    """`count` parts of `rows` to train and to test on, apart by customer; none for too few customers."""
    if count < 1 or rows["customer_id"].nunique() < params.split.choice_folds:
        return []
    pairs = customer_folds(
        rows["customer_id"].to_numpy(), count=max(params.split.choice_folds, 2), seed=params.seed
    )
    return [(rows.iloc[train_rows], rows.iloc[test_rows]) for train_rows, test_rows in pairs[:count]]


def compare(parts: Sequence[Part], params: Params, progress: Progress) -> list[dict[str, Any]]:
    """Mean average precision, AUC and EMPC of every setting of every candidate over `parts`, as fitted and
    not calibrated: all three see the ranking alone. Empty without parts.
    """
    tries = [
        (candidate.name, settings) for candidate in params.candidates for settings in candidate.settings()
    ]
    todo = [(name, settings, part) for name, settings in tries for part in parts]
    task = progress.add_task("Compare candidates", total=len(todo))
    figures: list[tuple[float, ...]] = []
    # Fits side by side, each on one thread: the same to the last digit, in half the time.
    with threadpool_limits(1), ThreadPoolExecutor(WORKERS) as pool:
        for found in pool.map(lambda one: _try(one[0], one[1], one[2], params), todo):
            figures.append(found)
            progress.advance(task)
    return [
        {"candidate": name, "settings": settings}
        | dict(zip(FIGURES, np.mean(figures[place : place + len(parts)], axis=0).tolist(), strict=True))
        for place, (name, settings) in zip(range(0, len(figures), len(parts) or 1), tries, strict=False)
    ]


def _try(name: str, settings: dict[str, Any], part: Part, params: Params) -> tuple[float, ...]:
    before, test = part
    model = fit(build(name, settings, params), before[params.feature_names], before["is_churned"].to_numpy())
    churned = test["is_churned"].to_numpy()
    # Of trees the calibrator takes the log-odds of the leaves, which rank otherwise than their rates.
    given = responses(model, test[params.feature_names])
    return (
        float(average_precision_score(churned, given)),
        float(roc_auc_score(churned, given)),
        empc(churned, given, params.economics).amount,
    )


def pick(tried: Iterable[dict[str, Any]], tie_margin: float) -> dict[str, Any]:
    """The best of `tried`, simplest first; between kinds of models only a gain above `tie_margin` counts."""
    best: dict[str, Any] = {}
    for one in tried:
        margin = tie_margin if best and one["candidate"] != best["candidate"] else 0.0
        if not best or one["average_precision"] > best["average_precision"] + margin:
            best = one
    return best


def _has_churners(part: Part, params: Params) -> bool:
    # A ranking of fewer than the final test needs decides by chance.
    before, test = part
    return bool(before["is_churned"].any()) and count_churners(test) >= params.minimum.test_churners


def snapshots(panel: pd.DataFrame, dates: Sequence[date]) -> pd.DataFrame:
    """The rows of these as-of dates."""
    return panel[panel["as_of_date"].isin(dates)]


def _folds(panel: pd.DataFrame, params: Params) -> list[Fold]:
    return expanding_folds(
        panel["as_of_date"],
        embargo_days=params.windows.embargo_days,
        test_snapshots=params.split.test_snapshots,
    )


def fit_choice(rows: pd.DataFrame, choice: Choice, params: Params) -> CalibratedClassifierCV:
    """The chosen candidate, fitted on `rows` and calibrated."""
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
