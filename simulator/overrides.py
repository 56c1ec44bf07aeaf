"""Tiers that staff set by hand: few, with a reason and an end, some of them replaced before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from simulator import columns
from simulator.calendar import NEVER, Days
from simulator.parameters import Parameters
from simulator.people import Customers, customer_ids
from simulator.plan import Plan

Array = npt.NDArray[Any]

ONE_IN, FEWEST = 2_000, 4
FEWEST_DAYS, MOST_DAYS = 30, 183
# Some are replaced half-way: ended early, and another tier set for the rest of the time.
REPLACED_SHARE = 0.3
STAFF_NUMBERS = (1_000, 9_999)


@dataclass(frozen=True)
class Occasion:
    """Why staff overrule a scheme: the tier set, and the one that replaces it when it is looked at again."""

    scheme: str
    tier: str
    replaced_by: str
    reason: str


OCCASIONS = (
    Occasion("value_tier", "high", "mid", "moves its turnover here from another bank, contracts seen"),
    Occasion("pyramid_tier", "vip", "important", "owner of a corporate client of the bank"),
    Occasion("asset_tier", "affluent", "mass", "assets in custody elsewhere, statement seen"),
    Occasion("loyalty_class", "gold", "silver", "goodwill after a justified complaint"),
    Occasion("savings_grade", "risk", "ordinary", "guarantor of a loan under recovery at another bank"),
    Occasion("risk_appetite", "conservative", "steady", "protection asked for by the customer's family"),
    Occasion("lifecycle_stage", "maturity", "decline", "balance moved for a house purchase, comes back"),
)


def tier_overrides(parameters: Parameters, customers: Customers, truth: Plan) -> tuple[pa.Table, Days]:
    """The `tier_overrides` file and the day from which each row holds, on which it was entered too.

    Spread evenly over the data, so that some have expired on its last day and some hold.
    """
    rng = parameters.generator("tier overrides")
    count = max(round(len(customers) / ONE_IN), FEWEST)
    span = parameters.last_day - parameters.first_day
    starts = parameters.first_day + ((np.arange(count) + rng.random(count)) / count * span).astype(np.int64)
    customer = _present(rng, customers, truth, starts)
    occasion = rng.integers(0, len(OCCASIONS), count)
    days = rng.integers(FEWEST_DAYS, MOST_DAYS + 1, count)
    author = rng.integers(*STAFF_NUMBERS, count)
    is_replaced = np.zeros(count, dtype=bool)
    is_replaced[rng.permutation(count)[: max(round(REPLACED_SHARE * count), 1)]] = True
    replaced_on = np.where(is_replaced, starts + days // 2, NEVER)

    # A version each when it is set and when it is ended early, and the override in its place.
    first, replaced = np.arange(count), np.flatnonzero(is_replaced)
    row = np.concatenate([first, replaced, replaced])
    is_end = np.repeat([False, True, False], (count, len(replaced), len(replaced)))
    is_successor = np.repeat([False, False, True], (count, len(replaced), len(replaced)))
    since = np.where(is_end | is_successor, replaced_on[row], starts[row])
    number = np.where(is_successor, count + np.cumsum(is_successor), row + 1)
    tiers = sorted({tier for entry in OCCASIONS for tier in (entry.tier, entry.replaced_by)})
    usual = np.array([tiers.index(entry.tier) for entry in OCCASIONS])
    instead = np.array([tiers.index(entry.replaced_by) for entry in OCCASIONS])
    what = occasion[row]
    table = pa.table(
        {
            "override_id": columns.identifiers("O", number, 6),
            "customer_id": customer_ids(customer[row]),
            "scheme": columns.labels([entry.scheme for entry in OCCASIONS], what),
            "tier": columns.labels(tiers, np.where(is_successor, instead[what], usual[what])),
            "author": columns.identifiers("S", author[row], 5),
            "reason": columns.labels([entry.reason for entry in OCCASIONS], what),
            "starts_on": columns.dates(np.where(is_successor, since, starts[row])),
            "expires_on": columns.dates(np.where(is_end, since, (starts + days)[row])),
            "valid_from": columns.dates(since),
            "known_at": columns.evenings(since),
        }
    )
    return table, since


def _present(rng: np.random.Generator, customers: Customers, truth: Plan, days: Days) -> Array:
    """One customer for each day, none twice, who is with the bank on it; shape (days,)."""
    # A hundred a day suffice by far: most customers are with the bank nearly all the time.
    order = rng.permutation(len(customers))[: 100 * len(days)]
    chosen = np.empty(len(days), dtype=np.int64)
    for place, day in enumerate(days):
        here = (customers.opened[order] < day) & (truth.closes[order] > day)
        found = np.flatnonzero(here)[0]
        chosen[place] = order[found]
        order = np.delete(order, found)
    return chosen
