"""Performance: scores whose outcome is known by now, against what the model promised when it was trained."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from math import hypot, sqrt
from typing import Any

import numpy as np
from scipy.stats import norm, rankdata

from ml.churn.evaluate import calibration_line, gains
from ml.churn.monitor.drift import SCORES, Z
from ml.churn.monitor.findings import ALERT, OK, UNKNOWN, Alert, Finding, near, unknown
from ml.churn.monitor.reference import Array
from ml.churn.sample import MATURE
from warehouse import Warehouse

# Of a drop only one side is an alert: 95 % confidence.
Z_ONE_SIDED = 1.645
CHECKS = ("auc", "calibration_intercept", "calibration_slope", "lift_top_decile")
AGAINST_TEST = ("auc", "lift_top_decile")


@dataclass(frozen=True)
class Matured:
    """Published scores of one model on one month-end, (customers,) each, and what became of the customers."""

    model_version: str
    as_of_date: date
    probability: Array
    churned: Array


@dataclass(frozen=True)
class Promise:
    """A figure of the model's own test, and its standard error by the test's interval (None: it had too few
    churners for one).
    """

    value: float
    error: float | None


def promises(figures: dict[str, Any]) -> dict[str, Promise]:
    """AUC and lift of a model's test out of time, as far as it has them; `figures` are `metrics` of its
    metadata.
    """
    intervals = figures.get("intervals", {})
    ranges = intervals.get("parts", {}).get("test", {})
    found = {}
    for name in AGAINST_TEST:
        value, between = figures["test"].get(name), ranges.get(name)
        if value is not None:
            error = None
            if between is not None:
                error = (between[1] - between[0]) / (2 * norm.ppf((1 + intervals["confidence"]) / 2))
            found[name] = Promise(value, error)
    return found


def matured(wh: Warehouse, panel: str, since: date) -> Iterator[Matured]:
    """Of each model the newest month-end since then whose scores have outcomes in `panel`: one row a
    customer, so that no outcome counts twice. Two numbers a customer of one model are held at a time.
    """
    joined = f"""
        from {SCORES} as scores
        inner join {panel} as panel
            on scores.as_of_date = panel.as_of_date and scores.customer_id = panel.customer_id
        where scores.as_of_date >= $1 and panel.{MATURE.replace(" and ", " and panel.")}
    """
    newest = wh.query(
        f"""
        select scores.model_version, max(scores.as_of_date) as as_of_date
        {joined}
        group by scores.model_version order by scores.model_version
        """,
        [since],
    ).to_pylist()
    for entry in newest:
        table = wh.query(
            f"""
            select cast(scores.churn_probability as double precision) as churn_probability, panel.is_churned
            {joined} and scores.as_of_date = $2 and scores.model_version = $3
            """,
            [since, entry["as_of_date"], entry["model_version"]],
        )
        probability, churned = (table.column(n).to_numpy().astype(float) for n in range(2))
        yield Matured(**entry, probability=probability, churned=churned)


def check(one: Matured, promised: dict[str, Promise], alerts: dict[str, Alert]) -> list[Finding]:
    """AUC and lift against those of the model's own test (`promised`; empty: not registered any more), and
    calibration against perfection. Each bound is the policy's, or the noise where that is larger: that of
    these scores, and that of the test, which was a draw of customers too.
    """
    slope, intercept = calibration_line(one.churned, one.probability)
    calibration = {"calibration_slope": slope, "calibration_intercept": intercept}
    churners = int(one.churned.sum())
    told = f"{churners} churners among {len(one.churned)} customers scored as of {one.as_of_date}"
    found = []
    for name in CHECKS:
        alert = alerts[name]
        if min(churners, len(one.churned) - churners) < alert.min_count:
            found.append(unknown(name, one.model_version, f"{told}, {alert.min_count} needed"))
        elif name in AGAINST_TEST:
            found.append(_against_test(name, one, promised.get(name), alert, told))
        else:
            found.append(_calibration(name, one, calibration[name], alert, told))
    return found


def auc_with_error(churned: Array, probability: Array) -> tuple[float, float]:
    """AUC and its standard error (DeLong, DeLong and Clarke-Pearson 1988, by ranks: Sun and Xu 2014)."""
    is_churner = churned.astype(bool)
    churners, stayers = int(is_churner.sum()), int((~is_churner).sum())
    ranks = rankdata(probability)
    above_stayers = (ranks[is_churner] - rankdata(probability[is_churner])) / stayers
    below_churners = 1 - (ranks[~is_churner] - rankdata(probability[~is_churner])) / churners
    variance = above_stayers.var(ddof=1) / churners + below_churners.var(ddof=1) / stayers
    return float(above_stayers.mean()), sqrt(variance)


def _against_test(name: str, one: Matured, promised: Promise | None, alert: Alert, told: str) -> Finding:
    if name == "auc":
        value, error = auc_with_error(one.churned, one.probability)
        margin = alert.threshold
    else:
        top = gains(one.churned, one.probability)[0]
        value = top["lift"]
        caught = top["captured"]
        error = sqrt(caught * (1 - caught) / one.churned.sum()) / top["share"]
        margin = alert.threshold * (promised.value if promised else 0.0)
    if promised is None:
        return Finding(
            name, one.model_version, UNKNOWN, f"{told}; its test is not in the registry", check_value=value
        )
    told = f"{told}; its test had {promised.value:.3f}"
    if promised.error is None:
        told += ", with too few churners to say how surely"
    bound = promised.value - max(margin, Z_ONE_SIDED * hypot(error, promised.error or 0.0))
    status = ALERT if value < bound else OK
    return Finding(name, one.model_version, status, told, promised.value, value, bound)


def _calibration(name: str, one: Matured, value: float | None, alert: Alert, told: str) -> Finding:
    if value is None:
        return unknown(
            name,
            one.model_version,
            f"{told}; the scores have no spread, or part churners from stayers without a fault",
        )
    # Errors under the hypothesis that the scores are right (Cox 1958).
    clipped = np.clip(one.probability, 1e-8, 1 - 1e-8)
    weights, log_odds = clipped * (1 - clipped), np.log(clipped / (1 - clipped))
    error = 1 / sqrt(weights.sum())
    if name == "calibration_slope":
        centred = log_odds - np.average(log_odds, weights=weights)
        error = 1 / sqrt(weights @ centred**2)
    reference = 1.0 if name == "calibration_slope" else 0.0
    meaning = (
        "1 is right, below it the model is overconfident"
        if name == "calibration_slope"
        else "0 is right, above it the model promises too few churners"
    )
    margin = max(alert.threshold, Z * error)
    return near(name, one.model_version, value, reference, margin, f"{told}; {meaning}")
