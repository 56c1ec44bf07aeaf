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
from scipy.sparse import csr_array
from scipy.special import expit

from ml.churn.evaluate import calibration_fits
from ml.churn.money import empc_of_groups, mean_acceptance
from ml.churn.params import Economics

Array = np.ndarray[Any, Any]
# One weight a row and draw, of 8 bytes, in memory at a time.
CELLS = 2_000_000
# Rows x draws of one part: beyond it draws are saved, down to FEWEST, since intervals of so many rows are
# close to normal and narrow.
MOST_WORK = 50_000_000
FEWEST = 100
# Below so many of either outcome the draws repeat a handful of customers and say nothing of others like them.
LEAST = 10


def count_draws(rows: int, draws: int) -> int:
    """How many of `draws` a part of `rows` rows takes."""
    return min(draws, max(FEWEST, MOST_WORK // max(rows, 1)))


def customer_draws(customers: Array, draws: int, seed: int) -> Iterator[Array]:
    """Blocks (rows, some draws) of how often each row is drawn; `customers` (rows,) are their ids.

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
        yield np.stack(drawn, axis=1).astype(float)[customer]


class Drawn:
    """The figures of one score on one set of rows, in many draws.

    A list that grows from the riskiest gains churners only at scores that some churner has. So every figure
    of the ranking is exact on `stretches` alone: for each such score, who is above it and below the one
    before, and who has it. There are twice as many as churners, and each is a sum of weights.
    """

    def __init__(self, churned: Array, probability: Array, is_selected: Array, economics: Economics) -> None:
        """All arrays (rows,); `is_selected` is who would be on the list."""
        scores, group = np.unique(-probability, return_inverse=True)
        has_churners = np.bincount(group, weights=churned, minlength=len(scores)) > 0
        # Stretches 0, 2, 4 ... are without churners, 1, 3, 5 ... each one score with some.
        stretch_of_group = 2 * np.cumsum(has_churners) - has_churners
        stretch = stretch_of_group[group]
        count = 2 * int(has_churners.sum()) + 1
        rows = np.arange(len(churned))
        self._listed = csr_array((np.ones(len(rows)), (stretch, rows)), shape=(count, len(rows)))
        self._found = csr_array((churned.astype(float), (stretch, rows)), shape=(count, len(rows)))
        self._economics = economics
        self._fits = calibration_fits(churned, probability)
        self._sums = np.column_stack(
            [
                np.ones(len(rows)),
                churned,
                (probability - churned) ** 2,
                is_selected,
                is_selected * churned,
                *self._calibration_terms(churned),
            ]
        ).T

    def figures(self, weights: Array) -> dict[str, Array]:
        """Each figure in each draw (draws,), NaN where it does not exist; `weights` (rows, draws).

        With all weights one they are those of evaluate.metrics() and evaluate.selection().
        """
        total, churners, error, selected, hit, *terms = self._sums @ weights
        stayers = total - churners
        listed, found = self._listed @ weights, self._found @ weights
        with np.errstate(divide="ignore", invalid="ignore"):
            always = {
                "churn_rate": churners / total,
                "brier": error / total,
                "selection_rate": selected / total,
            }
            ranked = {
                **self._ranking(listed, found, churners, stayers),
                **self._money(listed, found, total),
                **self._calibration(terms),
                "tpr": hit / churners,
                "fpr": (selected - hit) / stayers,
            }
        exists = (churners > 0) & (stayers > 0)
        return always | {name: np.where(exists, values, np.nan) for name, values in ranked.items()}

    def _ranking(self, customers: Array, ones: Array, churners: Array, stayers: Array) -> dict[str, Array]:
        listed, found = np.cumsum(customers, axis=0), np.cumsum(ones, axis=0)
        missed = listed - found
        precision = np.divide(found, listed, out=np.zeros_like(found), where=listed > 0)
        # Of the stayers, those safer than a churner, and half of those who share the score.
        safer = stayers - missed + (customers - ones) / 2
        captured = [
            np.interp(0.1 * up[-1], np.append(0, up), np.append(0, some))
            for up, some in zip(listed.T, found.T, strict=True)
        ]
        return {
            "auc": (ones * safer).sum(axis=0) / (churners * stayers),
            "average_precision": (ones * precision).sum(axis=0) / churners,
            "ks": np.abs(found / churners - missed / stayers).max(axis=0),
            "lift_top_decile": np.array(captured) / churners / 0.1,
        }

    def _money(self, customers: Array, ones: Array, total: Array) -> dict[str, Array]:
        money = self._economics
        gain = mean_acceptance(money) * (money.lifetime_value - money.incentive_cost)
        profit = ones * gain - (customers - ones) * money.incentive_cost - customers * money.contact_cost
        best = np.maximum(np.cumsum(profit, axis=0).max(axis=0), 0.0)
        expected = [
            empc_of_groups(up[up > 0], some[up > 0], money).amount
            for up, some in zip(customers.T, ones.T, strict=True)
        ]
        return {"empc": np.array(expected), "mpc": best / total}

    def _calibration_terms(self, churned: Array) -> list[Array]:
        """(rows,) each: what a Newton step from the fits of all rows sums up; none where there is no fit."""
        terms: list[Array] = []
        x, line = self._fits.log_odds, self._fits.line
        if self._fits.shift is not None:
            mean = expit(self._fits.shift + x)
            terms += [churned - mean, mean * (1 - mean)]
        if line is not None:
            mean = expit(line[0] + line[1] * x)
            residual, spread = churned - mean, mean * (1 - mean)
            terms += [residual, residual * x, spread, spread * x, spread * x * x]
        return terms

    def _calibration(self, terms: list[Array]) -> dict[str, Array | float]:
        """One Newton step from the fits of all rows: what is left out is of the order of 1 / churners."""
        slope: Array | float = np.nan
        shift: Array | float = np.nan
        if self._fits.shift is not None:
            residual, spread, *terms = terms
            shift = self._fits.shift + residual / spread
        if self._fits.line is not None:
            up, up_x, flat, cross, steep = terms
            slope = self._fits.line[1] + (flat * up_x - cross * up) / (flat * steep - cross**2)
        return {"calibration_slope": slope, "calibration_intercept": shift}


def interval(values: Array, confidence: float) -> list[float] | None:
    """[low, high] percentiles of a figure's draws; None where one draw in twenty does not have it."""
    known = values[np.isfinite(values)]
    if len(known) < 0.95 * len(values) or not len(known):
        return None
    tail = (1 - confidence) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return [float(low), float(high)]
