"""What a demo bank is made from, and the random generators, one for each purpose."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from simulator.calendar import day_number, months_between

# Raised whenever the same parameters give other files, so that an old folder is never taken for a new one.
SIMULATOR_VERSION = 1
DAILY_DELIVERIES = 3


class ParameterError(ValueError):
    """A parameter that no bank can be made from; the message says which and what to do."""


@dataclass(frozen=True)
class Parameters:
    """Size, length, seed and last day of a demo bank.

    `months` counts calendar months up to and including the month of `end`. Raises ParameterError.
    """

    customers: int = 5_000
    months: int = 24
    seed: int = 7
    end: date = date(2026, 10, 31)

    def __post_init__(self) -> None:
        if not 50 <= self.customers <= 2_000_000:
            raise ParameterError(f"--customers {self.customers}: a demo bank has 50 to 2,000,000 customers")
        if not 2 <= self.months <= 240:
            raise ParameterError(f"--months {self.months}: a demo bank has 2 to 240 months")
        if self.seed < 0:
            raise ParameterError(f"--seed {self.seed}: a seed is zero or a positive whole number")
        if not date(2000, 1, 1) <= self.end <= date(2100, 1, 1):
            raise ParameterError(f"--end {self.end}: choose a day between 2000-01-01 and 2100-01-01")

    @property
    def first_day(self) -> int:
        """Day number of the first day with activity."""
        return int(months_between(self.end, self.months)[0][0])

    @property
    def last_day(self) -> int:
        """Day number of the last day with activity."""
        return day_number(self.end)

    @property
    def history_day(self) -> int:
        """Day number of the first delivery, which holds all that was known by then."""
        return self.last_day - DAILY_DELIVERIES

    @property
    def delivery_dates(self) -> list[date]:
        """The history delivery's date and those of the daily ones after it."""
        return [self.end - timedelta(days=days) for days in range(DAILY_DELIVERIES, -1, -1)]

    def generator(self, purpose: str) -> np.random.Generator:
        """A generator of its own for each purpose: a change in one leaves the draws of the others alone."""
        return np.random.default_rng([self.seed, zlib.crc32(purpose.encode())])
