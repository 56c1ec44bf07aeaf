"""Faults planted into deliveries and written down one by one: what, where, and its expected fate."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from simulator import columns
from simulator.calendar import Days
from simulator.faults import ENTITIES, FAULTS, Fault, changed
from simulator.parameters import Parameters
from simulator.schemas import SCHEMAS

Array = npt.NDArray[Any]

# One row for each faulty row, or for each file that comes late or twice as a whole (`rows` of them).
# `line_no` is the line in the file of that delivery, the header being line 1, as ops.rejected_rows counts;
# null where the row itself is a good one. `fate`: rejected (with reason_code and column_name),
# deduplicated, carried (into raw) or refused (with its delivery). `key` holds the values of `key_columns`
# as text. `known_on` is the day on which the source knew a late row.
PLANTED = pa.schema(
    [
        ("delivery", pa.date32()), ("entity", pa.string()), ("fault", pa.string()), ("fate", pa.string()),
        ("reason_code", pa.string()), ("column_name", pa.string()), ("line_no", pa.int64()),
        ("key_columns", pa.string()), ("key", pa.string()), ("known_on", pa.date32()), ("rows", pa.int64()),
    ]
)  # fmt: skip
# Ingest refuses a file when more than two in a hundred of its rows, and at least three, are rejected.
MOST_REJECTED_SHARE = 0.015
REJECTED_ANYWAY = 2
# Good rows of each delivery kept at hand to come again in a later one.
ROWS_TO_REPEAT = 200
# Rows held back by the source; only events, for the versions of a thing must keep their order.
HELD_BACK = ("transactions", "risk_questionnaires", "satisfaction_surveys", "loyalty_events")
FEWEST_DAYS_LATE, MOST_DAYS_LATE = 3, 25


class Dirt:
    """Soils what a source delivers. With no dirt in the parameters it changes nothing."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._dates = parameters.delivery_dates
        self._records: list[pa.Table] = []
        self._rows: Counter[tuple[int, str]] = Counter()
        self._rejected: Counter[tuple[int, str]] = Counter()
        self._made: dict[str, Counter[Fault]] = defaultdict(Counter)
        self._to_repeat: dict[str, dict[int, pa.Table]] = defaultdict(dict)
        self._generators: dict[str, np.random.Generator] = {}

    def hold_back(self, entity: str, rows: pa.Table, known: Days, days: Days) -> tuple[pa.Table, Days]:
        """Let some events be known days to weeks later; `days` are those of the deliveries.

        Returns the rows with their new known_at and the day on which each is known, shape (rows,).
        """
        if not self._parameters.dirt or entity not in HELD_BACK:
            return rows, known
        chosen = self._choose(f"late {entity}", len(rows), self._parameters.dirt / len(FAULTS[entity]))
        rng = self._generator(f"late {entity}")
        delay = rng.integers(FEWEST_DAYS_LATE, MOST_DAYS_LATE + 1, len(chosen))
        later = np.minimum(known[chosen] + delay, self._parameters.last_day)
        has_known_at = "known_at" in rows.schema.names
        # Without known_at a file only tells that a row is late when a later delivery brings it.
        is_told = has_known_at | (np.searchsorted(days, later) > np.searchsorted(days, known[chosen]))
        is_late = is_told & (later > known[chosen])
        chosen, later = chosen[is_late], later[is_late]
        known = known.copy()
        known[chosen] = later
        if has_known_at:
            rows = changed(rows, known_at=columns.evenings(known))
        for delivery in range(len(days)):
            mine = np.searchsorted(days, later) == delivery
            held = rows.take(chosen[mine])
            self._record(delivery, entity, "late", "carried", held, known_on=later[mine])
        return rows, known

    def soil(self, delivery: int, entity: str, rows: pa.Table) -> pa.Table:
        """The rows of a piece of a file as they are written: good ones first, then faulty ones."""
        file = (delivery, entity)
        self._rows[file] += len(rows)
        if not self._parameters.dirt or entity not in FAULTS:
            return rows
        texts = self._texts(delivery, entity)
        pieces = [_as_text(rows, texts)]
        chosen = self._choose(entity, len(rows), self._parameters.dirt)
        earlier = self._earlier(delivery, entity)
        faults = [
            fault
            for fault in FAULTS[entity]
            if (fault.text.keys() <= texts) and (earlier is not None or not fault.of_earlier)
        ]
        for fault, share in zip(faults, self._shared_out(entity, chosen, faults), strict=True):
            sample = rows.take(share)
            if fault.of_earlier:
                sample = self._take_earlier(delivery, entity, len(sample))
            sample = sample.slice(0, self._room(file, fault))
            if len(sample):
                pieces.append(self._plant(delivery, entity, fault, sample, texts))
        self._keep_to_repeat(delivery, entity, rows, chosen)
        return pa.concat_tables(pieces)

    def skip(self, entity: str, rows: int) -> None:
        """Note rows that come a delivery later because the source skipped their day."""
        if rows:
            self._records.append(
                _records(self._parameters.skipped_date, entity, "skipped_day", "carried", rows=rows)
            )

    def repeat(self) -> None:
        """Note that the files of the last delivery come again, unchanged, on the repeated date."""
        last, again = len(self._dates) - 1, self._parameters.repeated_date
        planted = self.planted()
        is_of_last = pc.equal(planted["delivery"], pa.scalar(self._dates[last]))
        once_more = planted.filter(pc.and_(is_of_last, pc.equal(planted["fate"], "rejected")))
        self._records.append(changed(once_more, delivery=again))
        for (delivery, entity), rows in sorted(self._rows.items()):
            if delivery == last and rows > self._rejected[delivery, entity]:
                known = rows - self._rejected[delivery, entity]
                self._records.append(_records(again, entity, "delivered_twice", "deduplicated", rows=known))

    def note_bad_encoding(self, entity: str, rows: int) -> None:
        """Note the delivery that is not UTF-8."""
        self._records.append(
            _records(self._parameters.badly_encoded_date, entity, "not_utf8", "refused", rows=rows)
        )

    def planted(self) -> pa.Table:
        """All faults so far in the columns of PLANTED, a row for each faulty row or for each file."""
        return pa.concat_tables([PLANTED.empty_table(), *self._records])

    def _plant(
        self, delivery: int, entity: str, fault: Fault, sample: pa.Table, texts: frozenset[str]
    ) -> pa.Table:
        numbers = self._made[entity].total() + np.arange(len(sample))
        self._made[entity][fault] += len(sample)
        spoilt = changed(_as_text(fault.spoil(sample, numbers), texts), **fault.text)
        file = (delivery, entity)
        # The header is line 1.
        lines = 2 + self._rows[file] + np.arange(len(spoilt))
        self._rows[file] += len(spoilt)
        if fault.fate == "rejected":
            self._rejected[file] += len(spoilt)
        self._record(
            delivery, entity, fault.kind, fault.fate, spoilt, fault.reason_code, fault.column, lines=lines
        )
        return spoilt

    def _shared_out(self, entity: str, chosen: Array, faults: list[Fault]) -> list[Array]:
        """Positions for each of the faults, most for those that were planted least: small files see all."""
        made = np.array([self._made[entity][fault] for fault in faults])
        levels = made[:, None] + np.arange(len(chosen))
        whose = np.argsort(levels, axis=None, kind="stable")[: len(chosen)] // max(len(chosen), 1)
        return [chosen[whose == place] for place in range(len(faults))]

    def _room(self, file: tuple[int, str], fault: Fault) -> int:
        """How many faults a file takes before ingest would refuse it."""
        if fault.fate != "rejected":
            return self._rows[file]
        most = max(REJECTED_ANYWAY, int(MOST_REJECTED_SHARE * self._rows[file]))
        return max(most - self._rejected[file], 0) // fault.copies

    def _texts(self, delivery: int, entity: str) -> frozenset[str]:
        """Columns that a file holds as text: all the day's transactions, other entities in the history."""
        planned = ENTITIES[entity]
        last = len(self._dates) - 1
        is_text = (delivery == last > 0) if entity == "transactions" else delivery == 0
        return frozenset((*planned.numbers_as_text, *planned.days_as_text) if is_text else ())

    def _keep_to_repeat(self, delivery: int, entity: str, rows: pa.Table, chosen: Array) -> None:
        spare = np.setdiff1d(np.arange(min(len(rows), 2 * ROWS_TO_REPEAT)), chosen)[:ROWS_TO_REPEAT]
        if len(spare):
            self._to_repeat[entity][delivery] = rows.take(spare)

    def _earlier(self, delivery: int, entity: str) -> int | None:
        """The newest earlier delivery of which good rows are at hand."""
        at_hand = (
            number for number, kept in self._to_repeat[entity].items() if number < delivery and len(kept)
        )
        return max(at_hand, default=None)

    def _take_earlier(self, delivery: int, entity: str, count: int) -> pa.Table:
        number = self._earlier(delivery, entity)
        if number is None:
            return SCHEMAS[entity].empty_table()
        kept = self._to_repeat[entity][number]
        # Each is used once: a row that came again, changed and unchanged, would have no clear fate.
        self._to_repeat[entity][number] = kept.slice(count)
        return kept.slice(0, count)

    def _choose(self, purpose: str, size: int, share: float) -> Array:
        """Positions of some of so many rows, in order."""
        rng = self._generator(purpose)
        count = int(rng.binomial(size, share))
        return np.sort(rng.choice(size, count, replace=False)) if count else np.zeros(0, dtype=np.int64)

    def _generator(self, purpose: str) -> np.random.Generator:
        if purpose not in self._generators:
            self._generators[purpose] = self._parameters.generator(f"dirt {purpose}")
        return self._generators[purpose]

    def _record(
        self, delivery: int, entity: str, kind: str, fate: str, rows: pa.Table, reason: str | None = None,
        column: str | None = None, lines: Array | None = None, known_on: Days | None = None,
    ) -> None:  # fmt: skip
        key = ENTITIES[entity].key
        texts = [rows[name].cast(pa.string()) for name in key]
        self._records.append(
            _records(
                self._dates[delivery], entity, kind, fate, reason, column,
                count=len(rows),
                line_no=None if lines is None else pa.array(lines),
                key_columns=", ".join(key),
                key=pc.binary_join_element_wise(*texts, ", ", null_handling="replace", null_replacement=""),
                known_on=None if known_on is None else columns.dates(known_on),
            )
        )  # fmt: skip


def _records(
    delivery: date | None, entity: str, fault: str, fate: str, reason: str | None = None,
    column: str | None = None, rows: int = 1, count: int = 1, **columns_given: Any,
) -> pa.Table:  # fmt: skip
    """`count` rows of PLANTED; what is not given is null."""
    given = {
        "delivery": delivery, "entity": entity, "fault": fault, "fate": fate, "reason_code": reason,
        "column_name": column, "rows": rows, **columns_given,
    }  # fmt: skip
    return changed(pa.table([pa.nulls(count, kind) for kind in PLANTED.types], schema=PLANTED), **given)


def _as_text(rows: pa.Table, names: frozenset[str]) -> pa.Table:
    for name in sorted(names):
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, pa.field(name, pa.string()), rows[name].cast(pa.string()))
    return rows
