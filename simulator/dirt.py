"""The faults of a real extract, few and counted: late rows, rows sent twice, rows that break the contract.

Bad rows are always extra rows, so that the good ones stay whole and the balances keep agreeing with them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from simulator import columns
from simulator.calendar import Days

LATE_SHARE = 0.003
MOST_DAYS_LATE = 10
DUPLICATES_IN_HISTORY = 5
DUPLICATES_SENT_AGAIN = 2
# How many of the bad transactions there are of each reason; conflicts come in pairs.
ORPHANS, BAD_TYPES, NEGATIVES, CONFLICTING_PAIRS = 4, 4, 4, 3
BAD_TRANSACTIONS = {
    "orphan": ORPHANS,
    "enum": BAD_TYPES,
    "range": NEGATIVES,
    "conflicting_duplicate": 2 * CONFLICTING_PAIRS,
}
ORPHAN_BALANCES = 2
# Far above the numbers that real rows reach.
FIRST_BAD_NUMBER = 9_000_000_000
FIRST_UNKNOWN_ACCOUNT = 99_999_000


def known_days(rng: np.random.Generator, booked: Days, last_day: int) -> Days:
    """The day on which each posting was known: its own, for a few up to ten days later; shape of `booked`."""
    is_late = rng.random(len(booked)) < LATE_SHARE
    delay = rng.integers(1, MOST_DAYS_LATE + 1, len(booked))
    return np.where(is_late, np.minimum(booked + delay, last_day), booked)


def bad_transactions(good: pa.Table) -> pa.Table:
    """Rows that ingest must reject, made from the first `good` ones, in the order of BAD_TRANSACTIONS."""
    total = sum(BAD_TRANSACTIONS.values())
    rows = good.take(np.arange(total) % len(good))
    number = FIRST_BAD_NUMBER + np.arange(total)
    first_pair = ORPHANS + BAD_TYPES + NEGATIVES
    number[first_pair + 1 :: 2] -= 1
    place = np.arange(total)
    amount = pc.add(rows["amount"], columns.money(100 * place)).cast(pa.decimal128(18, 2))
    is_negative = (place >= ORPHANS + BAD_TYPES) & (place < first_pair)
    changes = {
        "transaction_id": columns.identifiers("T", number, 10),
        "account_id": pc.if_else(
            pa.array(place < ORPHANS),
            columns.identifiers("A", FIRST_UNKNOWN_ACCOUNT + place, 8),
            rows["account_id"],
        ),
        "amount": pc.if_else(pa.array(is_negative), pc.negate(amount), amount),
        "transaction_type": pc.if_else(
            pa.array((place >= ORPHANS) & (place < ORPHANS + BAD_TYPES)), "cheque", rows["transaction_type"]
        ),
        "reverses_transaction_id": pa.nulls(total, pa.string()),
    }
    return _replace(rows, changes)


def orphan_balances(good: pa.Table) -> pa.Table:
    """Month-end balances of accounts that the bank does not have."""
    unknown = columns.identifiers("A", FIRST_UNKNOWN_ACCOUNT + np.arange(ORPHAN_BALANCES), 8)
    return _replace(good.take(np.arange(ORPHAN_BALANCES)), {"account_id": unknown})


def _replace(table: pa.Table, changes: dict[str, Any]) -> pa.Table:
    arrays = [changes.get(name, table[name]) for name in table.column_names]
    return pa.table(arrays, schema=table.schema)


def late_rows(booked: Days, known: Days, history_day: int) -> tuple[int, int]:
    """How many rows were known late, and how many of them so late that a later delivery brings them."""
    is_late: npt.NDArray[np.bool_] = known > booked
    belonged_earlier = np.where(booked <= history_day, history_day, booked)
    return int(is_late.sum()), int((is_late & (known > belonged_earlier)).sum())
