"""The postings of one month: collected block by block, put in order, written as `transactions` rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from simulator import columns
from simulator.portfolio import account_ids, currencies

Array = npt.NDArray[Any]

TYPES = (
    "cash_deposit", "cash_withdrawal", "card_payment", "transfer_in", "transfer_out", "standing_order",
    "salary", "pension", "loan_payment", "interest", "fee", "penalty", "other",
)  # fmt: skip
TYPE = {name: code for code, name in enumerate(TYPES)}
CHANNELS = ("branch", "atm", "pos", "mobile", "web", "phone", "system")
CHANNEL = {name: code for code, name in enumerate(CHANNELS)}
DIRECTIONS = ("debit", "credit")


@dataclass
class Postings:
    """Postings, arrays of shape (postings,); `cents` of the account's currency, credits positive.

    `reverses` is the position of the posting that this one takes back, -1 for all others.
    """

    account: Array
    day: Array
    cents: Array
    kind: Array
    channel: Array
    is_initiated: Array
    reverses: Array

    def __len__(self) -> int:
        return len(self.account)


class Journal:
    """Collects a month's postings; those without an amount are dropped."""

    def __init__(self) -> None:
        self._blocks: list[tuple[Array, ...]] = []
        self._size = 0

    def post(
        self,
        account: Array,
        day: Array | int,
        cents: Array,
        kind: Array | int,
        channel: Array | int = CHANNEL["system"],
        *,
        is_initiated: bool = False,
        reverses: Array | int = -1,
    ) -> int:
        """Add postings (arrays of one shape, or one value for all); returns the position of the first."""
        first = self._size
        some = cents != 0
        block = np.broadcast_arrays(account, day, cents, kind, channel, is_initiated, reverses)
        kept = tuple(part[some] for part in block)
        self._blocks.append(kept)
        self._size += len(kept[0])
        return first

    def collected(self) -> Postings:
        """All postings so far, in the order in which they came."""
        if not self._blocks:
            empty = np.zeros(0, dtype=np.int64)
            return Postings(empty, empty, empty, empty, empty, empty.astype(bool), empty)
        return Postings(*(np.concatenate(parts) for parts in zip(*self._blocks, strict=True)))


def by_day(postings: Postings) -> Postings:
    """The same postings ordered by day, reversals pointing at the new positions."""
    order = np.argsort(postings.day, kind="stable")
    position = np.empty(len(order), dtype=np.int64)
    position[order] = np.arange(len(order))
    moved = np.where(postings.reverses >= 0, position[postings.reverses], -1)
    return Postings(
        account=postings.account[order],
        day=postings.day[order],
        cents=postings.cents[order],
        kind=postings.kind[order],
        channel=postings.channel[order],
        is_initiated=postings.is_initiated[order],
        reverses=moved[order],
    )


def transactions(
    postings: Postings, is_foreign: Array, first_number: int, known_day: Array, hour: Array
) -> pa.Table:
    """Rows of the `transactions` file; numbers run on from `first_number`, `is_foreign` is by account.

    `known_day` and `hour` (negative: none) are by posting.
    """
    reversed_number = np.where(postings.reverses >= 0, postings.reverses + first_number, -1)
    return pa.table(
        {
            "transaction_id": transaction_ids(np.arange(first_number, first_number + len(postings))),
            "account_id": account_ids(postings.account),
            "booked_on": columns.dates(postings.day),
            "direction": columns.labels(DIRECTIONS, postings.cents > 0),
            "amount": columns.money(np.abs(postings.cents)),
            "currency_code": currencies(is_foreign[postings.account]),
            "transaction_type": columns.labels(TYPES, postings.kind),
            "channel": columns.labels(CHANNELS, postings.channel),
            "is_customer_initiated": pa.array(postings.is_initiated),
            "reverses_transaction_id": transaction_ids(reversed_number),
            "booked_hour": columns.integers(hour),
            "known_at": columns.evenings(known_day),
        }
    )


def transaction_ids(numbers: Array) -> pa.Array:
    """The bank's transaction ids; a negative number becomes null; shape (n,)."""
    return columns.identifiers("T", numbers, 10)
