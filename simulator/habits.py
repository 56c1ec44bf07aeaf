"""How each customer usually earns, spends and saves: the constants behind the monthly postings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator import columns
from simulator.calendar import NEVER, Days
from simulator.leaving import SILENCE
from simulator.parameters import Parameters
from simulator.people import RETIRED, SELF_EMPLOYED, STUDENT, Customers
from simulator.plan import Plan
from simulator.portfolio import Accounts, Loans

Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]

SPREAD_OF_AMOUNTS = 0.65
# How large a card payment, a cash withdrawal and a transfer are beside each other.
SIZE_BY_SPENDING = np.array([0.75, 0.9, 1.5])
# Days of the month with their weights: employers pay on few days, rents and orders fall at its start.
PAY_DAYS = {5: 12, 8: 10, 10: 30, 12: 5, 15: 25, 18: 3, 20: 8, 25: 7}
PENSION_DAY = 15
STANDING_DAYS = {1: 50, 3: 6, 5: 12, 10: 8, 15: 10, 20: 6, 25: 5, 28: 3}


@dataclass
class Habits:
    """Usual behaviour; arrays of shape (customers,); counts a month, money in cents a month or a posting.

    `spending_mix` has shape (customers, 3): the shares of card payments, cash withdrawals and transfers.
    """

    spending_count: Floats
    spending_size: Floats
    spending_month: Floats
    spending_mix: Floats
    taking_count: Floats
    taking_size: Floats
    wage_cents: Floats
    is_pension: npt.NDArray[np.bool_]
    wage_until: Days
    pay_day: Array
    standing_cents: Array
    standing_day: Array
    standing_until: Days
    fee_cents: Array


def make_habits(
    parameters: Parameters, customers: Customers, truth: Plan, accounts: Accounts, loans: Loans
) -> Habits:
    """Habits under which as much comes in as goes out, so that balances neither run dry nor pile up."""
    rng = parameters.generator("habits")
    size = len(customers)
    business = customers.is_business
    month = truth.turnover / 12 * 100
    count = truth.acts

    has_standing = rng.random(size) < 0.45
    standing = np.where(has_standing, np.rint(month * rng.uniform(0.04, 0.12, size) / 1000) * 1000, 0)
    instalments = np.bincount(accounts.owner[loans.account], loans.payment_cents, minlength=size)
    fixed = standing + instalments

    is_pension = customers.occupation == RETIRED
    unpaid = np.isin(customers.occupation, (SELF_EMPLOYED, STUDENT)) | business
    is_paid = ~unpaid & (rng.random(size) < 0.88)
    takings = np.where(is_paid, 0.1 * month, np.minimum((month + fixed) / 2, 0.8 * month))
    taking_count = count * np.where(is_paid, 0.1, 0.35)
    spending = month - takings
    wage = np.where(is_paid, spending + fixed - takings, 0.0)
    income = np.where(is_paid, wage * 12, np.where(business, truth.turnover * 50, takings * 12))
    customers.income_cents[:] = (
        np.rint(income * rng.lognormal(0.05, 0.1, size) / 100_000).astype(np.int64) * 100_000
    )

    card = np.where(business, 0.15, 0.35 + 0.35 * customers.digital)
    cash = np.where(business, 0.10, 0.40 - 0.35 * customers.digital)
    mix = np.column_stack([card, cash, 1 - card - cash])

    # Pay stops when leaving begins, not before, and goes on beside the silence of a few.
    wage_until = np.where((truth.form == SILENCE) & (rng.random(size) < 0.2), NEVER, truth.left)
    return Habits(
        spending_count=count - taking_count,
        spending_size=spending / (count - taking_count) / (mix @ SIZE_BY_SPENDING),
        spending_month=spending,
        spending_mix=mix,
        taking_count=taking_count,
        taking_size=takings / taking_count,
        wage_cents=wage,
        is_pension=is_pension,
        wage_until=wage_until,
        pay_day=np.where(is_pension, PENSION_DAY, _one_of(rng, PAY_DAYS, size)),
        standing_cents=standing.astype(np.int64),
        standing_day=_one_of(rng, STANDING_DAYS, size),
        standing_until=np.where(truth.form == SILENCE, NEVER, truth.left),
        fee_cents=np.where(business, 2_000, np.where(rng.random(size) < 0.12, 500, 0)),
    )


def _one_of(rng: np.random.Generator, days: dict[int, int], size: int) -> Array:
    return np.array(list(days))[columns.draw(rng, list(days.values()), size)]
