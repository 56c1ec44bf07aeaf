"""What customers mean to hold and when: decided before anybody's leaving, so that it tells nothing of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.calendar import Days

Array = npt.NDArray[Any]


@dataclass
class Intended:
    """The accounts that customers open if they stay; arrays of shape (accounts,) in the order of owners.

    `kind` is 0 for the current account that everybody has, `product` a position on the shelf, `term` in
    months (0 without one). `matured` is the day on which an account ends by itself, NEVER for most.
    """

    owner: Array
    kind: Array
    product: Array
    term: Array
    opened: Days
    matured: Days
    is_rate_sensitive: npt.NDArray[np.bool_]

    def holds_second_family(self, customers: int, day: int) -> npt.NDArray[np.bool_]:
        """Who holds more than a current account at the end of a day; shape (customers,)."""
        return self._holds(customers, day, self.kind != 0)

    def holds_rate_sensitive(self, customers: int, day: int) -> npt.NDArray[np.bool_]:
        """Who holds what competitors' rates can draw away at the end of a day; shape (customers,)."""
        return self._holds(customers, day, self.is_rate_sensitive)

    def _holds(self, customers: int, day: int, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        there = chosen & (self.opened <= day) & (self.matured > day)
        holds = np.zeros(customers, dtype=bool)
        holds[self.owner[there]] = True
        return holds
