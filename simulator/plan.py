"""The planted truth: how much each customer turns over and keeps, and who leaves, when and how.

Everything observable follows from this plan with noise on top; the plan itself is in no file of the bank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator import columns, means
from simulator.calendar import NEVER, Days
from simulator.parameters import Parameters
from simulator.people import Customers

Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]

TIERS = ("high", "mid", "low")
HIGH, MID, LOW = 0, 1, 2
TIER_CUTS = (100_000.0, 50_000.0)
# Share of customers who leave within a year, by tier of personal customers and for small businesses.
YEARLY_CHURN = {"high": 0.02, "mid": 0.05, "low": 0.10, "small_business": 0.13}

FORMS = ("account_closure", "balance_drain", "silence")
STAYS, CLOSURE, DRAIN, SILENCE = -1, 0, 1, 2
FORM_SHARES = (0.40, 0.40, 0.20)
SILENCE_DAYS = 180
# Churn clocks run from here for those who join: before it a relationship is too young to be counted as lost.
DAYS_BEFORE_RISK = 120

REASONS = ("customer_request", "bank_policy", "death", "fraud_block", "matured")
CUSTOMER_REQUEST, MATURED = 0, 4
REASON_SHARES = (0.88, 0.04, 0.05, 0.03)
RESIDUAL_ACTIVITY = 0.25
LULL_ACTIVITY = 0.25
LULLS_A_YEAR = 0.10


@dataclass
class Plan:
    """What is planned for each customer; arrays of shape (customers,), money in CNY, days as day numbers.

    `left` is the day on which leaving begins (accounts closed, money begins to flow out, the first day of
    silence); `churned` is the first day on which the form holds. Both may lie after the end of the data: a
    customer who leaves next month is already fading today. `fade_floor` is the activity left just before
    leaving, `kept_share` what a drain leaves of the former balance.
    """

    turnover: Floats
    tier: Array
    balance: Floats
    risk: Floats
    form: Array
    reason: Array
    left: Days
    churned: Days
    fade_days: Array
    fade_floor: Floats
    kept_share: Floats
    lull_from: Days
    lull_days: Array

    @property
    def is_voluntary(self) -> npt.NDArray[np.bool_]:
        """Whether a leaver leaves by choice; passive leavers (death, fraud, policy) show no fading."""
        return (self.form != STAYS) & (self.reason == CUSTOMER_REQUEST)

    @property
    def fades_from(self) -> Days:
        """First day of fading; NEVER for those who do not fade."""
        return np.where(self.is_voluntary, self.left - self.fade_days, NEVER)

    @property
    def closes(self) -> Days:
        """Day on which the last account is closed; NEVER for all but closures."""
        return np.where(self.form == CLOSURE, self.left, NEVER)

    def activity(self, customers: Array, days: Days) -> Floats:
        """Share of the usual activity that customers show on days; inputs and result of shape (n,)."""
        left, form = self.left[customers], self.form[customers]
        progress = (days - self.fades_from[customers]) / np.maximum(self.fade_days[customers], 1)
        level = 1 - (1 - self.fade_floor[customers]) * np.clip(progress, 0, 1)
        after = np.where(form == DRAIN, RESIDUAL_ACTIVITY, 0.0)
        level = np.where((form != STAYS) & (days >= left), after, level)
        since = days - self.lull_from[customers]
        return level * np.where((since >= 0) & (since < self.lull_days[customers]), LULL_ACTIVITY, 1.0)


def make_plan(parameters: Parameters, customers: Customers, turnover: Floats, products_held: Array) -> Plan:
    """Decide who leaves. `products_held` counts each customer's product families."""
    size = len(customers)
    rng = parameters.generator("plan")
    tier = np.select([turnover >= TIER_CUTS[0], turnover >= TIER_CUTS[1]], [HIGH, MID], LOW)
    balance = means.draw_balance(parameters, customers, turnover)

    tenure_years = np.maximum(parameters.first_day - customers.opened, 0) / 365.25
    log_risk = (
        0.45 * np.clip((45 - customers.age(parameters.first_day)) / 15, -2, 2)
        + 0.7 * np.exp(-tenure_years / 3)
        + 0.5 * (products_held == 1)
        - 0.3 * np.log(balance / turnover)
        + rng.normal(0, 0.5, size)
    )
    risk = np.exp(log_risk)
    hazard = np.empty(size)
    for code, (group, yearly) in enumerate(YEARLY_CHURN.items()):
        members = (
            customers.is_business if group == "small_business" else (tier == code) & ~customers.is_business
        )
        if members.any():
            risk[members] /= risk[members].mean()
            hazard[members] = _hazard_scale(risk[members], yearly) * risk[members]

    begins = np.maximum(parameters.first_day, customers.opened + DAYS_BEFORE_RISK)
    waits = np.minimum(rng.exponential(size=size) * 365 / hazard, NEVER / 2).astype(np.int64)
    churned = begins + waits
    # Beyond this the plan can show nowhere in the data, not even as the start of fading.
    leaves = churned < parameters.last_day + 400
    form = np.where(leaves, columns.draw(rng, FORM_SHARES, size), STAYS)
    # Silence counts after half a year; where there is no room for that, another form happens.
    no_room = (form == SILENCE) & (churned - SILENCE_DAYS < begins + 30)
    form = np.where(no_room, columns.draw(rng, FORM_SHARES[:2], size), form)
    left = np.where(form == STAYS, NEVER, np.where(form == SILENCE, churned - SILENCE_DAYS, churned))
    reason = np.where(form == CLOSURE, columns.draw(rng, REASON_SHARES, size), CUSTOMER_REQUEST)
    reason = np.where(customers.is_business & (REASONS.index("death") == reason), CUSTOMER_REQUEST, reason)
    lull_waits = rng.exponential(size=size) * 365 / LULLS_A_YEAR
    return Plan(
        turnover=turnover,
        tier=tier,
        balance=balance,
        risk=risk,
        form=form,
        reason=reason,
        left=left,
        churned=np.where(form == STAYS, NEVER, churned),
        fade_days=rng.integers(60, 121, size),
        fade_floor=rng.uniform(0.1, 0.6, size),
        kept_share=rng.uniform(0.12, 0.36, size),
        lull_from=parameters.first_day + np.minimum(lull_waits, NEVER / 2).astype(np.int64),
        lull_days=rng.integers(40, 91, size),
    )


def _hazard_scale(risk: Floats, yearly: float) -> float:
    """The hazard at which a group with these relative risks loses the share `yearly` in a year."""
    low, high = 0.0, 10.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if np.mean(1 - np.exp(-middle * risk)) < yearly else (low, middle)
    return high
