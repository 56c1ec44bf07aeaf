"""The catalogue of features as a page for people: `docs/features.md` is what this writes."""

from collections.abc import Iterable
from itertools import groupby

from ml.churn.params import Feature

_HEAD = """# Features of the churn model

Written by `python -m ml.churn catalogue > docs/features.md` from `ml/churn/features.yaml`: change that file,
not this page.

{count} features, one row per customer and as-of date D, computed by one text for training and for scoring
(`dbt_project/models/marts/churn/fct_customer_features.sql`) from rows dated on or before D and known by its
cutoff. Amounts are in the reporting currency. Unknown is null, never 0. The sign is the direction in which
churn is expected to go as the feature grows: `+`, `-`, or `?` where either may be; training reports it
against the data. A reason is the code of `policy_churn_reasons` under which what the feature adds to a score
is told to people.
"""
_COLUMNS = ("feature", "meaning", "unit", "window", "sign", "source")


def as_markdown(features: Iterable[Feature]) -> str:
    """The page: one table a reason, in the order of the catalogue, all that is known of a feature."""
    listed = list(features)
    parts = [_HEAD.format(count=len(listed))]
    reasons = list(dict.fromkeys(feature.reason for feature in listed))
    by_reason = sorted(listed, key=lambda feature: reasons.index(feature.reason))
    for reason, members in groupby(by_reason, key=lambda feature: feature.reason):
        parts.append(f"\n## {reason}\n\n{_line(_COLUMNS)}{_line(['---'] * len(_COLUMNS))}")
        parts.extend(_line(_cells(feature)) for feature in members)
    return "".join(parts)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _cells(feature: Feature) -> list[str]:
    return [
        f"`{feature.name}`",
        feature.meaning,
        feature.unit,
        "at D" if feature.window is None else f"{feature.window} days",
        {1: "+", -1: "-", 0: "?"}[feature.sign],
        ", ".join(feature.source),
    ]
