"""Why a score is what it is: the calibrated log-odds, told exactly as a base and an addend for each reason.

A reason is what the catalogue (features.yaml) files a feature under. Nothing is fitted: all that is needed
lies in the fitted model.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from ml.churn import tree_shap
from ml.churn.errors import InputError
from ml.churn.leaves import LogOddsForest, LogOddsTree
from ml.churn.params import Feature

Floats = npt.NDArray[np.float64]

TOLERANCE = 1e-6
# Beyond them the sums of two batch sizes may differ.
DECIMALS = 8


@dataclass(frozen=True)
class Explanation:
    """`log_odds` (rows,) of the calibrated probability; `contributions` (reasons, rows) in log-odds.

    base + contributions = log_odds in every row, within TOLERANCE (of the log-odds, where they exceed 1).
    """

    log_odds: Floats
    contributions: Floats

    @property
    def probability(self) -> Floats:
        """(rows,) of churn."""
        return np.round(expit(self.log_odds), DECIMALS)


class Explainer:
    """Decomposes what one fitted and calibrated model gives."""

    def __init__(
        self,
        model: CalibratedClassifierCV,
        features: Sequence[Feature],
        excluded: Collection[str],
        where: str,
    ) -> None:
        """`features` as the model takes them, `excluded` those that must never be a reason; `where` names the
        model in errors.

        Raises InputError when a feature is excluded or has no reason, or the model is of no known kind.
        """
        _check_features(features, excluded, where)
        self._where = where
        self._pipeline, self._slope, self._intercept = _calibrated(model, where)
        reason_of = {feature.name: feature.reason for feature in features}
        # In the order of the alphabet: ties between reasons are told in it.
        self.reasons = sorted(set(reason_of.values()))
        origins = _origins(self._pipeline["prepare"])
        groups = [self.reasons.index(reason_of[name]) for name in origins]
        self._parts = _decomposition(self._pipeline["model"], groups, len(self.reasons), where)
        self.base = self._intercept + self._slope * self._parts.base

    def explain(self, frame: pd.DataFrame) -> Explanation:
        """Decompose the score of each row of a feature frame; InputError when it does not add up."""
        prepared = np.asarray(self._pipeline["prepare"].transform(frame), dtype=np.float64)
        log_odds = self._intercept + self._slope * _response(self._pipeline["model"], prepared)
        contributions = self._slope * self._parts.contributions(prepared)
        gaps = np.abs(self.base + contributions.sum(axis=0) - log_odds) / np.maximum(1, np.abs(log_odds))
        gap = gaps.max(initial=0.0)
        if not gap <= TOLERANCE:
            raise InputError(
                f"{self._where}: reasons and base differ from the log-odds by {gap:.2g}, more than "
                f"{TOLERANCE:g}: its scores cannot be explained; train it anew with this scikit-learn"
            )
        return Explanation(log_odds, contributions)


class _Parts(Protocol):
    """A model's response as a base and an addend for each reason."""

    base: float

    def contributions(self, rows: Floats) -> Floats:
        """(reasons, rows) for prepared rows (rows, columns)."""


class _LinearParts:
    """coefficient x (value - mean of the training), added up by reason."""

    def __init__(self, model: LogisticRegression, groups: Sequence[int], count_groups: int) -> None:
        self.base = float(model.intercept_[0])
        # Columns come centred, so that the mean of the training is 0.
        self._weights = np.zeros((count_groups, len(groups)))
        self._weights[groups, np.arange(len(groups))] = model.coef_[0]

    def contributions(self, rows: Floats) -> Floats:
        """(reasons, rows) for prepared rows (rows, columns)."""
        return self._weights @ rows.T


class _TreeParts:
    """SHAP values of a sum of trees on top of `start`, added up by reason."""

    def __init__(self, tables: tree_shap.TreeTables, start: float = 0.0, *, is_single: bool = False) -> None:
        self.base = start + tables.base
        self._tables = tables
        self._is_single = is_single

    def contributions(self, rows: Floats) -> Floats:
        """(reasons, rows) for prepared rows (rows, columns)."""
        return self._tables.contributions(
            rows.astype(np.float32).astype(np.float64) if self._is_single else rows
        )


def _decomposition(model: Any, groups: Sequence[int], count_groups: int, where: str) -> _Parts:
    if isinstance(model, LogisticRegression):
        return _LinearParts(model, groups, count_groups)
    if isinstance(model, HistGradientBoostingClassifier):
        tables = tree_shap.TreeTables(tree_shap.of_boosting(model), groups, count_groups)
        return _TreeParts(tables, float(model._baseline_prediction.item()))
    if isinstance(model, LogOddsForest):
        tables = tree_shap.TreeTables(tree_shap.of_forest(model), groups, count_groups)
        return _TreeParts(tables, is_single=True)
    if isinstance(model, LogOddsTree):
        tables = tree_shap.TreeTables([tree_shap.of_tree(model)], groups, count_groups)
        return _TreeParts(tables, is_single=True)
    raise InputError(
        f"{where}: scores of {type(model).__name__} cannot be explained; train another candidate"
    )


def _response(model: Any, prepared: Floats) -> Floats:
    """(rows,) what the calibrator takes."""
    return np.asarray(model.decision_function(prepared), dtype=np.float64)


def _calibrated(model: CalibratedClassifierCV, where: str) -> tuple[Pipeline, float, float]:
    """The fitted Pipeline, and slope and intercept of the calibrated log-odds in what it responds."""
    if len(model.calibrated_classifiers_) != 1 or model.method != "sigmoid":
        raise InputError(
            f"{where}: calibrated by {model.method} over {len(model.calibrated_classifiers_)} fits: reasons "
            "need one fit, and sigmoid, which keeps the log-odds a straight line; set calibration.method in "
            "params.yaml"
        )
    fitted = model.calibrated_classifiers_[0]
    sigmoid = fitted.calibrators[0]
    # scikit-learn's sigmoid is 1 / (1 + exp(a response + b)).
    return fitted.estimator, -float(sigmoid.a_), -float(sigmoid.b_)


def _origins(prepare: ColumnTransformer) -> list[str]:
    """The feature that each prepared column was made from."""
    origins: list[str] = []
    for _, transformer, columns in prepare.transformers_:
        if len(columns) == 0 or transformer == "drop":
            continue
        names = list(columns)
        steps = transformer.named_steps.values() if isinstance(transformer, Pipeline) else [transformer]
        for step in steps:
            if isinstance(step, SimpleImputer) and step.add_indicator:
                names += [names[place] for place in step.indicator_.features_]
            elif isinstance(step, OneHotEncoder):
                names = [name for name, words in zip(names, step.categories_, strict=True) for _ in words]
        origins += names
    return origins


def _check_features(features: Sequence[Feature], excluded: Collection[str], where: str) -> None:
    protected = sorted({feature.name for feature in features} & set(excluded))
    if protected:
        raise InputError(
            f"{where} learned from {', '.join(protected)}, which params.yaml excludes: a protected attribute "
            "is never a reason; train a model without"
        )
    untold = [feature.name for feature in features if not feature.reason]
    if untold:
        raise InputError(
            f"{where} has no reason for {', '.join(untold)}: add it to ml/churn/features.yaml and train anew"
        )
