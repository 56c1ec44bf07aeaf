"""What the champion was fitted on, as frozen bins: made at training and stored with the model, so that drift
is always measured against the same bins.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from ml.churn.params import Feature

Array = np.ndarray[Any, Any]
Profile = dict[str, Any]

BINS = 10
# Rarer categories are one: each would be noise.
MOST_CATEGORIES = 20


def reference(rows: pd.DataFrame, features: Sequence[Feature], probability: Array) -> dict[str, Any]:
    """The content of reference.json: profiles of features and score, and the mean calibration.

    `rows`: the panel that the model was fitted on (as_of_date, is_churned, features); `probability` (rows,):
    what that same model says of it. Counts are kept, not shares, so that the noise of the sample is known.
    """
    days = rows["as_of_date"]
    return {
        "rows": len(rows),
        "first_date": min(days).isoformat(),
        "last_date": max(days).isoformat(),
        "features": {feature.name: _profile(rows[feature.name], days, feature) for feature in features},
        "score": _numbers(np.asarray(probability, dtype=float)),
        "mean_probability": float(np.mean(probability)),
        "churn_rate": float(rows["is_churned"].mean()),
    }


def count(profile: Profile, values: "pd.Series[Any]") -> Array:
    """(bins,) rows of `values` in each bin of a number or a category; the last bin is that of nulls."""
    if profile["kind"] == "category":
        places = {category: place for place, category in enumerate(profile["categories"])}
        other, null = len(places), len(places) + 1
        found = [null if value is None else places.get(value, other) for value in values]
        return np.bincount(np.array(found, dtype=int), minlength=null + 1)
    numbers = values.to_numpy(dtype=float)
    null = len(profile["edges"]) + 1
    bins = np.where(np.isnan(numbers), null, np.searchsorted(profile["edges"], numbers, side="left"))
    return np.bincount(bins, minlength=null + 1)


def bin_names(profile: Profile) -> list[str]:
    """What each bin of `count` holds, for people."""
    if profile["kind"] == "category":
        return [*profile["categories"], "other", "null"]
    edges = [f"{edge:g}" for edge in profile["edges"]]
    if not edges:
        return ["any", "null"]
    between = [f"({low}, {high}]" for low, high in pairwise(edges)]
    return [f"<= {edges[0]}", *between, f"> {edges[-1]}", "null"]


def _profile(values: "pd.Series[Any]", days: "pd.Series[Any]", feature: Feature) -> Profile:
    if feature.is_category:
        counted = values.value_counts()
        ordered = sorted(counted.items(), key=lambda entry: (-entry[1], entry[0]))
        profile: Profile = {
            "kind": "category",
            "categories": [name for name, _ in ordered[:MOST_CATEGORIES]],
        }
        return profile | {"counts": count(profile, values).tolist()}
    if _is_common(values, days):
        return {"kind": "common", "low": float(values.min()), "high": float(values.max())}
    return _numbers(values.to_numpy(dtype=float))


def _is_common(values: "pd.Series[Any]", days: "pd.Series[Any]") -> bool:
    """Whether all customers share the value of a day, as with a market rate: then a day has no distribution,
    and the panel as many observations as days.
    """
    if values.nunique() < 2:
        return False
    return bool(values.groupby(days.to_numpy()).nunique(dropna=False).max() == 1)


def _numbers(numbers: Array) -> Profile:
    known = numbers[~np.isnan(numbers)]
    edges: list[float] = []
    if len(known):
        # Values that occur, not points between them, so that a count never lies on a made-up edge; equal
        # deciles are one bin.
        deciles = np.quantile(known, np.arange(1, BINS) / BINS, method="inverted_cdf")
        edges = [float(edge) for edge in np.unique(deciles)]
    profile: Profile = {"kind": "number", "edges": edges}
    return profile | {"counts": count(profile, pd.Series(numbers)).tolist()}
