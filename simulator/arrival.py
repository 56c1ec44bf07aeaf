"""When the bank's systems learn of a posting: mostly on its day, now and then later."""

from __future__ import annotations

import numpy as np

from simulator.calendar import Days

# Card payments and branch slips that are booked days after they were made: they occur in the cleanest bank.
LATE_SHARE = 0.003
MOST_DAYS_LATE = 10


def known_days(rng: np.random.Generator, booked: Days, last_day: int) -> Days:
    """The day on which each posting was known: its own, for a few up to ten days later; shape of `booked`."""
    is_late = rng.random(len(booked)) < LATE_SHARE
    delay = rng.integers(1, MOST_DAYS_LATE + 1, len(booked))
    return np.where(is_late, np.minimum(booked + delay, last_day), booked)
