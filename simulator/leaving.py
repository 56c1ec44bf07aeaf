"""How customers leave once they do: the form, its course, and the day from which it counts as churn."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator import columns
from simulator.calendar import Days

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

FORMS = ("account_closure", "balance_drain", "silence")
STAYS, CLOSURE, DRAIN, SILENCE = -1, 0, 1, 2
FORM_SHARES = (0.40, 0.40, 0.20)
SILENCE_DAYS = 180
# A drain compares 90 days with the 90 before; until then who wants to drain closes the accounts instead.
DAYS_BEFORE_DRAIN = 180
WINDOW_DAYS, DRAIN_SHARE = 90, 0.6
# Balances flow out in several parts within some weeks, until the kept share is left.
DRAIN_PARTS = (3, 6)
DRAIN_SPAN_DAYS = (14, 42)
KEPT_SHARES = (0.12, 0.34)
# By when every drain counts, whatever its course.
LONGEST_DRAIN = 120

REASONS = ("customer_request", "bank_policy", "death", "fraud_block", "matured")
CUSTOMER_REQUEST, MATURED = 0, 4
DESTINATIONS = ("state_owned_bank", "joint_stock_bank", "city_bank", "internet_bank", "brokerage")
DESTINATION_SHARES = (0.16, 0.20, 0.12, 0.14, 0.05)


def draw_forms(rng: np.random.Generator, tenure_days: Array) -> Array:
    """A form for each who leaves by choice with such a tenure; shape of `tenure_days`."""
    form = columns.draw(rng, FORM_SHARES, len(tenure_days))
    return np.where((form == DRAIN) & (tenure_days < DAYS_BEFORE_DRAIN), CLOSURE, form)


def draw_courses(rng: np.random.Generator, size: int) -> tuple[Array, Array, Floats]:
    """Parts, span in days and kept share of so many drains; each of shape (size,)."""
    return (
        rng.integers(DRAIN_PARTS[0], DRAIN_PARTS[1] + 1, size),
        rng.integers(DRAIN_SPAN_DAYS[0], DRAIN_SPAN_DAYS[1] + 1, size),
        rng.uniform(*KEPT_SHARES, size),
    )


def drain_delay(before: Floats, parts: Array, span: Array, kept: Floats) -> Array:
    """Days from the first transfer of a drain to the first day on which it holds; shape (drains,).

    `before`, of shape (drains, 180), is the balance of the 180 days before the first transfer, in any unit.
    The drain holds when the mean of WINDOW_DAYS falls below DRAIN_SHARE of the mean of as many days before
    them.
    """
    day = np.arange(LONGEST_DRAIN)
    done = np.zeros((len(parts), LONGEST_DRAIN))
    for part in range(DRAIN_PARTS[1]):
        moved = (part < parts)[:, None] & (day >= (part * span // parts)[:, None])
        done += moved / parts[:, None]
    after = before[:, -1:] * (1 - (1 - kept)[:, None] * done)
    total = np.cumsum(np.concatenate([np.zeros((len(parts), 1)), before, after], axis=1), axis=1)
    end = before.shape[1] + 1 + day
    last = total[:, end] - total[:, end - WINDOW_DAYS]
    base = total[:, end - WINDOW_DAYS] - total[:, end - 2 * WINDOW_DAYS]
    return (last < DRAIN_SHARE * base).argmax(axis=1)


@cache
def usual_drain_delays() -> Floats:
    """The chances of each delay of a drain from a steady balance; shape (LONGEST_DRAIN,).

    From 20,000 courses, the same for every bank.
    """
    parts, span, kept = draw_courses(np.random.default_rng(20_261_031), 20_000)
    delay = drain_delay(np.ones((len(parts), 2 * WINDOW_DAYS)), parts, span, kept)
    return np.bincount(delay, minlength=LONGEST_DRAIN) / len(parts)


def chance_within(first: int, after: int, since: int, until: int) -> dict[int, float]:
    """The chance by form to be churned in (since, until] for who begins to leave in [first, after)."""
    day = np.arange(first, after)[:, None]
    drained = day + np.arange(LONGEST_DRAIN)

    def share(churned: Days) -> Any:
        return ((churned > since) & (churned <= until)).mean(axis=0)

    return {
        CLOSURE: float(share(day)[0]),
        DRAIN: float(share(drained) @ usual_drain_delays()),
        SILENCE: float(share(day + SILENCE_DAYS - 1)[0]),
    }
