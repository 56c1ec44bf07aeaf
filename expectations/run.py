"""The run that a gate judges."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from warehouse import Warehouse


@dataclass(frozen=True)
class Run:
    """What the suites need to know of one row of ops.runs."""

    run_id: str
    as_of_date: datetime.date
    note: str

    @classmethod
    def read(cls, wh: Warehouse, run_id: str) -> Run:
        """Read the run. Raises LookupError when ops.runs has no such run_id."""
        rows = wh.query(
            "select run_id, as_of_date, coalesce(note, '') as note from ops.runs where run_id = $1", [run_id]
        ).to_pylist()
        if not rows:
            raise LookupError(
                f"there is no run {run_id} in ops.runs; `python -m warehouse start-run` prints the id of one"
            )
        return cls(**rows[0])
