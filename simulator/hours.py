"""At what hour of the day customers act: by channel, by how they live, and on days off."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.calendar import is_public_holiday, weekday
from simulator.journal import CHANNEL, CHANNELS, Postings
from simulator.parameters import Parameters
from simulator.people import RETIRED, Customers
from simulator.portfolio import Accounts
from simulator.segments import SEGMENTS

Array = npt.NDArray[Any]
Hours = npt.NDArray[np.int8]

NO_HOUR = -1
# From when to when a channel can be used, and its busy times: hour, spread in hours, weight.
Times = tuple[int, int, tuple[tuple[float, float, float], ...]]
ON_WORKDAYS: dict[str, Times] = {
    "branch": (9, 17, ((10.5, 1.2, 1.0), (15.0, 1.3, 0.8))),
    "atm": (6, 23, ((12.5, 1.5, 0.8), (18.0, 2.0, 1.0))),
    "pos": (7, 23, ((8.5, 1.0, 0.3), (12.5, 1.2, 0.8), (19.0, 2.0, 1.0))),
    "mobile": (6, 24, ((8.0, 1.0, 0.3), (12.5, 1.0, 0.5), (20.5, 2.0, 1.0))),
    "web": (7, 24, ((10.5, 2.0, 1.0), (15.0, 2.0, 0.9), (20.5, 1.5, 0.6))),
    "phone": (8, 21, ((10.0, 1.5, 1.0), (14.5, 2.0, 0.8))),
}
ON_DAYS_OFF: dict[str, Times] = {
    **ON_WORKDAYS,
    "branch": (10, 16, ((11.5, 1.5, 1.0), (14.0, 1.0, 0.5))),
    "pos": (8, 23, ((12.0, 2.0, 0.9), (17.0, 2.5, 1.0))),
    "mobile": (7, 24, ((11.0, 2.5, 0.7), (20.5, 2.5, 1.0))),
}
# How gladly each segment acts before noon, from noon to six, and later. Who is retired has an own liking.
LIKING = {
    "young_digital": (0.5, 0.8, 1.6),
    "family_builders": (0.7, 0.8, 1.3),
    "affluent_investors": (1.0, 1.0, 1.0),
    "traditional_seniors": (1.7, 1.0, 0.5),
    "entrepreneurs": (1.0, 1.2, 0.9),
    "shops": (1.3, 1.3, 0.3),
    "services": (1.3, 1.3, 0.3),
}
LIKING_OF_RETIRED = (2.4, 1.0, 0.35)
# An hour is looked up by a whole number below this: a thousandth of a share is fine enough, and one draw of
# two bytes and one look-up an act is all that the column costs.
DRAWS = 1024


class Clock:
    """Draws the hour of each posting that a customer made."""

    def __init__(self, parameters: Parameters, customers: Customers, accounts: Accounts) -> None:
        self._rng = parameters.generator("hours")
        way_of_life = np.where(customers.occupation == RETIRED, len(SEGMENTS), customers.segment)
        self._way_of_life = way_of_life[accounts.owner].astype(np.int8)
        self._table = _look_up_table()

    def hours(self, postings: Postings) -> Hours:
        """Hour 0 to 23 of each posting, NO_HOUR where the bank booked it by itself; shape (postings,)."""
        hour = np.full(len(postings), NO_HOUR, dtype=np.int8)
        # What the bank books by itself, and what it takes back, has the channel system.
        acts = np.flatnonzero(postings.channel != CHANNEL["system"])
        if len(acts):
            day = postings.day[acts]
            days = np.arange(day.min(), day.max() + 1)
            is_off = ((weekday(days) >= 5) | is_public_holiday(days)).astype(np.int8)
            draw = self._rng.integers(0, DRAWS, len(acts), dtype=np.uint16)
            way_of_life = self._way_of_life[postings.account[acts]]
            hour[acts] = self._table[way_of_life, postings.channel[acts], is_off[day - days[0]], draw]
        return hour


def _look_up_table() -> Hours:
    """The hour of a draw, by way of life, channel and day off; shape (ways, CHANNELS, 2, DRAWS)."""
    likings = [*(LIKING[segment.name] for segment in SEGMENTS), LIKING_OF_RETIRED]
    table = np.full((len(likings), len(CHANNELS), 2, DRAWS), NO_HOUR, dtype=np.int8)
    draws = (np.arange(DRAWS) + 0.5) / DRAWS
    for way, liking in enumerate(likings):
        for is_off, times in enumerate((ON_WORKDAYS, ON_DAYS_OFF)):
            for channel, (opens, closes, peaks) in times.items():
                weights = hour_weights(opens, closes, peaks) * np.repeat(liking, (12, 6, 6))
                edges = np.cumsum(weights) / weights.sum()
                table[way, CHANNEL[channel], is_off] = np.searchsorted(edges, draws, side="right")
    return table


def hour_weights(
    opens: int, closes: int, peaks: tuple[tuple[float, float, float], ...]
) -> npt.NDArray[np.float64]:
    """How much happens in each hour of the day, nothing while closed; shape (24,)."""
    middle = np.arange(24) + 0.5
    weights = sum(weight * np.exp(-(((middle - at) / spread) ** 2) / 2) for at, spread, weight in peaks)
    return np.where((middle > opens) & (middle < closes), weights, 0.0)
