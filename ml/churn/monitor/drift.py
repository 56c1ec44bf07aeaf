"""Drift: customers and scores of the newest day against the frozen bins of the model that scored them."""

from collections.abc import Sequence
from datetime import date
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd

from ml.churn.frame import KEYS, check_columns, feature_frame
from ml.churn.monitor.findings import ALERT, OK, Alert, Finding, near, unknown, within
from ml.churn.monitor.psi import noise, psi_of_counts
from ml.churn.monitor.reference import Array, Profile, bin_names, count
from ml.churn.params import Feature
from warehouse import Warehouse

FEATURES, SCORES = "history.fct_customer_features", "history.fct_churn_scores"
BATCH_ROWS = 20_000
Z = 1.96


class Tally:
    """What one feature or score of a day comes to in the bins of its reference, batch by batch."""

    def __init__(self, profile: Profile) -> None:
        """`profile`: as reference() made it."""
        self.profile = profile
        self.is_common = profile["kind"] == "common"
        self.counts = np.zeros(len(profile.get("counts", ())), dtype=np.int64)
        self.low, self.high = np.inf, -np.inf

    def add(self, values: "pd.Series[Any]") -> None:
        """Count more rows."""
        if self.is_common:
            known = values.dropna()
            if len(known):
                self.low, self.high = min(self.low, known.min()), max(self.high, known.max())
        else:
            self.counts += count(self.profile, values)


def features(
    wh: Warehouse,
    day: date,
    reference: dict[str, Any],
    declared: Sequence[Feature],
    alerts: dict[str, Alert],
) -> list[Finding]:
    """PSI and share of nulls of each feature of the eligible customers of `day`, the range of those that all
    customers share, and how many have drifted. Streams: memory does not grow with customers.
    """
    names = [feature.name for feature in declared]
    check_columns(
        list(wh.column_types(FEATURES)),
        needed=[*KEYS, "is_eligible", *names],
        allowed=list(wh.column_types(FEATURES)),
        where=FEATURES,
        remedy="the champion takes them: correct the SQL or run churn_training",
    )
    tallies = {name: Tally(reference["features"][name]) for name in names}
    rows = 0
    select = f"select {', '.join(names)} from {FEATURES} where as_of_date = $1 and is_eligible"
    with wh.stream(select, [day], batch_rows=BATCH_ROWS) as batches:
        for batch in batches:
            frame = feature_frame(batch, declared, FEATURES)
            rows += len(frame)
            for name, tally in tallies.items():
                tally.add(frame[name])
    found: list[Finding] = []
    for name, tally in tallies.items():
        if tally.is_common:
            found.append(_range(name, tally, day))
        else:
            found.append(_psi("feature_psi", name, tally, rows, alerts["feature_psi"], day))
            found.append(_nulls(name, tally, rows, alerts["null_share"], day))
    return [*found, _drifted(found, alerts["features_drifted"])]


def scores(wh: Warehouse, day: date, reference: dict[str, Any], alerts: dict[str, Alert]) -> Finding:
    """PSI of the scores published for `day`."""
    tally = Tally(reference["score"])
    rows = 0
    select = f"""
        select cast(churn_probability as double precision) as churn_probability
        from {SCORES} where as_of_date = $1
    """
    with wh.stream(select, [day], batch_rows=BATCH_ROWS) as batches:
        for batch in batches:
            rows += batch.num_rows
            tally.add(pd.Series(batch.column(0).to_numpy(zero_copy_only=False)))
    return _psi("score_psi", "all", tally, rows, alerts["score_psi"], day)


def psi_finding(
    check_name: str, subject: str, expected: Array, actual: Array, alert: Alert, names: list[str], told: str
) -> Finding:
    """PSI of two arrays (bins,) of counts against the threshold, or the noise where that is larger."""
    least = int(min(expected.sum(), actual.sum()))
    if least < alert.min_count:
        return unknown(check_name, subject, f"{told}: {least} customers, {alert.min_count} needed")
    value, used = psi_of_counts(expected, actual)
    bound = max(alert.threshold, noise(used, int(expected.sum()), int(actual.sum())))
    moved = actual / actual.sum() - expected / expected.sum()
    most = int(np.argmax(np.abs(moved)))
    message = (
        f"{told}: {names[most]} went from {expected[most] / expected.sum():.1%} to "
        f"{actual[most] / actual.sum():.1%}"
    )
    return within(check_name, subject, value, None, bound, message)


def _psi(check_name: str, subject: str, tally: Tally, rows: int, alert: Alert, day: date) -> Finding:
    expected = np.array(tally.profile["counts"])
    told = f"{rows} customers of {day} against {expected.sum()} rows of training"
    if not rows:
        return unknown(check_name, subject, told)
    return psi_finding(check_name, subject, expected, tally.counts, alert, bin_names(tally.profile), told)


def _nulls(name: str, tally: Tally, rows: int, alert: Alert, day: date) -> Finding:
    if rows < alert.min_count:
        return unknown("null_share", name, f"{rows} customers of {day}, {alert.min_count} needed")
    expected = np.array(tally.profile["counts"])
    then, now = expected[-1] / expected.sum(), tally.counts[-1] / rows
    pooled = (expected[-1] + tally.counts[-1]) / (expected.sum() + rows)
    margin = max(alert.threshold, Z * sqrt(pooled * (1 - pooled) * (1 / expected.sum() + 1 / rows)))
    message = f"{now:.1%} of the customers of {day} have no value, {then:.1%} in training"
    return near("null_share", name, float(now), float(then), margin, message)


def _range(name: str, tally: Tally, day: date) -> Finding:
    low, high = tally.profile["low"], tally.profile["high"]
    if tally.low > tally.high:
        return unknown("feature_range", name, f"no value on {day}")
    is_outside = tally.low < low or tally.high > high
    return Finding(
        "feature_range",
        name,
        ALERT if is_outside else OK,
        f"{tally.low:g} for all customers on {day}, where training saw {low:g} to {high:g}",
        reference_value=high if tally.high > high else low,
        check_value=float(tally.high if tally.high > high else tally.low),
    )


def _drifted(found: list[Finding], alert: Alert) -> Finding:
    judged = [one for one in found if one.check_name == "feature_psi" and one.status in (OK, ALERT)]
    if len(judged) < alert.min_count:
        return unknown(
            "features_drifted", "all", f"{len(judged)} features with a PSI, {alert.min_count} needed"
        )
    drifted = [one for one in judged if one.status == ALERT]
    most = sorted(drifted, key=lambda one: -(one.check_value or 0))[:5]
    named = f": {', '.join(one.subject for one in most)}" if most else ""
    return within(
        "features_drifted",
        "all",
        len(drifted) / len(judged),
        None,
        alert.threshold,
        f"{len(drifted)} of {len(judged)} features have drifted{named}",
    )
