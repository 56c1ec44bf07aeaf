"""The intercepts of the hazard: such that each measured tier loses the planned share of customers in a year.

The plan's rates belong to tiers measured from the files, which mix with the planned tiers at the cuts: chance
moves turnover, cooling and leaving lower it. So the expected loss of each measured tier is reckoned from the
hazards and from how likely each customer is to be measured in it, and the intercepts are solved for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from simulator import engagement, leaving
from simulator.hazard import BUSINESS, Floats, Hazard, mean_hazard

Array = npt.NDArray[Any]

# Share of customers who churn within a year, by measured tier of persons (high, mid, low) and for businesses.
YEARLY_CHURN = np.array([0.02, 0.05, 0.10, 0.13])
TIER_CUTS = (100_000.0, 50_000.0)
# The year for which the rates hold is the second one: a trailing year goes before it.
MONTHS_BEFORE, MONTHS_NEEDED = 12, 24
# Measured over planned turnover of settled customers, and the variance of one act's amount over its squared
# mean with what else moves turnover; measured on 20,000 customers, 2026-11.
MEASURED_RATIO, SQUARED_SPREAD = 1.03, 2.0
# How much of a drain is done, on the average, at the end of the month in which it begins.
DONE_IN_ITS_MONTH = 0.55
# Of a larger bank an even sample of at most so many customers is reckoned: joiners, who are lost more often,
# stand last.
MOST_RECKONED = 60_000
ROUNDS = 40


def solve_intercepts(hazard: Hazard) -> Floats:
    """Intercepts of high, mid and low tier and of businesses, as for `Hazard.intercept`; shape (4,).

    Needs MONTHS_NEEDED months of engagement.
    """
    expected = ExpectedChurn(hazard, slice(None, None, -(-len(hazard.customers) // MOST_RECKONED)))
    intercepts = np.full(4, -6.0, dtype=np.float32)
    for _ in range(ROUNDS):
        step = np.log(YEARLY_CHURN / np.maximum(expected.rates(intercepts), 1e-6))
        intercepts = np.clip(intercepts + 0.8 * step, -12, -1).astype(np.float32)
    return intercepts


class ExpectedChurn:
    """The expected yearly churn of measured tiers: who is measured in each, and what the year brings.

    Reckoned over the customers of a slice.
    """

    def __init__(self, hazard: Hazard, reckoned: slice) -> None:
        self._hazard, self._reckoned = hazard, reckoned
        months = range(MONTHS_NEEDED)
        self._score = np.stack([hazard.score(month)[reckoned] for month in months])
        self._risk = np.stack([hazard.is_at_risk(month)[reckoned] for month in months])
        self._passive = np.stack([hazard.passive_in_all(month)[reckoned] for month in months]) * self._risk
        starts, traits = hazard.starts, hazard.traits
        year = (int(starts[MONTHS_BEFORE]) - 1, int(starts[MONTHS_BEFORE + 12]) - 1)
        shares = dict(enumerate(leaving.FORM_SHARES))
        self._before, self._within = np.zeros(MONTHS_NEEDED), np.zeros(MONTHS_NEEDED)
        self._pending: list[tuple[int, float, Array]] = []
        activity = engagement.ACTIVITY[hazard.engaged.stage[1 : MONTHS_BEFORE + 1, reckoned]]
        opened = hazard.customers.opened[reckoned]
        activity *= opened < starts[:MONTHS_BEFORE, None]
        usual = activity.mean(axis=0)
        self._settled = self._tiers(usual)
        years_kept = (traits.balance / traits.turnover)[reckoned]
        for month in range(MONTHS_NEEDED):
            span = int(starts[month]), int(starts[month + 1])
            within = leaving.chance_within(*span, *year)
            before = leaving.chance_within(*span, 0, year[0])
            self._within[month] = sum(shares[form] * within[form] for form in shares)
            self._before[month] = sum(shares[form] * before[form] for form in shares)
            if month >= MONTHS_BEFORE:
                continue
            # Gone but not yet counted: the silent have done less in the year, the draining have moved more.
            until = activity[: month + 1].sum(axis=0) / 12
            done = DONE_IN_ITS_MONTH if month == MONTHS_BEFORE - 1 else 1.0
            moved = usual + years_kept * (1 - np.mean(leaving.KEPT_SHARES)) * done
            for form, turned_over in ((leaving.SILENCE, until), (leaving.DRAIN, moved)):
                if (mass := shares[form] * within[form]) > 0:
                    self._pending.append((month, mass, self._tiers(turned_over)))

    def rates(self, intercepts: Floats) -> npt.NDArray[np.float64]:
        """Expected share churned within the year by measured tier, with such intercepts; shape (4,)."""
        eta = self._hazard.intercept(intercepts)[self._reckoned] + self._score
        passive = self._passive
        chosen = mean_hazard(eta) * self._risk * (1 - passive)
        opened = self._hazard.customers.opened[self._reckoned]
        there = np.ones(len(opened))
        active, lost = np.zeros(4), np.zeros(4)
        was_member = opened < self._hazard.starts[MONTHS_BEFORE]
        begun, at_start = [], there
        for month in range(MONTHS_NEEDED):
            if month == MONTHS_BEFORE:
                at_start = there
            begun.append(there * chosen[month])
            if month >= MONTHS_BEFORE:
                lost += self._settled @ (
                    was_member * (begun[month] * self._within[month] + there * passive[month])
                )
            there = there * (1 - chosen[month] - passive[month])
        active += self._settled @ (was_member * at_start)
        for month, mass, tiers in self._pending:
            counted = tiers @ (was_member * begun[month]) * mass
            active += counted
            lost += counted
        return lost / np.maximum(active, 1e-9)

    def _tiers(self, years: Array) -> npt.NDArray[np.float64]:
        """Chances to be measured in each tier with so many years' worth of turnover; shape (4, customers)."""
        traits, reckoned = self._hazard.traits, self._reckoned
        measured = np.log(traits.turnover[reckoned] * np.maximum(years, 0.01) * MEASURED_RATIO)
        spread = np.sqrt(SQUARED_SPREAD / (traits.acts[reckoned] * 12 * np.maximum(years, 0.05)))
        # The logistic curve with slope 1.702 stays within .01 of the normal one.
        above = [1 / (1 + np.exp(-1.702 * (measured - np.log(cut)) / spread)) for cut in TIER_CUTS]
        is_business = traits.group[reckoned] == BUSINESS
        person = np.where(is_business, 0.0, 1.0)
        return np.stack(
            [above[0] * person, (above[1] - above[0]) * person, (1 - above[1]) * person, 1 - person]
        )
