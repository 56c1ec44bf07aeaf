"""When customers act: the weights of days, by weekday, season, holiday and shopping festival."""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt

from simulator.calendar import Days, day_number, is_public_holiday, month_of, spring_festival, weekday

Floats = npt.NDArray[np.float64]

# From Monday to Sunday, and from January to December, beside the holidays below.
WEEK = np.array([0.95, 0.95, 0.97, 1.0, 1.13, 1.2, 0.8])
YEAR = np.array([0.98, 0.97, 0.98, 0.98, 1.0, 1.0, 0.98, 0.98, 1.0, 1.0, 1.0, 1.04])
BUSINESS_WEEK = np.array([1.12, 1.12, 1.12, 1.12, 1.14, 0.85, 0.63])
# Businesses settle their accounts before the year ends.
BUSINESS_YEAR = np.array([0.97, 0.93, 1.02, 1.0, 1.0, 1.02, 1.0, 1.0, 1.02, 1.0, 1.04, 1.2])

BEFORE_SPRING_FESTIVAL, DAYS_OF_PREPARATION = 1.3, 14
SPRING_FESTIVAL_WEEK, NATIONAL_DAY_WEEK = 0.75, 1.2
# Month and day of the two shopping festivals, the weight of the day and that of the ten days before it.
SHOPPING_FESTIVALS = ((6, 18, 1.7, 1.1), (11, 11, 2.2, 1.15))
BUSINESS_ON_HOLIDAYS = 0.45


def day_weights(first: int, last: int, is_business: bool) -> Floats:
    """How much of the usual happens on each day of one calendar month; about one on average over a year.

    Day numbers `first` and `last` are included; shape (days,).
    """
    days = np.arange(first, last + 1)
    holiday = is_public_holiday(days)
    if is_business:
        weights = BUSINESS_WEEK[weekday(days)] * BUSINESS_YEAR[month_of(first) - 1]
        return weights * np.where(holiday, BUSINESS_ON_HOLIDAYS, 1.0)
    weights = WEEK[weekday(days)] * YEAR[month_of(first) - 1]
    return weights * _festive(days, holiday)


def _festive(days: Days, is_holiday: npt.NDArray[np.bool_]) -> Floats:
    weights = np.ones(len(days))
    year = np.datetime64(int(days[0]), "D").astype(date).year
    until = spring_festival(year) - days
    weights[(until > 1) & (until <= DAYS_OF_PREPARATION)] = BEFORE_SPRING_FESTIVAL
    weights[is_holiday & (np.abs(until) < DAYS_OF_PREPARATION)] = SPRING_FESTIVAL_WEEK
    weights[is_holiday & (days >= day_number(date(year, 10, 1)))] = NATIONAL_DAY_WEEK
    for month, day, on_it, before in SHOPPING_FESTIVALS:
        ahead = day_number(date(year, month, day)) - days
        weights[(ahead > 0) & (ahead <= 10)] = before
        weights[ahead == 0] = on_it
    return weights
