"""What a synthetic bank is made from, and the random generators, one for each purpose."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np

from simulator.calendar import day_number, months_between

# Raised whenever the same parameters give other files, so that an old folder is never taken for a new one.
SIMULATOR_VERSION = 5
# The bank of the plan: 500,000 personal and 50,000 small-business customers.
PLANNED_CUSTOMERS = 550_000
SMALLEST, LARGEST = 200, 2_000_000
DAILY_DELIVERIES = 3
# With `month` as the rhythm, two months of history and a delivery for each month after them.
MONTHS_OF_HISTORY = 2
FEWEST_DAYS_OF_HISTORY = 28
MOST_DIRT = 0.05
# From this dirt on the source itself fails too: it skips a day, and it delivers a day twice.
DIRT_OF_A_BAD_SOURCE = 0.005


class ParameterError(ValueError):
    """A parameter that no bank can be made from; the message says which and what to do."""


@dataclass(frozen=True)
class Parameters:
    """Size, length, seed, last day, deliveries and dirt of a synthetic bank.

    `customers` are with the bank on its first day, others join later. `months` counts calendar months up to
    and including the month of `end`. `deliveries` come after the one with the history, one a day or a month
    (`every`), the last one on `end`; None takes three daily ones, or all months but two. `dirt` is the share
    of rows that meet a fault; `bad_encoding` adds a last delivery that is not UTF-8. Raises ParameterError.
    """

    customers: int = 20_000
    months: int = 24
    seed: int = 7
    end: date = date(2026, 10, 31)
    dirt: float = 0.0
    format: Literal["parquet", "csv"] = "parquet"
    every: Literal["day", "month"] = "day"
    deliveries: int | None = None
    bad_encoding: bool = False

    def __post_init__(self) -> None:
        if not SMALLEST <= self.customers <= LARGEST:
            raise ParameterError(
                f"--customers {self.customers}: a bank has {SMALLEST} to {LARGEST:,} customers"
            )
        if not 2 <= self.months <= 240:
            raise ParameterError(f"--months {self.months}: a bank has 2 to 240 months")
        if self.seed < 0:
            raise ParameterError(f"--seed {self.seed}: a seed is zero or a positive whole number")
        if not date(2000, 1, 1) <= self.end <= date(2100, 1, 1):
            raise ParameterError(f"--end {self.end}: choose a day between 2000-01-01 and 2100-01-01")
        if not 0 <= self.dirt <= MOST_DIRT:
            raise ParameterError(f"--dirt {self.dirt}: a share of rows between 0 and {MOST_DIRT}")
        if self.format not in ("parquet", "csv"):
            raise ParameterError(f"--format {self.format}: parquet or csv")
        if self.every not in ("day", "month"):
            raise ParameterError(f"--every {self.every}: day or month")
        most = self._most_deliveries
        if not 0 <= self._later_deliveries <= most:
            raise ParameterError(
                f"--deliveries {self._later_deliveries}: with --months {self.months} --every {self.every} "
                f"choose 0 to {most}, so that the history holds {FEWEST_DAYS_OF_HISTORY} days or more"
            )

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
        return day_number(self.planned_dates[0])

    @property
    def planned_dates(self) -> list[date]:
        """The history's date and that of each delivery after it, as the source should keep them."""
        count = self._later_deliveries
        if self.every == "day":
            return [self.end - timedelta(days=days) for days in range(count, -1, -1)]
        return self._month_ends[len(self._month_ends) - 1 - count :]

    @property
    def skipped_date(self) -> date | None:
        """The day on which a bad source delivers nothing; its rows come with the next delivery."""
        is_bad = self.dirt >= DIRT_OF_A_BAD_SOURCE and self._later_deliveries >= 2
        return self.planned_dates[1] if is_bad else None

    @property
    def repeated_date(self) -> date | None:
        """The day on which a bad source delivers the files of `end` once more: the day after it."""
        is_bad = self.dirt >= DIRT_OF_A_BAD_SOURCE and self._later_deliveries >= 1
        return self.end + timedelta(days=1) if is_bad else None

    @property
    def badly_encoded_date(self) -> date | None:
        """The day of the delivery that is not UTF-8: after all others."""
        return (self.repeated_date or self.end) + timedelta(days=1) if self.bad_encoding else None

    @property
    def delivery_dates(self) -> list[date]:
        """The dates of the deliveries that bring new rows, history first."""
        return [day for day in self.planned_dates if day != self.skipped_date]

    def generator(self, purpose: str) -> np.random.Generator:
        """A generator of its own for each purpose: a change in one leaves the draws of the others alone."""
        return np.random.default_rng([self.seed, zlib.crc32(purpose.encode())])

    @property
    def _later_deliveries(self) -> int:
        if self.deliveries is not None:
            return self.deliveries
        return DAILY_DELIVERIES if self.every == "day" else max(self.months - MONTHS_OF_HISTORY, 1)

    @property
    def _most_deliveries(self) -> int:
        if self.every == "month":
            return self.months - 1
        return self.last_day - self.first_day - FEWEST_DAYS_OF_HISTORY + 1

    @property
    def _month_ends(self) -> list[date]:
        epoch = date(1970, 1, 1)
        return [epoch + timedelta(days=last) for _, last in months_between(self.end, self.months)]
