"""The planted truth: how much each customer turns over and keeps, and who leaves, when, how and where to.

Simulated forward, month by month: engagement and complaints first, which know nothing of leaving, then the
hazard that they and the other drivers give, then who leaves. Everything observable follows from this plan
with noise on top; the plan itself is in no file of the bank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator import calibration, campaigns, columns, engagement, leaving, means
from simulator.calendar import NEVER, Days
from simulator.campaigns import Contacts
from simulator.engagement import Engagement
from simulator.hazard import BUSINESS, Hazard, Traits
from simulator.holdings import Intended
from simulator.leaving import CLOSURE, CUSTOMER_REQUEST, DRAIN, REASONS, SILENCE, SILENCE_DAYS, STAYS
from simulator.parameters import Parameters
from simulator.people import Customers

Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]

GROUPS = ("high", "mid", "low", "small_business")
HIGH, MID, LOW = 0, 1, 2
# What the drained still do with the bank, beside what is usual.
RESIDUAL_ACTIVITY = 0.25
DRAINS_AT_ONCE = 20_000


@dataclass
class Plan:
    """What is planned for each customer; arrays of shape (customers,), money in CNY, days as day numbers.

    `left` is the day on which leaving begins (accounts closed, money begins to flow out, the first day of
    silence), `churned` the first day on which the form holds; both are NEVER for who stays. `destination`
    is a position in leaving.DESTINATIONS, -1 where unknown. A drain goes in `drain_parts` within
    `drain_span` days until `kept_share` of the balance is left.
    """

    traits: Traits
    hazard: Hazard
    intercepts: npt.NDArray[np.float32]
    intercept: npt.NDArray[np.float32]
    form: Array
    reason: Array
    destination: Array
    left: Days
    churned: Days
    drain_parts: Array
    drain_span: Array
    kept_share: Floats

    @property
    def turnover(self) -> Floats:
        """Customer-initiated turnover of a usual year."""
        return self.traits.turnover

    @property
    def balance(self) -> Floats:
        """The liquid balance that a customer usually keeps."""
        return self.traits.balance

    @property
    def acts(self) -> Floats:
        """The usual number of acts a month."""
        return self.traits.acts

    @property
    def engaged(self) -> Engagement:
        """Stages of engagement and complaints."""
        return self.hazard.engaged

    @property
    def contacts(self) -> Contacts:
        """Who is invited to which campaign."""
        return self.hazard.contacts

    @property
    def is_voluntary(self) -> npt.NDArray[np.bool_]:
        """Whether a leaver leaves by choice, not by death, fraud or the bank's policy."""
        return (self.form != STAYS) & (self.reason == CUSTOMER_REQUEST)

    @property
    def closes(self) -> Days:
        """Day on which the last account is closed; NEVER for all but closures."""
        return np.where(self.form == CLOSURE, self.left, NEVER)

    def stage(self, customers: Array, days: Days) -> npt.NDArray[np.int8]:
        """The stage of engagement of customers in the month of each day; inputs and result of shape (n,)."""
        row = np.searchsorted(self.hazard.starts, days, side="right")
        return self.engaged.stage[np.minimum(row, len(self.engaged.stage) - 1), customers]

    def activity(self, customers: Array, days: Days) -> Floats:
        """Share of the usual activity that customers show on days; inputs and result of shape (n,)."""
        level = engagement.ACTIVITY[self.stage(customers, days)]
        after = np.where(self.form[customers] == DRAIN, RESIDUAL_ACTIVITY, 0.0)
        return np.where(days >= self.left[customers], after, level)


def make_plan(parameters: Parameters, customers: Customers, turnover: Floats, intended: Intended) -> Plan:
    """Let everybody live with the bank, and decide who leaves when and how."""
    tier = np.select([turnover >= cut for cut in calibration.TIER_CUTS], [HIGH, MID], LOW)
    traits = Traits(
        group=np.where(customers.is_business, BUSINESS, tier).astype(np.int8),
        turnover=turnover,
        balance=means.draw_balance(parameters, customers, turnover),
        acts=means.draw_acts(parameters, customers, turnover),
    )
    months = max(parameters.months, calibration.MONTHS_NEEDED)
    hazard = Hazard(
        parameters,
        customers,
        traits,
        intended,
        engagement.simulate(parameters, customers, months),
        campaigns.make_contacts(parameters, customers, intended),
        months,
    )
    intercepts = calibration.solve_intercepts(hazard)
    left, reason = _draw_leaving(parameters, hazard, intercepts)
    return _choose_forms(parameters, hazard, intercepts, left, reason)


def _draw_leaving(
    parameters: Parameters, hazard: Hazard, intercepts: npt.NDArray[np.float32]
) -> tuple[Days, Array]:
    """The day on which each customer begins to leave, NEVER for most, and why; shape (customers,) each."""
    size = len(hazard.customers)
    rng = parameters.generator("leaving")
    left = np.full(size, NEVER)
    reason = np.full(size, CUSTOMER_REQUEST)
    intercept = hazard.intercept(intercepts)
    for month in range(parameters.months):
        eta = intercept + hazard.score(month) + hazard.noise(parameters, month)
        draw, struck, moment = (rng.random(size, dtype=np.float32) for _ in range(3))
        at_risk = hazard.is_at_risk(month) & (left == NEVER)
        leaves = at_risk & (draw < -np.expm1(-np.exp(eta)))
        edge = np.zeros(size, dtype=np.float32)
        for name, chance in hazard.passive(month).items():
            strikes = at_risk & (struck >= edge) & (struck < edge + chance)
            reason[strikes] = REASONS.index(name)
            leaves |= strikes
            edge += chance
        first, after = hazard.starts[month], hazard.starts[month + 1]
        left[leaves] = first + (moment[leaves] * (after - first)).astype(np.int64)
    return left, reason


def _choose_forms(
    parameters: Parameters,
    hazard: Hazard,
    intercepts: npt.NDArray[np.float32],
    left: Days,
    reason: Array,
) -> Plan:
    rng = parameters.generator("forms of leaving")
    size = len(left)
    leavers = np.flatnonzero(left < NEVER)
    by_choice = reason[leavers] == CUSTOMER_REQUEST
    chosen = leaving.draw_forms(rng, (left - hazard.customers.opened)[leavers])
    known = columns.draw(
        rng, (*leaving.DESTINATION_SHARES, 1 - sum(leaving.DESTINATION_SHARES)), len(leavers)
    )
    form, destination = np.full(size, STAYS), np.full(size, -1)
    form[leavers] = np.where(by_choice, chosen, CLOSURE)
    destination[leavers] = np.where(by_choice & (known < len(leaving.DESTINATIONS)), known, -1)
    parts, span, kept = leaving.draw_courses(rng, size)
    plan = Plan(
        traits=hazard.traits,
        hazard=hazard,
        intercepts=intercepts,
        intercept=hazard.intercept(intercepts),
        form=form,
        reason=reason,
        destination=destination,
        left=left,
        churned=np.where(form == SILENCE, left - 1 + SILENCE_DAYS, left),
        drain_parts=parts,
        drain_span=span,
        kept_share=kept,
    )
    drains = np.flatnonzero(form == DRAIN)
    for start in range(0, len(drains), DRAINS_AT_ONCE):
        rows = drains[start : start + DRAINS_AT_ONCE]
        days = left[rows, None] - 2 * leaving.WINDOW_DAYS + np.arange(2 * leaving.WINDOW_DAYS)
        before = engagement.BALANCE[plan.stage(np.broadcast_to(rows[:, None], days.shape), days)]
        plan.churned[rows] += leaving.drain_delay(before, parts[rows], span[rows], kept[rows])
    return plan
