"""Nothing trains whose outcome was not known before its test."""

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.churn.splits import choice_folds, customer_folds, expanding_folds

MONTH_ENDS = [date(2025, 11, 30), date(2025, 12, 31), date(2026, 1, 31), date(2026, 2, 28)]
MONTH_ENDS += [date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31), date(2026, 6, 30)]

dates = st.lists(st.dates(date(2020, 1, 1), date(2024, 12, 31)), max_size=40)
embargo = st.integers(1, 400)
width = st.integers(1, 4)


@given(dates, embargo, width)
def test_every_training_outcome_is_known_before_the_first_test_snapshot(days, embargo_days, test_snapshots):
    for fold in expanding_folds(days, embargo_days=embargo_days, test_snapshots=test_snapshots):
        assert max(fold.train_dates) + timedelta(days=embargo_days) <= min(fold.test_dates)
        assert len(fold.test_dates) == test_snapshots


@given(dates, embargo, width)
def test_folds_expand_use_every_date_they_may_and_end_with_the_newest(days, embargo_days, test_snapshots):
    folds = expanding_folds(days, embargo_days=embargo_days, test_snapshots=test_snapshots)
    for before, after in pairwise(folds):
        assert set(before.train_dates) <= set(after.train_dates)
        assert before.test_dates < after.test_dates
    for fold in folds:
        allowed = {day for day in days if day + timedelta(days=embargo_days) <= fold.test_dates[0]}
        assert set(fold.train_dates) == allowed
    if folds:
        assert folds[-1].test_dates[-1] == max(days)
    reachable = sorted(set(days))[-test_snapshots:]
    possible = len(reachable) == test_snapshots and min(days) + timedelta(days=embargo_days) <= reachable[0]
    assert bool(folds) == possible


@given(dates, embargo, width)
def test_no_date_is_on_both_sides(days, embargo_days, test_snapshots):
    for fold in expanding_folds(days, embargo_days=embargo_days, test_snapshots=test_snapshots):
        assert not set(fold.train_dates) & set(fold.test_dates)


def test_month_ends_with_120_days_of_embargo():
    folds = expanding_folds(MONTH_ENDS, embargo_days=120)
    assert [(fold.train_dates[-1], fold.test_dates) for fold in folds] == [
        (date(2025, 11, 30), (date(2026, 3, 31),)),
        (date(2025, 12, 31), (date(2026, 4, 30),)),
        (date(2026, 1, 31), (date(2026, 5, 31),)),
        (date(2026, 2, 28), (date(2026, 6, 30),)),
    ]


@given(dates, embargo, st.integers(1, 5))
def test_every_outcome_that_the_choice_sees_is_known_before_the_final_test(days, embargo_days, at_most):
    folds = expanding_folds(days, embargo_days=embargo_days)
    chosen = choice_folds(folds, embargo_days=embargo_days, at_most=at_most)
    assert len(chosen) <= at_most
    for fold in chosen:
        assert fold.test_dates[-1] + timedelta(days=embargo_days) <= folds[-1].test_dates[0]
        assert fold.test_dates[-1] in folds[-1].train_dates


def test_a_young_bank_has_no_fold_to_choose_on_and_an_older_one_its_newest():
    young = expanding_folds(MONTH_ENDS, embargo_days=120)
    assert choice_folds(young, embargo_days=120, at_most=2) == []
    older = expanding_folds([date(2025, month, 1) for month in range(1, 13)], embargo_days=120)
    assert [fold.test_dates[0].month for fold in choice_folds(older, embargo_days=120, at_most=9)] == [
        5,
        6,
        7,
        8,
    ]
    assert [fold.test_dates[0].month for fold in choice_folds(older, embargo_days=120, at_most=2)] == [7, 8]
    assert choice_folds([], embargo_days=120, at_most=2) == []


@given(st.lists(st.integers(0, 30), min_size=40, max_size=80), st.integers(0, 99))
def test_no_month_of_a_customer_is_on_both_sides_and_every_row_tests_once(numbers, seed):
    customers = np.array([f"c{number}" for number in [*numbers, 31, 32, 33]], dtype=object)
    folds = customer_folds(customers, count=3, seed=seed)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(customers)))
    for train, test in folds:
        assert not set(customers[train]) & set(customers[test])
        assert len(train) + len(test) == len(customers)


def test_no_embargo_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        expanding_folds(MONTH_ENDS, embargo_days=0)
