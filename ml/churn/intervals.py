"""How sure a figure is: percentile intervals of a bootstrap by customer, many draws at a time.

Whole customers are drawn with replacement, so that several month-ends of one customer count as one piece of
evidence, and the same draws serve every figure, every baseline and every group: a lead of one model over
another has an interval of its own. The draw is not stratified by outcome: with the number of churners held
fixed, the intervals of the calibration intercept, the Brier score and the money would leave out the chance in
the churn rate itself, which is most of it. (DeLong's interval is of the AUC alone and takes rows as
independent; where they are, both agree, and a test holds it.) The calibration error, a mean of absolute
values, has none: every draw adds noise of its own to it.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import expit

from ml.churn.evaluate import calibration_fits
from ml.churn.money import empc_of_groups, mean_acceptance
from ml.churn.params import Economics

Array = np.ndarray[Any, Any]
# One weight a row and draw, of 8 bytes, in memory at a time.
CELLS = 2_000_000
# Rows x draws of one part: beyond it draws are saved, down to FEWEST, since intervals of so many rows are
# close to normal and narrow.
MOST_WORK = 20_000_000
FEWEST = 100
# Below so many of either outcome the draws repeat a handful of customers and say nothing of others like them.
LEAST = 10


def count_draws(rows: int, draws: int) -> int:
    """How many of `draws` a part of `rows` rows takes."""
    return min(draws, max(FEWEST, MOST_WORK // max(rows, 1)))


def customer_draws(customers: Array, draws: int, seed: int) -> Iterator[Array]:
    """Blocks (some draws, rows) of how often each row is drawn; `customers` (rows,) are their ids.

    The same customers, in whatever order, and the same seed give the same draws.
    """
    names, customer = np.unique(customers.astype(str), return_inverse=True)
    rng = np.random.default_rng(seed)
    at_once = max(1, CELLS // max(len(customer), 1))
    for start in range(0, draws, at_once):
        drawn = [
            np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
            for _ in range(min(at_once, draws - start))
        ]
        yield np.stack(drawn).astype(float)[:, customer]


class Drawn:
    """The figures of one score on one set of rows, in many draws."""

    def __init__(self, churned: Array, probability: Array, is_selected: Array, economics: Economics) -> None:
        """All arrays (rows,); `is_selected` is who would be on the list."""
        order = np.argsort(-probability, kind="stable")
        self._order = order
        self._churned = churned[order].astype(float)
        self._selected = is_selected[order].astype(float)
        score = probability[order]
        self._ends = np.flatnonzero(np.append(np.diff(score) != 0, True))
        self._squared_error = (score - self._churned) ** 2
        self._economics = economics
        self._fits = calibration_fits(self._churned, score)

    def figures(self, weights: Array) -> dict[str, Array]:
        """Each figure in each draw (draws,), NaN where it does not exist; `weights` (draws, rows).

        With all weights one they are those of evaluate.metrics() and evaluate.selection().
        """
        weights = weights[:, self._order]
        total = weights.sum(axis=1)
        listed = np.cumsum(weights, axis=1)[:, self._ends]
        found = np.cumsum(weights * self._churned, axis=1)[:, self._ends]
        churners = found[:, -1]
        stayers = total - churners
        with np.errstate(divide="ignore", invalid="ignore"):
            result = {
                "churn_rate": churners / total,
                "brier": weights @ self._squared_error / total,
                **self._ranking(listed, found, churners, stayers),
                **self._money(listed, found, total),
                **self._calibration(weights),
                "selection_rate": weights @ self._selected / total,
                "tpr": weights @ (self._selected * self._churned) / churners,
                "fpr": weights @ (self._selected * (1 - self._churned)) / stayers,
            }
        is_ranked = (churners > 0) & (stayers > 0)
        always = ("churn_rate", "brier", "selection_rate")
        return {
            name: values if name in always else np.where(is_ranked, values, np.nan)
            for name, values in result.items()
        }

    def _ranking(self, listed: Array, found: Array, churners: Array, stayers: Array) -> dict[str, Array]:
        missed = listed - found
        step = np.diff(found, axis=1, prepend=0.0)
        before = np.concatenate([np.zeros((len(missed), 1)), missed[:, :-1]], axis=1)
        above = (step * (stayers[:, None] - (missed + before) / 2)).sum(axis=1)
        precision = np.divide(found, listed, out=np.zeros_like(found), where=listed > 0)
        true_rate, false_rate = found / churners[:, None], missed / stayers[:, None]
        captured = [
            np.interp(0.1 * all_of_them[-1], np.append(0, all_of_them), np.append(0, some))
            for all_of_them, some in zip(listed, found, strict=True)
        ]
        return {
            "auc": above / (churners * stayers),
            "average_precision": (step * precision).sum(axis=1) / churners,
            "ks": np.abs(true_rate - false_rate).max(axis=1),
            "lift_top_decile": np.array(captured) / churners / 0.1,
        }

    def _money(self, listed: Array, found: Array, total: Array) -> dict[str, Array]:
        money = self._economics
        gain = mean_acceptance(money) * (money.lifetime_value - money.incentive_cost)
        profit = found * gain - (listed - found) * money.incentive_cost - listed * money.contact_cost
        expected = []
        for all_of_them, some in zip(listed, found, strict=True):
            customers, churners = np.diff(all_of_them, prepend=0.0), np.diff(some, prepend=0.0)
            is_drawn = customers > 0
            expected.append(empc_of_groups(customers[is_drawn], churners[is_drawn], money).amount)
        return {"empc": np.array(expected), "mpc": np.maximum(profit.max(axis=1), 0.0) / total}

    def _calibration(self, weights: Array) -> dict[str, Array]:
        """One Newton step from the fit of all rows: what is left out is of the order of 1 / churners."""
        slope, shift = np.full(len(weights), np.nan), np.full(len(weights), np.nan)
        x, line = self._fits.log_odds, self._fits.line
        if self._fits.shift is not None:
            mean = expit(self._fits.shift + x)
            shift = self._fits.shift + weights @ (self._churned - mean) / (weights @ (mean * (1 - mean)))
        if line is not None:
            mean = expit(line[0] + line[1] * x)
            residual, spread = self._churned - mean, mean * (1 - mean)
            columns = np.column_stack([residual, residual * x, spread, spread * x, spread * x * x])
            up, up_x, flat, cross, steep = (weights @ columns).T
            slope = line[1] + (flat * up_x - cross * up) / (flat * steep - cross**2)
        return {"calibration_slope": slope, "calibration_intercept": shift}


def interval(values: Array, confidence: float) -> list[float] | None:
    """[low, high] percentiles of a figure's draws; None where one draw in twenty does not have it."""
    known = values[np.isfinite(values)]
    if len(known) < 0.95 * len(values) or not len(known):
        return None
    tail = (1 - confidence) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return [float(low), float(high)]
