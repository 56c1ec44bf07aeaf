"""How engaged each customer is month by month: a Markov chain of cooling and recovery, and the complaints.

Nothing here knows who will leave: engagement moves the hazard (`hazard`), never the other way round.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.calendar import add_months
from simulator.parameters import Parameters
from simulator.people import Customers

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

STAGES = ("settled", "cooling_1", "cooling_2", "cooling_3", "cooling_4")
SETTLED, DEEPEST = 0, 4
# What a stage leaves of the usual activity and of the usual balance. However fast a customer cools, the mean
# balance of 90 days stays above 70 % of that of the 90 days before: a stage alone is never a drain (60 %).
ACTIVITY = np.array([1.0, 0.65, 0.48, 0.36, 0.28])
BALANCE = np.array([1.0, 0.90, 0.80, 0.71, 0.64])
# From one month to the next, by stage; who is settled begins to cool with a chance of his own.
DEEPENS = np.array([0.0, 0.26, 0.22, 0.20, 0.0])
RECOVERS = np.array([0.0, 0.20, 0.18, 0.17, 0.17])
BEGINS_TO_COOL = 0.007
BEGINS_AFTER_COMPLAINT = 4.0
BEGINS_WHEN_NEW = 2.5
MOST_BEGIN = 0.4

COMPLAINTS_A_YEAR = 0.13
COMPLAINTS_WHEN_COOLING = 2.5
# A complaint counts for so many months, the one in which it was made included.
COMPLAINT_MONTHS = 6
MONTHS_OF_RUN_UP = 24


@dataclass
class Engagement:
    """Engagement at month ends; rows of shape (customers,), row 0 is the eve of the first day.

    `stage` is that of the month that ends then, `complaint_age` the whole months since the last complaint,
    COMPLAINT_MONTHS when there is none that counts. `complainer` and `complained_on` are the single
    complaints, by day, of everybody who has joined by then, leavers included. `newness` is what makes settled
    customers begin to cool earlier, see `newness`.
    """

    stage: npt.NDArray[np.int8]
    complaint_age: npt.NDArray[np.int8]
    newness: Floats
    complainer: Array
    complained_on: Array

    def has_complained(self, month: int) -> npt.NDArray[np.bool_]:
        """Who complained in the COMPLAINT_MONTHS months up to the end of a row; shape (customers,)."""
        return self.complaint_age[month] < COMPLAINT_MONTHS


def newness(opened: Array, day: int) -> Floats:
    """1 for who has just come, falling by a factor e every three years; shape of `opened`."""
    return np.exp(np.maximum(day - opened, 0) / np.float32(-3 * 365.25)).astype(np.float32)


def begins_to_cool(is_new: Floats, has_complained: Array) -> Floats:
    """The monthly chance of a settled customer to begin to cool; shape (customers,)."""
    chance = BEGINS_TO_COOL * BEGINS_WHEN_NEW**is_new
    return np.minimum(np.where(has_complained, chance * BEGINS_AFTER_COMPLAINT, chance), MOST_BEGIN)


def complaint_chance(stage: Array) -> Floats:
    """The chance of a complaint within a month in these stages; shape of `stage`."""
    often = np.where(np.arange(len(STAGES)) > SETTLED, COMPLAINTS_WHEN_COOLING, 1.0)
    return (1 - np.exp(-COMPLAINTS_A_YEAR / 12 * often)).astype(np.float32)[stage]


def simulate(parameters: Parameters, customers: Customers, months: int) -> Engagement:
    """Every customer's path over so many months from the first day on, as if nobody left.

    The chain runs for MONTHS_OF_RUN_UP before the first day, without complaints, so that it starts with the
    usual shares.
    """
    moves, complains = parameters.generator("engagement"), parameters.generator("complaints")
    starts = add_months(
        np.full(months + MONTHS_OF_RUN_UP + 1, parameters.first_day), np.arange(-MONTHS_OF_RUN_UP, months + 1)
    )
    size = len(customers)
    # Since when tenure counts; at the middle of the data, so that one number a customer says it all.
    is_new = newness(
        customers.opened, parameters.first_day + (parameters.last_day - parameters.first_day) // 2
    )
    stage = np.zeros((months + 1, size), dtype=np.int8)
    age = np.full((months + 1, size), COMPLAINT_MONTHS, dtype=np.int8)
    now, none = np.zeros(size, dtype=np.int8), np.zeros(size, dtype=bool)
    who, when = [], []
    for number, (first, after) in enumerate(pairwise(starts)):
        row = number - MONTHS_OF_RUN_UP + 1
        is_here = customers.opened < first
        complained = none if row < 1 else age[row - 1] < COMPLAINT_MONTHS
        draw = moves.random(size, dtype=np.float32)
        deepens = np.where(now == SETTLED, begins_to_cool(is_new, complained), DEEPENS[now])
        step = (draw < deepens).astype(np.int8) - ((draw >= deepens) & (draw < deepens + RECOVERS[now]))
        now = np.where(is_here, now + step, now).astype(np.int8)
        if row < 0:
            continue
        stage[row] = now
        if row == 0:
            continue
        complaining = np.flatnonzero(complains.random(size, dtype=np.float32) < complaint_chance(now))
        day = complains.integers(first, after, len(complaining))
        here = day > customers.opened[complaining]
        complaining, day = complaining[here], day[here]
        age[row] = np.minimum(age[row - 1] + 1, COMPLAINT_MONTHS)
        age[row, complaining] = 0
        who.append(complaining)
        when.append(day)
    return Engagement(stage, age, is_new, np.concatenate(who), np.concatenate(when))
