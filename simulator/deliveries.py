"""Delivery folders: each row into the first delivery of the day on which it was known, or after it."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from simulator.calendar import Days, day_number
from simulator.dirt import Dirt
from simulator.files import EntityFiles, write_badly_encoded
from simulator.parameters import Parameters
from simulator.schemas import REQUIRED, SCHEMAS

Array = npt.NDArray[Any]
NOT_CHANGED = -1


class Deliveries:
    """Writes files `folder/YYYY-MM-DD/<entity>.<format>`, piece by piece, in bounded memory."""

    def __init__(self, parameters: Parameters, folder: Path) -> None:
        self._parameters = parameters
        self._folder = folder
        self._days = np.array([day_number(day) for day in parameters.delivery_dates])
        self._dirt = Dirt(parameters)
        # Rows written so far, by entity.
        self.rows: Counter[str] = Counter()
        self._files = EntityFiles(
            [self._folder_of(day) for day in parameters.delivery_dates], parameters.format
        )

    def add(self, entity: str, rows: pa.Table, known: Days) -> None:
        """Add rows, each to the delivery of its day in `known`, shape (rows,); later ones go nowhere."""
        rows, known = self._dirt.hold_back(entity, rows, known, self._days)
        delivery = np.searchsorted(self._days, known)
        self._dirt.skip(entity, self._skipped(known))
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
        days = [day_number(day) for day in self._parameters.planned_dates]
        numbers = np.flatnonzero(opened <= days[0])
        self._write(0, entity, rows_as_of(numbers, days[0], opened[numbers]))
        # Of a day that the source skipped too: its rows come later, as they were on that day.
        for after, day in pairwise(days):
            is_new = (opened > after) & (opened <= day)
            since = np.where(is_new, opened, np.where(opened <= after, changed_on(after, day), NOT_CHANGED))
            numbers = np.flatnonzero(since != NOT_CHANGED)
            if len(numbers):
                delivery = int(np.searchsorted(self._days, day))
                self._dirt.skip(entity, self._skipped(np.full(len(numbers), day)))
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
        if again := self._parameters.repeated_date:
            shutil.copytree(self._folder_of(self._parameters.end), self._folder_of(again))
            self._dirt.repeat()
        if day := self._parameters.badly_encoded_date:
            self._dirt.note_bad_encoding("branches", write_badly_encoded(self._folder_of(day)))

    def planted_faults(self) -> pa.Table:
        """What was planted, in the columns of `dirt.PLANTED`."""
        return self._dirt.planted()

    def _write(self, delivery: int, entity: str, rows: pa.Table) -> None:
        soiled = self._dirt.soil(delivery, entity, rows)
        self.rows[entity] += len(soiled)
        self._files.write(delivery, entity, soiled)

    def _skipped(self, known: Days) -> int:
        """How many rows were known on the skipped day or since the delivery before it."""
        skipped = self._parameters.skipped_date
        return 0 if skipped is None else int(((known > self._days[0]) & (known <= day_number(skipped))).sum())

    def _folder_of(self, day: date) -> Path:
        return self._folder / day.isoformat()


def last_of(days: Days, after: int, until: int) -> Days:
    """The days that lie in a span, NOT_CHANGED in place of the others; shape of `days`."""
    return np.where((days > after) & (days <= until), days, NOT_CHANGED)
