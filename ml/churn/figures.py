"""The figures of a training: the model and its baselines on the final test, with intervals, by group, in
money; and their rows in ops.model_metrics.
"""

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.stats import norm
from threadpoolctl import threadpool_limits

from ml.churn import evaluate, money
from ml.churn.intervals import LEAST, Drawn, count_draws, customer_draws, interval
from ml.churn.params import Params
from ml.churn.runs import Run
from warehouse import Warehouse

Array = np.ndarray[Any, Any]
TEST, TIER_RATE, RISK_INDEX = "test", "tier_rate_baseline", "risk_index_baseline"
BASELINES = (TIER_RATE, RISK_INDEX)
# Figures of which the model's lead over a baseline is reported.
COMPARED = ("auc", "average_precision", "ks", "lift_top_decile", "brier", "empc", "mpc")
# Shares of customers at which the curves are written down.
SHARES = np.linspace(0, 1, 101)
# Of ops.model_metrics: what every part and group has a row for, and what only the list of a capacity has.
RECORDED = (
    "rows",
    "churners",
    "churn_rate",
    "mean_probability",
    "auc",
    "average_precision",
    "ks",
    "lift_top_decile",
    "brier",
    "calibration_error",
    "calibration_slope",
    "calibration_intercept",
    "empc",
    "empc_fraction",
    "mpc",
    "mpc_fraction",
    "selection_rate",
    "tpr",
    "fpr",
)
METRICS = pa.schema(
    [
        ("model_version", pa.string()),
        ("run_id", pa.string()),
        ("as_of_date", pa.date32()),
        ("part", pa.string()),
        ("dimension", pa.string()),
        ("member", pa.string()),
        ("metric", pa.string()),
        ("metric_value", pa.float64()),
        ("low_value", pa.float64()),
        ("high_value", pa.float64()),
    ]
)


# On one thread: with more, sums depend on how many the machine has, and small ones wait for each other.
@threadpool_limits.wrap(limits=1)
def judge(train: pd.DataFrame, test: pd.DataFrame, predicted: Array, params: Params) -> dict[str, Any]:
    """The figures of `predicted` (test rows,) for metadata's `metrics`: plain numbers, and the same for the
    same input.

    `test`, `tier_rate_baseline` and `risk_index_baseline` (where the panel has what they need) hold metrics()
    and, of the list that a campaign of `capacity_share` reaches, selection(); `segments` the same by group;
    `intervals` [low, high] or None of both; `leads` the model less each baseline; `capacity` the list by
    money at the `economics`; `protected` names the segments that are never learned from;
    `calibration` and `curves` are what the plots show.
    """
    churned, economics, judged = test["is_churned"].to_numpy(), params.economics, params.evaluation
    scores = {TEST: predicted} | baselines(train, test)
    selected = {part: _selected(score, judged.capacity_share) for part, score in scores.items()}
    figures: dict[str, Any] = {
        part: evaluate.metrics(churned, score, economics) | evaluate.selection(churned, selected[part])
        for part, score in scores.items()
    }
    figures["segments"] = evaluate.by_segment(
        test, predicted, params.segments, economics, is_selected=selected[TEST]
    )
    figures |= _in_draws(test, scores, selected, figures, params)
    figures["protected"] = [name for name in figures["segments"] if name in params.excluded]
    figures["economics"] = asdict(economics)
    figures["capacity"] = capacity(churned, predicted, params)
    figures["calibration"] = [
        one | {"low": low, "high": high}
        for one in evaluate.calibration_bins(churned, predicted)
        for low, high in [wilson(one["observed"], one["customers"], judged.confidence)]
    ]
    figures["curves"] = {"share": _rounded(SHARES)} | {
        part: curves(churned, score, params) for part, score in scores.items()
    }
    return figures


def baselines(train: pd.DataFrame, test: pd.DataFrame) -> dict[str, Array]:
    """(test rows,) what the bank would say without a model, by the name of the baseline; only those that the
    columns of the panel allow.
    """
    found = {}
    if "value_tier" in train:
        found[TIER_RATE] = evaluate.tier_rate_baseline(train, test)
    index = evaluate.risk_index_baseline(train, test)
    if index is not None:
        found[RISK_INDEX] = index
    return found


def capacity(churned: Array, predicted: Array, params: Params) -> dict[str, Any]:
    """The list of a campaign that reaches `capacity_share` of the customers: those of the greatest value of
    an offer, while it is above zero; what it promises, and what it brought, at the mean acceptance.
    """
    economics = params.economics
    places = evaluate.places(len(predicted), params.evaluation.capacity_share)
    listed = money.offer_list(predicted, places, economics)
    brought = money.offer_value(churned[listed.is_listed], economics)
    return {
        "share": params.evaluation.capacity_share,
        "places": places,
        "cut_probability": evaluate.capacity_cut(predicted, params.evaluation.capacity_share),
        "customers": int(listed.is_listed.sum()),
        "churners": int(churned[listed.is_listed].sum()),
        "threshold_value": listed.threshold,
        "threshold_probability": float(predicted[listed.is_listed].min()) if listed.is_listed.any() else None,
        "expected_profit": listed.expected_profit,
        "realised_profit": float(brought.sum()),
    }


def curves(churned: Array, score: Array, params: Params) -> dict[str, list[float]]:
    """At SHARES of the customers, riskiest first: shares of churners (tpr) and of stayers (fpr) found, and
    the profit a customer of the base.
    """
    customers, churners = money.tied_groups(churned, score)
    listed = np.append(0.0, np.cumsum(customers)) / customers.sum()
    found = {"tpr": churners, "fpr": customers - churners}
    shares, profits = money.profit_curve(churned, score, params.economics)
    return {
        name: _rounded(np.interp(SHARES, listed, np.append(0.0, np.cumsum(some)) / max(some.sum(), 1)))
        for name, some in found.items()
    } | {"profit": _rounded(np.interp(SHARES, shares, profits))}


def wilson(rate: float, customers: float, confidence: float) -> tuple[float, float]:
    """Wilson's interval of a share seen among so many customers."""
    z = float(norm.ppf((1 + confidence) / 2))
    middle = (rate + z * z / (2 * customers)) / (1 + z * z / customers)
    half = z * np.sqrt(rate * (1 - rate) / customers + (z / (2 * customers)) ** 2) / (1 + z * z / customers)
    return float(max(middle - half, 0.0)), float(min(middle + half, 1.0))


def record(wh: Warehouse, run: Run, model_version: str, metadata: dict[str, Any]) -> None:
    """Replace the run's rows of ops.model_metrics by the figures of a version's metadata."""
    rows = [
        {"model_version": model_version, "run_id": run.run_id, "as_of_date": run.as_of_date} | row
        for row in metric_rows(metadata["metrics"])
    ]
    with wh.transaction():
        wh.execute("delete from ops.model_metrics where run_id = $1", [run.run_id])
        wh.append("ops.model_metrics", pa.Table.from_pylist(rows, schema=METRICS))


def metric_rows(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a figure: part, dimension, member, metric, metric_value, low_value, high_value (None: no such
    figure, no interval).

    A figure that is None stays as a row, so that who reads can tell unknown from never asked. `part` of a
    difference between the model and a baseline is `over_` and the baseline.
    """
    rows = []
    ranges = metrics.get("intervals", {})
    for part in (TEST, *BASELINES):
        if metrics.get(part):
            rows += _rows(part, "all", "all", metrics[part], ranges.get("parts", {}).get(part, {}))
    for dimension, groups in metrics.get("segments", {}).items():
        for member, figures in groups.items():
            known = ranges.get("segments", {}).get(dimension, {}).get(member, {})
            rows += _rows(TEST, dimension, member, figures, known)
    for baseline, leads in metrics.get("leads", {}).items():
        for metric, lead in leads.items():
            rows.append(
                _row(f"over_{baseline}", "all", "all", metric, lead["value"], (lead["low"], lead["high"]))
            )
    for metric, value in metrics.get("capacity", {}).items():
        rows.append(_row(TEST, "all", "all", f"capacity_{metric}", value))
    return rows


def _in_draws(
    test: pd.DataFrame,
    scores: dict[str, Array],
    selected: dict[str, Array],
    figures: dict[str, Any],
    params: Params,
) -> dict[str, Any]:
    """`intervals` and `leads`, from one set of draws."""
    churned, economics = test["is_churned"].to_numpy(), params.economics
    groups: dict[tuple[str, ...], tuple[Array, Drawn]] = {
        (part,): (np.arange(len(test)), Drawn(churned, score, selected[part], economics))
        for part, score in scores.items()
        if _has_enough(churned)
    }
    for dimension in figures["segments"]:
        for member, rows in evaluate.members(test, dimension).items():
            if _has_enough(churned[rows]):
                drawn = Drawn(churned[rows], scores[TEST][rows], selected[TEST][rows], economics)
                groups[dimension, member] = (np.flatnonzero(rows), drawn)
    draws = count_draws(len(test), params.evaluation.draws)
    found: dict[tuple[str, ...], list[dict[str, Array]]] = {key: [] for key in groups}
    for weights in customer_draws(test["customer_id"].to_numpy(), draws if groups else 0, params.seed):
        for key, (rows, drawn) in groups.items():
            found[key].append(drawn.figures(weights[rows]))
    values = {
        key: {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
        for key, blocks in found.items()
    }
    confidence = params.evaluation.confidence
    ranges = {
        key: {name: interval(drawn, confidence) for name, drawn in named.items()}
        for key, named in values.items()
    }
    intervals = {
        "confidence": confidence,
        "draws": draws,
        "least_of_either_outcome": LEAST,
        "parts": {part: ranges[(part,)] for part in scores if (part,) in ranges},
        "segments": {
            dimension: {member: ranges.get((dimension, member), {}) for member in members}
            for dimension, members in figures["segments"].items()
        },
    }
    leads: dict[str, dict[str, Any]] = {}
    for baseline in scores:
        if baseline != TEST:
            leads[baseline] = {name: _lead(name, baseline, figures, values, confidence) for name in COMPARED}
    return {"intervals": intervals, "leads": leads}


def _lead(
    name: str,
    baseline: str,
    figures: dict[str, Any],
    values: dict[tuple[str, ...], dict[str, Array]],
    confidence: float,
) -> dict[str, float | None]:
    ours, theirs = figures[TEST][name], figures[baseline][name]
    value = None if ours is None or theirs is None else ours - theirs
    between = None
    if values:
        between = interval(values[(TEST,)][name] - values[(baseline,)][name], confidence)
    low, high = between or (None, None)
    return {"value": value, "low": low, "high": high}


def _selected(score: Array, share: float) -> Array:
    cut = evaluate.capacity_cut(score, share)
    return np.zeros(len(score), dtype=bool) if cut is None else score >= cut


def _has_enough(churned: Array) -> bool:
    return bool(LEAST <= churned.sum() <= len(churned) - LEAST)


def _rounded(values: Array) -> list[float]:
    return [round(float(value), 6) for value in values]


def _rows(
    part: str, dimension: str, member: str, figures: dict[str, Any], ranges: dict[str, Any]
) -> list[dict[str, Any]]:
    rows = [
        _row(part, dimension, member, metric, figures.get(metric), ranges.get(metric)) for metric in RECORDED
    ]
    for name, value in (figures.get("brier_parts") or {}).items():
        rows.append(_row(part, dimension, member, f"brier_{name}", value))
    for number, decile in enumerate(figures.get("gains") or [], start=1):
        rows.append(_row(part, dimension, member, f"captured_decile_{number}", decile["captured"]))
        rows.append(_row(part, dimension, member, f"lift_decile_{number}", decile["lift"]))
    return rows


def _row(
    part: str,
    dimension: str,
    member: str,
    metric: str,
    value: float | None,
    between: tuple[float | None, float | None] | list[float] | None = None,
) -> dict[str, Any]:
    low, high = between or (None, None)
    return {
        "part": part,
        "dimension": dimension,
        "member": member,
        "metric": metric,
        "metric_value": None if value is None else float(value),
        "low_value": low,
        "high_value": high,
    }
