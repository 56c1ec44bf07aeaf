"""Intervals: the weighted figures are those of evaluate, the draws are of customers, and what is covered."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from threadpoolctl import threadpool_limits

from ml.churn import evaluate
from ml.churn.intervals import (
    FEWEST,
    MOST_WORK,
    Drawn,
    count_draws,
    customer_draws,
    interval,
)
from ml.churn.params import Economics

PUBLISHED = Economics()


def population(seed, rows, levels=None, base=-2.0):
    """Outcomes drawn from the probabilities given beside them."""
    rng = np.random.default_rng(seed)
    probability = expit(base + 1.2 * rng.normal(size=rows))
    if levels:
        probability = np.ceil(probability * levels) / (levels + 1)
    return (rng.random(rows) < probability).astype(int), probability


def drawn_figures(churned, probability, customers, draws, seed=1):
    """Every figure in every draw."""
    drawn = Drawn(churned, probability, probability >= np.quantile(probability, 0.9), PUBLISHED)
    blocks = [drawn.figures(weights) for weights in customer_draws(customers, draws, seed)]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([None, 5, 12]))
def test_with_every_row_once_the_figures_are_those_of_metrics_and_selection(seed, levels):
    churned, probability = population(seed, 200, levels)
    churned[:2] = [0, 1]
    is_selected = probability >= np.quantile(probability, 0.8)
    plain = evaluate.metrics(churned, probability, PUBLISHED) | evaluate.selection(churned, is_selected)
    found = Drawn(churned, probability, is_selected, PUBLISHED).figures(np.ones((200, 1)))
    for name, values in found.items():
        assert values[0] == pytest.approx(plain[name], abs=1e-9), name


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=25)
def test_a_weight_counts_as_that_many_rows(seed):
    churned, probability = population(seed, 150, 12)
    churned[:2] = [0, 1]
    is_selected = probability >= np.quantile(probability, 0.8)
    weights = np.append([1, 1], np.random.default_rng(seed).integers(0, 4, 148))
    rows = np.repeat(np.arange(150), weights)
    plain = evaluate.metrics(churned[rows], probability[rows], PUBLISHED)
    plain |= evaluate.selection(churned[rows], is_selected[rows])
    found = Drawn(churned, probability, is_selected, PUBLISHED).figures(weights[:, None].astype(float))
    # The calibration takes one Newton step from the fit of all rows; the others are exact.
    for name in set(found) - {"calibration_slope", "calibration_intercept"}:
        assert found[name][0] == pytest.approx(plain[name], abs=1e-9), name


def test_one_newton_step_is_near_the_whole_fit():
    churned, probability = population(3, 4000)
    drawn = Drawn(churned, probability, probability > 0.5, PUBLISHED)
    (weights,) = customer_draws(np.arange(4000), 20, seed=2)
    stepped = drawn.figures(weights)
    for number, row in enumerate(weights.T.astype(int)):
        rows = np.repeat(np.arange(4000), row)
        slope, intercept = evaluate.calibration_line(churned[rows], probability[rows])
        # Standard errors are .05 and .06.
        assert stepped["calibration_slope"][number] == pytest.approx(slope, abs=0.01)
        assert stepped["calibration_intercept"][number] == pytest.approx(intercept, abs=0.005)


def delong(churned, probability):
    """Variance of the AUC by DeLong, DeLong, Clarke-Pearson 1988, for independent rows."""
    ones, zeros = probability[churned == 1], probability[churned == 0]
    wins = (ones[:, None] > zeros) + 0.5 * (ones[:, None] == zeros)
    return wins.mean(axis=1).var(ddof=1) / len(ones) + wins.mean(axis=0).var(ddof=1) / len(zeros)


def test_the_interval_of_the_auc_is_delongs_where_rows_are_independent():
    churned, probability = population(5, 2000)
    found = drawn_figures(churned, probability, np.arange(2000), 1000)["auc"]
    assert found.std() == pytest.approx(np.sqrt(delong(churned, probability)), rel=0.08)
    low, high = interval(found, 0.95)
    assert low < evaluate.metrics(churned, probability)["auc"] < high


def test_the_months_of_one_customer_are_one_piece_of_evidence():
    churned, probability = population(6, 800)
    alone = drawn_figures(churned, probability, np.arange(800), 400)["auc"].std()
    repeated = [np.tile(values, 4) for values in (churned, probability, np.arange(800))]
    together = drawn_figures(*repeated, draws=400)["auc"].std()
    by_row = drawn_figures(repeated[0], repeated[1], np.arange(3200), 400)["auc"].std()
    assert together == pytest.approx(alone, rel=1e-6)
    # Rows taken as independent would promise twice the precision.
    assert by_row == pytest.approx(alone / 2, rel=0.2)


@pytest.mark.parametrize(("name", "truth"), [("calibration_intercept", 0.0), ("calibration_slope", 1.0)])
def test_nine_of_ten_intervals_hold_what_is_true(name, truth):
    covered = []
    for seed in range(80):
        churned, probability = population(seed, 600)
        low, high = interval(drawn_figures(churned, probability, np.arange(600), 120, seed)[name], 0.9)
        covered.append(low <= truth <= high)
    assert 0.8 <= np.mean(covered) <= 0.98


def test_the_draws_are_of_customers_and_do_not_depend_on_the_order_of_rows():
    customers = np.array(["b", "a", "c", "a", "d"])
    (weights,) = customer_draws(customers, 50, seed=3)
    assert (weights[1] == weights[3]).all()
    once_a_customer = weights[[0, 1, 2, 4]]
    assert (once_a_customer.sum(axis=0) == 4).all()
    order = np.array([3, 0, 4, 1, 2])
    (shuffled,) = customer_draws(customers[order], 50, seed=3)
    assert (shuffled == weights[order]).all()
    (other,) = customer_draws(customers, 50, seed=4)
    assert (other != weights).any()


def test_blocks_of_draws_are_bounded_and_add_up(monkeypatch):
    monkeypatch.setattr("ml.churn.intervals.CELLS", 1000)
    blocks = list(customer_draws(np.arange(300), 10, seed=1))
    assert [block.shape for block in blocks] == [(300, 3), (300, 3), (300, 3), (300, 1)]
    assert len(np.unique(np.concatenate(blocks, axis=1)[0])) > 1


def test_large_parts_take_fewer_draws():
    assert count_draws(20_000, 500) == 500
    assert count_draws(200_000, 500) == MOST_WORK // 200_000 == 250
    assert count_draws(10_000_000, 500) == FEWEST
    assert count_draws(10_000_000, 50) == 50


def test_a_figure_that_draws_often_lack_has_no_interval():
    assert interval(np.array([np.nan, *np.arange(99.0)]), 0.95) == pytest.approx([2.45, 95.55])
    assert interval(np.array([np.nan] * 10 + [1.0] * 90), 0.95) is None
    assert interval(np.full(5, np.nan), 0.95) is None


def test_draws_of_one_class_have_no_ranking():
    churned, probability = np.array([1, 0, 0]), np.array([0.5, 0.4, 0.1])
    drawn = Drawn(churned, probability, probability > 0.45, PUBLISHED)
    found = drawn.figures(np.array([[0.0, 2, 1], [1, 1, 1]]).T)
    assert np.isnan(found["auc"]).tolist() == [True, False]
    assert np.isnan(found["empc"]).tolist() == [True, False]
    assert found["brier"][0] == pytest.approx((2 * 0.16 + 0.01) / 3)
    assert found["churn_rate"].tolist() == [0.0, pytest.approx(1 / 3)]


def test_twenty_thousand_rows_and_five_hundred_draws_take_seconds():
    churned, probability = population(1, 20_000, base=-3.0)
    begun = time.process_time()
    with threadpool_limits(1):
        assert len(drawn_figures(churned, probability, np.arange(20_000), 500)["auc"]) == 500
    # 1 s of processor time in 2026-11; a loop over scikit-learn takes minutes.
    assert time.process_time() - begun < 15
