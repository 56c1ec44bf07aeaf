"""Features that know the outcome: no honest feature alone ranks churners almost perfectly out of time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from ml.churn.params import Feature

Array = np.ndarray[Any, Any]

# |AUC - .5| of one feature, above which it is taken for the outcome in another guise.
MOST = 0.49


def find_leaks(
    train: pd.DataFrame, test: pd.DataFrame, features: Sequence[Feature], least: int
) -> dict[str, float]:
    """Each feature that alone has |AUC - .5| > MOST on `test`, with the AUC furthest from one half.

    A number ranks as it is, with nulls below and with nulls above all values, and among its known values
    where they hold `least` churners and stayers. A category ranks by the churn rate of its values in `train`.
    Frames have is_churned and the features.
    """
    churned = test["is_churned"].to_numpy()
    if len(np.unique(churned)) < 2:
        return {}
    found = {}
    for feature in features:
        scores = _category(train, test, feature.name) if feature.is_category else None
        aucs = _aucs(test[feature.name].to_numpy(dtype=float) if scores is None else scores, churned, least)
        furthest = max(aucs, key=lambda auc: abs(auc - 0.5))
        if abs(furthest - 0.5) > MOST:
            found[feature.name] = furthest
    return found


def tell(leaks: dict[str, float]) -> str:
    """The leaks as a sentence for people."""
    named = ", ".join(f"{name} (AUC {auc:.4f})" for name, auc in leaks.items())
    return (
        f"a single feature ranks churners almost perfectly out of time, so it knows the outcome: {named}; "
        "mend or drop it"
    )


def _category(train: pd.DataFrame, test: pd.DataFrame, name: str) -> Array:
    before, after = (part[name].where(part[name].notna(), "") for part in (train, test))
    rates = train["is_churned"].groupby(before).mean()
    return after.map(rates).astype(float).fillna(train["is_churned"].mean()).to_numpy()


def _aucs(
    values: Array,
    churned: Array,
    least: int,
) -> list[float]:
    is_known = ~np.isnan(values)
    if not is_known.any():
        return [0.5]
    low, high = np.min(values[is_known]) - 1, np.max(values[is_known]) + 1
    found = [float(roc_auc_score(churned, np.where(is_known, values, end))) for end in (low, high)]
    known = churned[is_known]
    if min(int(known.sum()), len(known) - int(known.sum())) >= least:
        found.append(float(roc_auc_score(known, values[is_known])))
    return found
