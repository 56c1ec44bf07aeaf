"""Delivery folders: each row into the delivery of the day on which it was known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from simulator.calendar import Days
from simulator.parameters import DAILY_DELIVERIES, Parameters
from simulator.schemas import REQUIRED, SCHEMAS

Array = npt.NDArray[Any]
HASHED_AT_ONCE = 1 << 20


class Deliveries:
    """Writes Parquet files `folder/YYYY-MM-DD/<entity>.parquet`, piece by piece, in bounded memory."""

    def __init__(self, parameters: Parameters, folder: Path) -> None:
        self.history_day = parameters.history_day
        self._folders = [folder / day.isoformat() for day in parameters.delivery_dates]
        self._writers: dict[tuple[int, str], pq.ParquetWriter] = {}
        for delivery in self._folders:
            delivery.mkdir(parents=True)

    def add(self, entity: str, rows: pa.Table, known: Days) -> None:
        """Add rows, each to the delivery of its day in `known`, shape (rows,); later ones go nowhere."""
        delivery = np.maximum(known - self.history_day, 0)
        if (delivery == 0).all():
            self._write(0, entity, rows)
            return
        for number in range(DAILY_DELIVERIES + 1):
            chosen = np.flatnonzero(delivery == number)
            if len(chosen):
                self._write(number, entity, rows.take(chosen))

    def add_versions(
        self,
        entity: str,
        opened: Days,
        changes_on: Callable[[int], Array],
        rows_as_of: Callable[[Array, int, Days], pa.Table],
    ) -> None:
        """Add things that change: in history one row each as it stood then, later a row for each new version.

        `opened` is by thing, `changes_on(day)` says which change on a day (shape of `opened`), and
        `rows_as_of(numbers, day, valid_from)` gives the rows of some things as known on a day.
        """
        numbers = np.flatnonzero(opened <= self.history_day)
        self._write(0, entity, rows_as_of(numbers, self.history_day, opened[numbers]))
        for delivery in range(1, DAILY_DELIVERIES + 1):
            day = self.history_day + delivery
            changed = (opened == day) | ((opened < day) & changes_on(day))
            numbers = np.flatnonzero(changed)
            if len(numbers):
                self._write(delivery, entity, rows_as_of(numbers, day, np.full(len(numbers), day)))

    def add_to(self, delivery: int, entity: str, rows: pa.Table) -> None:
        """Add rows to one delivery, 0 being history, whatever they say."""
        self._write(delivery, entity, rows)

    def close(self) -> None:
        """Finish all files; a required entity with nothing new gets a file without rows."""
        for delivery in range(DAILY_DELIVERIES + 1):
            for entity in REQUIRED:
                self._writer(delivery, entity)
        for writer in self._writers.values():
            writer.close()

    def _write(self, delivery: int, entity: str, rows: pa.Table) -> None:
        self._writer(delivery, entity).write_table(rows)

    def _writer(self, delivery: int, entity: str) -> pq.ParquetWriter:
        key = (delivery, entity)
        if key not in self._writers:
            # A dictionary of values that hardly repeat costs time and saves nothing.
            repeating = [
                name
                for name in SCHEMAS[entity].names
                if name not in ("transaction_id", "amount", "account_id")
            ]
            self._writers[key] = pq.ParquetWriter(
                self._folders[delivery] / f"{entity}.parquet",
                SCHEMAS[entity],
                compression="zstd",
                use_dictionary=repeating,
            )
        return self._writers[key]


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of every delivery, by path under `folder`."""
    hashes = {}
    for path in sorted(folder.glob("*/*.parquet")):
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(HASHED_AT_ONCE):
                digest.update(block)
        hashes[path.relative_to(folder).as_posix()] = digest.hexdigest()
    return hashes
