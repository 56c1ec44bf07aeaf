"""Loan instalments that were missed: most are paid weeks or months late, some never."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.calendar import NEVER, Days

Array = npt.NDArray[Any]

# Days from the due date to the payment of a missed instalment, median and log-spread, and the share never
# paid: of those who missed it by oversight, and of poor payers.
OVERSIGHT_DAYS, POOR_PAYER_DAYS = (18, 0.5), (42, 0.6)
NEVER_PAID = (0.0, 0.06)


@dataclass
class Missed:
    """Missed instalments; arrays of shape (instalments,); `loan` is a loan number, `pays_on` may be NEVER."""

    loan: Array
    due_on: Days
    cents: Array
    pays_on: Days

    def __getitem__(self, rows: Array) -> Missed:
        return Missed(self.loan[rows], self.due_on[rows], self.cents[rows], self.pays_on[rows])


class Arrears:
    """What is overdue, carried from month to month."""

    def __init__(self) -> None:
        none = np.empty(0, dtype=np.int64)
        self._missed = Missed(none, none, none, none)

    def add(
        self, rng: np.random.Generator, loan: Array, due_on: Days, cents: Array, is_poor_payer: Array
    ) -> None:
        """Remember instalments as missed and decide when they will be paid; all arrays of shape (n,)."""
        median, spread = np.where(is_poor_payer, *np.array([POOR_PAYER_DAYS, OVERSIGHT_DAYS])[:, :, None])
        late = np.rint(median * np.exp(spread * rng.normal(size=len(loan)))).astype(np.int64)
        is_lost = rng.random(len(loan)) < np.where(is_poor_payer, NEVER_PAID[1], NEVER_PAID[0])
        pays_on = np.where(is_lost, NEVER, due_on + late)
        old = self._missed
        self._missed = Missed(
            np.concatenate([old.loan, loan]),
            np.concatenate([old.due_on, due_on]),
            np.concatenate([old.cents, cents]),
            np.concatenate([old.pays_on, pays_on]),
        )

    def take_paid(self, first: int, last: int) -> Missed:
        """Those paid by `last`, no more overdue from now on; a payment before `first` is made on `first`."""
        is_paid = self._missed.pays_on <= last
        paid, self._missed = self._missed[is_paid], self._missed[~is_paid]
        paid.pays_on = np.maximum(paid.pays_on, first)
        return paid
