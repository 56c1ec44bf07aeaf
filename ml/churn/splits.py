"""Split by time: nothing trains whose outcome was not known before the first test snapshot; and by
customer.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Fold:
    """Snapshots to train on and to test on, both ascending; never empty."""

    train_dates: tuple[date, ...]
    test_dates: tuple[date, ...]


def expanding_folds(dates: Iterable[date], *, embargo_days: int, test_snapshots: int = 1) -> list[Fold]:
    """Folds by expanding windows, oldest test first; the last one is the final test.

    A fold tests on `test_snapshots` neighbouring snapshots and trains on every snapshot at least
    `embargo_days` before the first of them: an outcome that ends on the test day is known by the same cutoff
    (the day and the landing lag) as the features of that day. Dates may come in any order and repeat. The
    list is empty when no snapshot is old enough.
    """
    if embargo_days < 1:
        raise ValueError("embargo_days must be at least 1: an outcome lies after its snapshot")
    snapshots = sorted(set(dates))
    folds = []
    for end in range(test_snapshots, len(snapshots) + 1):
        test = tuple(snapshots[end - test_snapshots : end])
        train = tuple(day for day in snapshots if day <= test[0] - timedelta(days=embargo_days))
        if train:
            folds.append(Fold(train_dates=train, test_dates=test))
    return folds


def choice_folds(folds: list[Fold], *, embargo_days: int, at_most: int) -> list[Fold]:
    """The newest folds before the final test on which candidates may be compared: every outcome that they see
    is known before the final test. A young bank has few or none; see customer_folds().
    """
    if not folds:
        return []
    last_known = folds[-1].test_dates[0] - timedelta(days=embargo_days)
    return [fold for fold in folds if fold.test_dates[-1] <= last_known][-at_most:]


def customer_folds(customers: Array, *, count: int, seed: int) -> list[tuple[Array, Array]]:
    """`count` pairs of row numbers (train, test), apart by customer: no month of a customer is on both sides.

    `customers` (rows,) of ids. Fewer customers than `count` are a ValueError.
    """
    # Numbers in the order of the ids: the folds are the same, and text is compared sixty times as slowly.
    numbered = np.unique(customers.astype(str), return_inverse=True)[1]
    folds = GroupKFold(count, shuffle=True, random_state=seed)
    return list(folds.split(numbered, groups=numbered))
