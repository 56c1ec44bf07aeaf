"""Dates as day numbers (days since 1970-01-01), the one form in which the simulator calculates."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Days = npt.NDArray[np.int64]

# The first day of the lunar year, as published. Other years are taken from the one 19 years (or a multiple)
# away in the table, when sun and moon stand alike again: right to within a day in nearly all years.
SPRING_FESTIVALS = {
    2015: (2, 19), 2016: (2, 8), 2017: (1, 28), 2018: (2, 16), 2019: (2, 5), 2020: (1, 25), 2021: (2, 12),
    2022: (2, 1), 2023: (1, 22), 2024: (2, 10), 2025: (1, 29), 2026: (2, 17), 2027: (2, 6), 2028: (1, 26),
    2029: (2, 13), 2030: (2, 3), 2031: (1, 23), 2032: (2, 11), 2033: (1, 31), 2034: (2, 19), 2035: (2, 8),
}  # fmt: skip
METONIC_YEARS = 19

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


def spring_festival(year: int) -> int:
    """Day number of the first day of the lunar year that begins in a year.

    From the table of published dates for 2015 to 2035; outside it an approximation, see SPRING_FESTIVALS.
    """
    known = year
    while known not in SPRING_FESTIVALS:
        known += METONIC_YEARS if known < min(SPRING_FESTIVALS) else -METONIC_YEARS
    return day_number(date(year, *SPRING_FESTIVALS[known]))


def is_public_holiday(days: Days) -> npt.NDArray[np.bool_]:
    """Whether branches are closed for a public holiday; shape of `days`.

    New Year's Day, Spring Festival from its eve for eight days, Qingming, Labour Day (1 to 5 May) and the
    National Day week. The Dragon Boat and Mid-Autumn days and the weekends worked in exchange are left out.
    """
    holidays: list[int] = []
    for year in range(_year_of(int(days.min())), _year_of(int(days.max())) + 1):
        holidays.append(day_number(date(year, 1, 1)))
        holidays.extend(spring_festival(year) + np.arange(-1, 7))
        # The usual formula for the solar term, for the 21st century.
        holidays.append(day_number(date(year, 4, int(year % 100 * 0.2422 + 4.81) - year % 100 // 4)))
        holidays.extend(day_number(date(year, 5, 1)) + np.arange(5))
        holidays.extend(day_number(date(year, 10, 1)) + np.arange(7))
    return np.isin(days, holidays)


def _year_of(day: int) -> int:
    return int(np.datetime64(day, "D").astype("datetime64[Y]").astype(np.int64)) + 1970
