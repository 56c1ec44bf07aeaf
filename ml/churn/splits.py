"""Split by time: nothing trains whose outcome was not known before the first test snapshot."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True)
class Fold:
    """Snapshots to train on and to test on, both ascending; never empty."""

    train_dates: tuple[date, ...]
    test_dates: tuple[date, ...]


def expanding_folds(dates: Iterable[date], *, embargo_days: int, test_snapshots: int = 1) -> list[Fold]:
    """Folds by expanding windows, oldest test first; the last one is the final test.

    A fold tests on `test_snapshots` neighbouring snapshots and trains on every snapshot at least
    `embargo_days` before the first of them. Dates may come in any order and repeat. The list is empty when no
    snapshot is old enough.
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


def choice_folds(folds: list[Fold], *, embargo_days: int, at_most: int) -> tuple[list[Fold], bool]:
    """The newest folds before the final test on which candidates are compared, and whether they are embargoed
    from it.

    Embargoed: every outcome that the choice sees is known before the final test. A young bank has no such
    fold; then the choice (never the fit) may see outcomes that overlap the final test's, and the caller
    reports it.
    """
    if not folds:
        return [], True
    first_test = folds[-1].test_dates[0]
    known = [fold for fold in folds if fold.test_dates[-1] <= first_test - timedelta(days=embargo_days)]
    if known:
        return known[-at_most:], True
    return [fold for fold in folds if fold.test_dates[-1] < first_test][-at_most:], False
