"""A feature that knows the outcome is found in whatever guise; an honest one is not accused."""

import numpy as np
import pandas as pd
import pytest

from ml.churn.leaks import find_leaks, tell
from ml.churn.params import Feature

RNG = np.random.default_rng(2)
CHURNED = (RNG.random(2000) < 0.05).astype(np.int8)
NOISE = RNG.normal(size=2000)
TOLD = np.where(CHURNED == 1, 1.0, NOISE * 0.01)


def found(values, kind="count", least=10, train_values=None):
    feature = Feature("suspect", kind, "", None, 0)
    test = pd.DataFrame({"is_churned": CHURNED, "suspect": values})
    train = test if train_values is None else test.assign(suspect=train_values)
    return find_leaks(train, test, [feature], least)


@pytest.mark.parametrize(
    ("values", "auc"),
    [
        (CHURNED.astype(float), 1.0),
        (-TOLD, 0.0),
        (np.where(CHURNED == 1, np.nan, NOISE), 0.0),
        (np.where(CHURNED == 1, 3.0, np.nan), 1.0),
        # Known for a part of the customers only.
        (np.where(RNG.random(2000) < 0.5, TOLD, np.nan), 1.0),
    ],
)
def test_a_number_that_knows_is_found(values, auc):
    leaks = found(values)
    assert abs(leaks["suspect"] - auc) < 0.01
    assert "suspect (AUC" in tell(leaks)


def test_a_word_that_knows_is_found_by_its_rate_in_the_training_part():
    words = np.where(CHURNED == 1, "closing", "open").astype(object)
    assert found(words, "category") == {"suspect": 1.0}
    nulls = np.where(CHURNED == 1, None, "open").astype(object)
    assert found(nulls, "category") == {"suspect": 1.0}
    # A word that the training part never saw says nothing.
    assert found(words, "category", train_values=np.full(2000, "other", dtype=object)) == {}


@pytest.mark.parametrize(
    "values",
    [
        NOISE,
        NOISE + 3 * CHURNED,
        np.full(2000, np.nan),
        np.full(2000, 1.0),
        # Two known values that happen to lie apart are no proof.
        np.where(np.arange(2000) < 2, np.arange(2000), np.nan),
    ],
)
def test_an_honest_number_is_not_accused(values):
    assert found(values) == {}


def test_without_two_outcomes_nothing_is_told():
    feature = Feature("suspect", "count", "", None, 0)
    rows = pd.DataFrame({"is_churned": [0, 0], "suspect": [1.0, 2.0]})
    assert find_leaks(rows, rows, [feature], 10) == {}
