"""Dates as day numbers (days since 1970-01-01), the one form in which the simulator calculates."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Days = npt.NDArray[np.int64]

# Later than any date in any bank: "has not happened". Becomes null in files.
NEVER = 1_000_000


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - date(1970, 1, 1)).days


def months_between(end: date, months: int) -> list[tuple[int, int]]:
    """First and last day number of each of the last `months` calendar months; the last one stops at `end`."""
    last = np.datetime64(end, "M")
    starts = np.arange(last - months + 1, last + 2).astype("datetime64[D]").astype(np.int64)
    spans = [(int(start), int(after) - 1) for start, after in pairwise(starts)]
    spans[-1] = (spans[-1][0], day_number(end))
    return spans


def is_month_end(day: int) -> bool:
    """Whether the next day begins a month."""
    return month_of(day + 1) != month_of(day)


def month_of(day: int) -> int:
    """Calendar month of a day number, 1 to 12."""
    return int(np.datetime64(day, "D").astype("datetime64[M]").astype(np.int64)) % 12 + 1


def add_months(days: Days, months: npt.NDArray[np.int64]) -> Days:
    """The same day of the month so many months later, or that month's last day; shape (n,)."""
    start_month = days.astype("datetime64[D]").astype("datetime64[M]")
    day_of_month = days - start_month.astype("datetime64[D]").astype(np.int64)
    month = start_month + months
    first = month.astype("datetime64[D]").astype(np.int64)
    following = (month + 1).astype("datetime64[D]").astype(np.int64)
    return np.minimum(first + day_of_month, following - 1)


def weekday(days: Days) -> Days:
    """0 is Monday, 6 is Sunday; shape (n,)."""
    return (days + 3) % 7
