"""The loyalty programme: points for card payments, redeemed now and then, and referrals of new customers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from simulator import columns
from simulator.calendar import Days, is_month_end, month_of
from simulator.engagement import ACTIVITY
from simulator.journal import TYPE, Postings
from simulator.parameters import Parameters
from simulator.people import Customers, customer_ids
from simulator.plan import Plan
from simulator.portfolio import Accounts

Array = npt.NDArray[Any]
Event = tuple[pa.Table, Days]

EVENT_TYPES = ("referral", "points_earned", "points_redeemed")
REFERRAL, EARNED, REDEEMED = 0, 1, 2
# The share of persons who take part: so many of the least digital, and so many more of the most digital.
MEMBERS, MORE_IF_DIGITAL = 0.2, 0.4
# One point for ten yuan paid by card, booked for the calendar quarter on its last day.
CENTS_A_POINT = 1_000
LEAST_REDEEMED, REDEEMED_IN_STEPS = 500, 100
REDEEMS_IN_A_QUARTER = 0.3
# Of new persons each meets one customer by chance, who has brought him with a chance by stage of engagement.
REFERS = np.array([0.30, 0.12, 0.06, 0.02, 0.0])


class Loyalty:
    """Points of all members, moved on by `book`; numbers the events as they come."""

    def __init__(self, parameters: Parameters, customers: Customers, truth: Plan, accounts: Accounts) -> None:
        self._customers, self._truth, self._accounts = customers, truth, accounts
        self._last_day = parameters.last_day
        self._first_day = parameters.first_day
        size = len(customers)
        rng = parameters.generator("loyalty members")
        joins = rng.random(size) < MEMBERS + MORE_IF_DIGITAL * customers.digital
        self._is_member = joins & ~customers.is_business
        self._rng = parameters.generator("points redeemed")
        self._referrals = parameters.generator("referrals")
        self._spent_cents = np.zeros(size, dtype=np.int64)
        self._points = np.zeros(size, dtype=np.int64)
        self._written = 0

    def referrals(self) -> Event:
        """Rows of the `loyalty_events` file for all referrals, and their days: those on which somebody joins.

        Who has begun to leave brings nobody.
        """
        customers, rng = self._customers, self._referrals
        joiner = np.flatnonzero((customers.opened >= self._first_day) & ~customers.is_business)
        day = customers.opened[joiner]
        referrer = rng.integers(0, len(customers), len(joiner))
        refers = rng.random(len(joiner)) < REFERS[self._truth.stage(referrer, day)]
        refers &= ~customers.is_business[referrer] & (customers.opened[referrer] < day)
        refers &= self._truth.left[referrer] > day
        return self._events(REFERRAL, referrer[refers], day[refers], np.zeros(refers.sum(), dtype=np.int64))

    def book(self, postings: Postings, last: int) -> list[Event]:
        """Count a month's card payments; at the end of a quarter the rows of its points, and their days.

        `last` is the last day of the month. Redemptions lie in the quarter that follows.
        """
        paid = np.flatnonzero(postings.kind == TYPE["card_payment"])
        owner = self._accounts.owner[postings.account[paid]]
        # A reversal is a credit, and takes its points back.
        spent = np.bincount(owner, -postings.cents[paid], minlength=len(self._spent_cents))
        self._spent_cents += spent.astype(np.int64)
        if not is_month_end(last) or month_of(last) % 3:
            return []
        points = np.where(
            self._is_member & (self._truth.closes > last), self._spent_cents // CENTS_A_POINT, 0
        )
        self._spent_cents[:] = 0
        earning = np.flatnonzero(points > 0)
        self._points[earning] += points[earning]
        earned = self._events(EARNED, earning, np.full(len(earning), last), points[earning])
        return [earned, self._redeem(last)]

    def _redeem(self, last: int) -> Event:
        """What members make of their points: the less engaged the rarer, and never once leaving has begun."""
        rng, truth = self._rng, self._truth
        able = np.flatnonzero(self._points >= LEAST_REDEEMED)
        activity = ACTIVITY[truth.stage(able, np.full(len(able), last))]
        redeems = rng.random(len(able)) < REDEEMS_IN_A_QUARTER * activity
        day = last + 1 + rng.integers(0, 90, len(able))
        share = rng.uniform(0.3, 1.0, len(able))
        redeems &= (day <= self._last_day) & (day < truth.left[able])
        who, day = able[redeems], day[redeems]
        wanted = (self._points[who] * share[redeems]).astype(np.int64) // REDEEMED_IN_STEPS
        redeemed = np.maximum(wanted, 1) * REDEEMED_IN_STEPS
        self._points[who] -= redeemed
        order = np.argsort(day, kind="stable")
        return self._events(REDEEMED, who[order], day[order], redeemed[order])

    def _events(self, kind: int, customer: Array, day: Days, points: Array) -> Event:
        numbers = self._written + 1 + np.arange(len(customer))
        self._written += len(customer)
        table = pa.table(
            {
                "loyalty_event_id": columns.identifiers("E", numbers, 8),
                "customer_id": customer_ids(customer),
                "booked_on": columns.dates(day),
                "event_type": columns.labels(EVENT_TYPES, np.full(len(customer), kind)),
                "points": columns.integers(points),
            }
        )
        return table, day
