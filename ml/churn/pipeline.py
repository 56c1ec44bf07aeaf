"""The candidates: each one scikit-learn Pipeline, from the raw feature frame to a probability, fitted and
saved whole.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from ml.churn.errors import InputError
from ml.churn.leaves import LogOddsForest, LogOddsTree
from ml.churn.params import Feature, Params
from ml.churn.splits import customer_folds

CANDIDATES = ("logistic", "decision_tree", "random_forest", "hist_gradient_boosting")


def build(name: str, settings: dict[str, Any], params: Params) -> Pipeline:
    """The unfitted Pipeline of candidate `name` with `settings` of its grid; InputError for another name."""
    if name == "logistic":
        return Pipeline(
            [("prepare", _scaled(params)), ("model", LogisticRegression(max_iter=2000, **settings))]
        )
    if name == "hist_gradient_boosting":
        # Early stopping would hold out random rows, that is other months of customers who train.
        model = HistGradientBoostingClassifier(early_stopping=False, random_state=params.seed, **settings)
        return Pipeline([("prepare", _plain(params.features)), ("model", model)])
    if name == "decision_tree":
        tree = LogOddsTree(random_state=params.seed, **settings)
        return Pipeline([("prepare", _plain(params.features)), ("model", tree)])
    if name == "random_forest":
        # One job: trees that come from several are the same, and their sum is not to the last digit.
        forest = LogOddsForest(random_state=params.seed, n_jobs=1, **settings)
        return Pipeline([("prepare", _plain(params.features)), ("model", forest)])
    raise InputError(f"params.yaml: unknown candidate {name}; known are {', '.join(CANDIDATES)}")


def check_candidates(params: Params) -> None:
    """Build every setting of every candidate; InputError that names the first whose settings are unknown to
    scikit-learn or out of their range.
    """
    for candidate in params.candidates:
        for settings in candidate.settings():
            try:
                # What a fit would check first, hours before its turn comes.
                build(candidate.name, settings, params)["model"]._validate_params()
            except (TypeError, ValueError) as error:
                raise InputError(f"params.yaml: candidate {candidate.name}: {error}") from error


def fit(model: ClassifierMixin, features: pd.DataFrame, churned: np.ndarray[Any, Any]) -> ClassifierMixin:
    """Fit in place, on one thread: with more, sums and so the model depend on how many the machine has."""
    with threadpool_limits(1):
        return model.fit(features, churned)


def fit_calibrated(
    pipeline: Pipeline,
    features: pd.DataFrame,
    churned: np.ndarray[Any, Any],
    customers: np.ndarray[Any, Any],
    params: Params,
) -> CalibratedClassifierCV:
    """Fit on all rows, with a calibrator fitted on predictions for customers that the predicting fit had not
    seen. Raises InputError when the calibrator did not take up what the fit says.
    """
    model = CalibratedClassifierCV(
        pipeline,
        method=params.calibration.method,
        cv=customer_folds(customers, count=params.calibration.folds, seed=params.seed),
        ensemble=False,
        n_jobs=1,
    )
    fit(model, features, churned)
    if model.method == "sigmoid":
        _check_calibrator(model, features)
    # The folds list every training row: of no use to a prediction, and not for the registry.
    return model.set_params(cv=None)


def responses(pipeline: Pipeline, features: pd.DataFrame) -> np.ndarray[Any, Any]:
    """(rows,) what a fitted candidate gives its calibrator, rounded like probabilities(): it ranks customers
    as the calibrated model does.
    """
    with threadpool_limits(1):
        return np.round(pipeline.decision_function(features), 8)


def probabilities(model: ClassifierMixin, features: pd.DataFrame) -> np.ndarray[Any, Any]:
    """(rows,) probability of churn, rounded to 8 decimals: beyond them batch sizes may disagree."""
    with threadpool_limits(1):
        return np.round(model.predict_proba(features)[:, 1], 8)


def _check_calibrator(model: CalibratedClassifierCV, features: pd.DataFrame) -> None:
    fitted = model.calibrated_classifiers_[0]
    sigmoid = fitted.calibrators[0]
    if np.isfinite([sigmoid.a_, sigmoid.b_]).all() and sigmoid.a_ != 0:
        return
    # One answer for all is no fault of the calibrator: few rows give a tree nothing to split.
    given = responses(fitted.estimator, features)
    if not np.isfinite(given).all() or np.ptp(given) > 0:
        raise InputError(
            f"the calibration of {type(fitted.estimator[-1]).__name__} failed (slope {sigmoid.a_}, intercept "
            f"{sigmoid.b_}): every customer would get one score; take the candidate out of params.yaml"
        )


def _scaled(params: Params) -> ColumnTransformer:
    numbers = [feature for feature in params.features if not feature.is_category]
    skewed = [feature.name for feature in numbers if feature.kind in params.signed_log_kinds]
    even = [feature.name for feature in numbers if feature.kind not in params.signed_log_kinds]
    return ColumnTransformer(
        [
            # arcsinh is a logarithm that takes zero and keeps the sign.
            ("skewed", make_pipeline(_imputer(), FunctionTransformer(np.arcsinh), StandardScaler()), skewed),
            ("even", make_pipeline(_imputer(), StandardScaler()), even),
            # Centred, which moves the intercept alone: reasons are told against the mean customer.
            (
                "category",
                make_pipeline(_categories(), StandardScaler(with_std=False)),
                _category_names(params.features),
            ),
        ]
    )


def _plain(features: Sequence[Feature]) -> ColumnTransformer:
    numbers = [feature.name for feature in features if not feature.is_category]
    # Its own treatment of null would do, but binning fails on a column that has nothing else.
    return ColumnTransformer(
        [("number", _imputer(), numbers), ("category", _categories(), _category_names(features))]
    )


def _imputer() -> SimpleImputer:
    # A bank that lacks a source gives a column of nulls: kept, so that the model's shape is the same for
    # every bank.
    return SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)


def _categories() -> OneHotEncoder:
    # Null is a category of its own; one that training never saw is none of them.
    return OneHotEncoder(handle_unknown="ignore", sparse_output=False)


def _category_names(features: Sequence[Feature]) -> list[str]:
    return [feature.name for feature in features if feature.is_category]
