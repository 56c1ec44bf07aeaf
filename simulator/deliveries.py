"""Delivery folders: each row into the first delivery of the day on which it was known, or after it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from simulator.calendar import Days, day_number
from simulator.files import EntityFiles
from simulator.parameters import Parameters
from simulator.schemas import REQUIRED, SCHEMAS

Array = npt.NDArray[Any]
NOT_CHANGED = -1


class Deliveries:
    """Writes files `folder/YYYY-MM-DD/<entity>.<format>`, piece by piece, in bounded memory."""

    def __init__(self, parameters: Parameters, folder: Path) -> None:
        self._days = np.array([day_number(day) for day in parameters.delivery_dates])
        self._files = EntityFiles(
            [folder / day.isoformat() for day in parameters.delivery_dates], parameters.format
        )

    def add(self, entity: str, rows: pa.Table, known: Days) -> None:
        """Add rows, each to the delivery of its day in `known`, shape (rows,); later ones go nowhere."""
        delivery = np.searchsorted(self._days, known)
        if (delivery == 0).all():
            self._write(0, entity, rows)
            return
        for number in range(len(self._days)):
            chosen = np.flatnonzero(delivery == number)
            if len(chosen):
                self._write(number, entity, rows.take(chosen))

    def add_versions(
        self,
        entity: str,
        opened: Days,
        changed_on: Callable[[int, int], Days],
        rows_as_of: Callable[[Array, int, Days], pa.Table],
    ) -> None:
        """Add things that change: in history one row each as it stood then, later a row for each change.

        `opened` is by thing. `changed_on(after, day)` gives the last day after `after` and up to `day` on
        which each one changed, NOT_CHANGED for the others, and `rows_as_of(numbers, day, valid_from)` the
        rows of some things as known on a day.
        """
        history_day = int(self._days[0])
        numbers = np.flatnonzero(opened <= history_day)
        self._write(0, entity, rows_as_of(numbers, history_day, opened[numbers]))
        for delivery in range(1, len(self._days)):
            after, day = int(self._days[delivery - 1]), int(self._days[delivery])
            is_new = (opened > after) & (opened <= day)
            since = np.where(is_new, opened, np.where(opened <= after, changed_on(after, day), NOT_CHANGED))
            numbers = np.flatnonzero(since != NOT_CHANGED)
            if len(numbers):
                self._write(delivery, entity, rows_as_of(numbers, day, since[numbers]))

    def add_to(self, delivery: int, entity: str, rows: pa.Table) -> None:
        """Add rows to one delivery, 0 being history, whatever they say."""
        self._write(delivery, entity, rows)

    def close(self) -> None:
        """Finish all files; a required entity with nothing new gets a file without rows."""
        for delivery in range(len(self._days)):
            for entity in REQUIRED:
                self._write(delivery, entity, SCHEMAS[entity].empty_table())
        self._files.close()

    def _write(self, delivery: int, entity: str, rows: pa.Table) -> None:
        self._files.write(delivery, entity, rows)


def last_of(days: Days, after: int, until: int) -> Days:
    """The days that lie in a span, NOT_CHANGED in place of the others; shape of `days`."""
    return np.where((days > after) & (days <= until), days, NOT_CHANGED)
