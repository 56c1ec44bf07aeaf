"""Are the nodes of trees that come from a file those of trees? scikit-learn follows them unchecked, so that a
damaged file could crash the process or read beyond its memory.
"""

from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline

from ml.churn.leaves import LogOddsForest, LogOddsTree

Array = np.ndarray[Any, Any]


def are_sound(model: Any) -> bool:
    """Whether every node of every tree in a calibrated model leads to a later node and to a column that is
    there; True for models without trees.
    """
    if not isinstance(model, CalibratedClassifierCV):
        return True
    fitted = [one.estimator for one in model.calibrated_classifiers_]
    last = [one[-1] if isinstance(one, Pipeline) else one for one in fitted]
    return all(_is_sound(*tree) for estimator in last for tree in _trees(estimator))


def _trees(estimator: Any) -> list[tuple[Array, Array, Array, int]]:
    """Left and right child of each node (negative: a leaf), column compared, and the number of columns."""
    if isinstance(estimator, LogOddsTree | LogOddsForest):
        grown = estimator.estimators_ if isinstance(estimator, LogOddsForest) else [estimator]
        arrays = [one.tree_ for one in grown]
        columns = estimator.n_features_in_
        return [(tree.children_left, tree.children_right, tree.feature, columns) for tree in arrays]
    if isinstance(estimator, HistGradientBoostingClassifier):
        predictors = [one.nodes for row in estimator._predictors for one in row]
        return [
            (
                np.where(nodes["is_leaf"], -1, nodes["left"].astype(np.int64)),
                np.where(nodes["is_leaf"], -1, nodes["right"].astype(np.int64)),
                nodes["feature_idx"].astype(np.int64),
                estimator._n_features,
            )
            for nodes in predictors
        ]
    return []


def _is_sound(left: Array, right: Array, column: Array, columns: int) -> bool:
    places = np.arange(len(left))
    inner = left >= 0
    children = np.stack([left[inner], right[inner]])
    leads_on = (children > places[inner]).all() and (children < len(left)).all()
    return bool(leads_on and (column[inner] >= 0).all() and (column[inner] < columns).all())
