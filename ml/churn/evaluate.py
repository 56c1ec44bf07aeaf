"""How good are probabilities of churn: pure functions of outcomes (0, 1) and probabilities, ties always kept
together.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from ml.churn.money import empc, mpc
from ml.churn.params import Economics

Array = np.ndarray[Any, Any]
BINS = 10
# Of a Newton step, in log-odds of any row: from predictions of 1e-8 the first one would be some 1e7 long.
LONGEST_STEP = 4.0
HALVINGS = 20
# The panel's column of the weighted index; a baseline, never a feature.
RISK_INDEX = "risk_index_score"
# The values of the literature, by which EMPC can be compared between banks.
PUBLISHED = Economics()


def metrics(churned: Array, probability: Array, economics: Economics = PUBLISHED) -> dict[str, Any]:
    """Every figure of one model on one test part; both arrays (rows,). What cannot be computed is None.

    `empc` and `mpc` are money a customer, each with the share of customers that gets the offer.
    """
    rows, churners = len(churned), int(churned.sum())
    result: dict[str, Any] = {
        "rows": rows,
        "churners": churners,
        "churn_rate": churners / rows if rows else None,
        "mean_probability": float(probability.mean()) if rows else None,
        "auc": None,
        "average_precision": None,
        "ks": None,
        "lift_top_decile": None,
        "gains": None,
        "brier": None,
        "brier_parts": None,
        "calibration_error": None,
        "calibration_slope": None,
        "calibration_intercept": None,
        "empc": None,
        "empc_fraction": None,
        "mpc": None,
        "mpc_fraction": None,
    }
    if rows:
        result["brier"] = float(np.mean((probability - churned) ** 2))
        result["brier_parts"], result["calibration_error"] = brier_parts(churned, probability)
    if 0 < churners < rows:
        deciles = gains(churned, probability)
        slope, intercept = calibration_line(churned, probability)
        expected, at_mean = empc(churned, probability, economics), mpc(churned, probability, economics)
        result |= {
            "empc": expected.amount,
            "empc_fraction": expected.fraction,
            "mpc": at_mean.amount,
            "mpc_fraction": at_mean.fraction,
            "auc": float(roc_auc_score(churned, probability)),
            "average_precision": float(average_precision_score(churned, probability)),
            "ks": ks(churned, probability),
            "lift_top_decile": deciles[0]["lift"],
            "gains": deciles,
            "calibration_slope": slope,
            "calibration_intercept": intercept,
        }
    return result


def ks(churned: Array, probability: Array) -> float:
    """Largest distance between the score distributions of churners and stayers, at distinct scores only."""
    false_rate, true_rate, _ = roc_curve(churned, probability, drop_intermediate=False)
    return float(np.abs(true_rate - false_rate).max())


def gains(churned: Array, probability: Array, bins: int = BINS) -> list[dict[str, float]]:
    """For the riskiest 1/bins, 2/bins ... of customers: share of churners captured, and lift over chance.

    Where an edge falls among equal scores, their churners count in proportion: no order of rows decides.
    """
    scores, group = np.unique(-probability, return_inverse=True)
    customers = np.bincount(group, minlength=len(scores))
    churners = np.bincount(group, weights=churned, minlength=len(scores))
    population = np.concatenate([[0.0], np.cumsum(customers) / customers.sum()])
    captured = np.concatenate([[0.0], np.cumsum(churners) / churners.sum()])
    shares = np.arange(1, bins + 1) / bins
    return [
        {"share": float(share), "captured": float(found), "lift": float(found / share)}
        for share, found in zip(shares, np.interp(shares, population, captured), strict=True)
    ]


def calibration_bins(churned: Array, probability: Array) -> list[dict[str, float]]:
    """Customers, mean prediction and churn rate by decile of the score, safest first; up to ten distinct
    scores are their own bins, and equal scores are never parted.
    """
    distinct, bins = np.unique(probability, return_inverse=True)
    if len(distinct) > BINS:
        bins = np.floor(BINS * (rankdata(probability) - 0.5) / len(probability)).astype(int)
    customers = np.bincount(bins)
    predicted, observed = np.bincount(bins, weights=probability), np.bincount(bins, weights=churned)
    return [
        {"customers": int(n), "predicted": float(said / n), "observed": float(seen / n)}
        for n, said, seen in zip(customers, predicted, observed, strict=True)
        if n
    ]


def brier_parts(churned: Array, probability: Array) -> tuple[dict[str, float], float]:
    """Murphy's reliability, resolution and uncertainty over calibration_bins(), and the mean absolute error
    of a bin.

    Where the distinct scores are the bins, the parts add up to the Brier score exactly.
    """
    bins = pd.DataFrame(calibration_bins(churned, probability))
    share, rate = bins["customers"].to_numpy() / len(churned), float(np.mean(churned))
    predicted, observed = bins["predicted"].to_numpy(), bins["observed"].to_numpy()
    parts = {
        "reliability": float(share @ (predicted - observed) ** 2),
        "resolution": float(share @ (observed - rate) ** 2),
        "uncertainty": rate * (1 - rate),
    }
    return parts, float(share @ np.abs(predicted - observed))


@dataclass(frozen=True)
class CalibrationFits:
    """Log-odds of a prediction (rows,), the coefficients (constant, slope) of the outcome's log-odds on them,
    and the constant shift of them; None without a finite answer.
    """

    log_odds: Array
    line: Array | None
    shift: float | None


def calibration_fits(churned: Array, probability: Array) -> CalibrationFits:
    """The two logistic regressions of calibration_line()."""
    clipped = np.clip(probability, 1e-8, 1 - 1e-8)
    log_odds = np.log(clipped / (1 - clipped))
    ones = np.ones((len(log_odds), 1))
    shift = _logit_fit(ones, churned, offset=log_odds)
    line = None
    if len(log_odds) and np.ptp(log_odds) > 0:
        line = _logit_fit(np.column_stack([ones, log_odds]), churned, offset=np.zeros(len(log_odds)))
    return CalibrationFits(
        log_odds=log_odds,
        line=line,
        shift=None if shift is None else float(shift[0]),
    )


def calibration_line(churned: Array, probability: Array) -> tuple[float | None, float | None]:
    """Slope of the outcome's log-odds on the predicted ones (1 is right, below 1 overconfident), and
    calibration in the large: the shift of log-odds that makes the mean right (0 is right, above 0 the model
    promises too few churners).
    """
    fits = calibration_fits(churned, probability)
    return None if fits.line is None else float(fits.line[1]), fits.shift


def places(customers: int, share: float) -> int:
    """How many of the customers a share reaches, rounded down; of the share as it is written: .29 of 100 are
    29, though the nearest double of .29 is below it.
    """
    return int(Decimal(str(share)) * customers)


def capacity_cut(probability: Array, share: float) -> float | None:
    """The smallest score at or above which lie at most `share` of the customers; None when equals at the top
    are already more.
    """
    scores, counts = np.unique(-probability, return_counts=True)
    fits = np.cumsum(counts) <= places(len(probability), share)
    return float(-scores[fits][-1]) if fits.any() else None


def selection(churned: Array, is_selected: Array) -> dict[str, float | None]:
    """Of a list of customers: the share on it, of the churners (tpr) and of the stayers (fpr)."""
    parts = {
        "selection_rate": is_selected,
        "tpr": is_selected[churned == 1],
        "fpr": is_selected[churned == 0],
    }
    return {name: float(part.mean()) if len(part) else None for name, part in parts.items()}


def members(panel: pd.DataFrame, column: str) -> dict[str, Array]:
    """(rows,) which rows have each value of a column, in the order of the values; nulls are `unknown`."""
    values = panel[column].where(panel[column].notna(), "unknown").astype(str).to_numpy()
    return {value: values == value for value in sorted(set(values))}


def by_segment(
    panel: pd.DataFrame,
    probability: Array,
    segments: tuple[str, ...],
    economics: Economics = PUBLISHED,
    is_selected: Array | None = None,
) -> dict[str, dict[str, Any]]:
    """metrics() without gains for each value of each column of `segments` that the panel has; nulls are
    `unknown`. With `is_selected` (rows,) also selection().
    """
    churned = panel["is_churned"].to_numpy()
    result: dict[str, dict[str, Any]] = {}
    for column in (name for name in segments if name in panel):
        result[column] = {}
        for value, rows in members(panel, column).items():
            figures = metrics(churned[rows], probability[rows], economics)
            del figures["gains"]
            if is_selected is not None:
                figures |= selection(churned[rows], is_selected[rows])
            result[column][value] = figures
    return result


def tier_rate_baseline(train: pd.DataFrame, test: pd.DataFrame) -> Array:
    """(test rows,) what a bank without a model would say: the churn rate of the customer's value tier in the
    training part.
    """
    rates = train.groupby("value_tier")["is_churned"].mean()
    return test["value_tier"].map(rates).astype(float).fillna(train["is_churned"].mean()).to_numpy()


def risk_index_baseline(train: pd.DataFrame, test: pd.DataFrame) -> Array | None:
    """(test rows,) what the weighted risk index says, as probabilities: a logistic line of the training part.

    An index that is unknown is taken as the mean of the known ones. One that falls with churn in the training
    part says nothing in the direction it claims, and is the mean churn rate for all. None where the panel has
    no index.
    """
    if RISK_INDEX not in train or train[RISK_INDEX].isna().all() or test[RISK_INDEX].isna().all():
        return None
    known = train[RISK_INDEX].astype(float)
    mean, spread = known.mean(), known.std(ddof=0) or 1.0
    design, asked = (
        np.column_stack([np.ones(len(part)), (part[RISK_INDEX].astype(float).fillna(mean) - mean) / spread])
        for part in (train, test)
    )
    line = _logit_fit(design, train["is_churned"].to_numpy(), offset=np.zeros(len(train)))
    if line is None or line[1] <= 0:
        return np.full(len(test), train["is_churned"].mean())
    return np.asarray(expit(asked @ line))


def directions(panel: pd.DataFrame, names: list[str]) -> dict[str, float | None]:
    """For each numeric feature: AUC - 0.5 of the feature alone, so its sign is the direction seen; None
    without spread.
    """
    seen: dict[str, float | None] = {}
    for name in names:
        known = panel[panel[name].notna()]
        has_spread = known[name].nunique() > 1 and known["is_churned"].nunique() > 1
        seen[name] = float(roc_auc_score(known["is_churned"], known[name]) - 0.5) if has_spread else None
    return seen


def _logit_fit(design: Array, outcome: Array, offset: Array) -> Array | None:
    """Coefficients of largest likelihood, by Newton's method with bounded steps; None where outcomes are
    separable and there is no finite answer.

    Far from the answer a whole step overshoots, further each time: none is long or loses likelihood.
    """

    def log_likelihood(coefficients: Array) -> float:
        linear = offset + design @ coefficients
        return float(outcome @ linear - np.logaddexp(0, linear).sum())

    coefficients = np.zeros(design.shape[1])
    reached = log_likelihood(coefficients)
    for _ in range(50):
        mean = expit(offset + design @ coefficients)
        weight = mean * (1 - mean)
        try:
            step = np.linalg.solve(design.T @ (design * weight[:, None]), design.T @ (outcome - mean))
        except np.linalg.LinAlgError:
            return None
        if np.abs(step).max() < 1e-9:
            return coefficients + step
        step = step * min(1.0, LONGEST_STEP / np.abs(design @ step).max())
        for _ in range(HALVINGS):
            value = log_likelihood(coefficients + step)
            # At the top the likelihood is flat up to rounding.
            if value >= reached - 1e-12 * abs(reached):
                break
            step = step / 2
        else:
            return None
        coefficients, reached = coefficients + step, value
    return None
