"""Money: the published values, exact integrals against brute force, ties, and the list under a capacity."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta

from ml.churn import evaluate, money
from ml.churn.params import Economics

PUBLISHED = Economics()
seeds = st.integers(0, 2**32 - 1)


def drawn(seed, rows=40):
    """Outcomes with both classes, and scores with ties that know a little of them."""
    rng = np.random.default_rng(seed)
    churned = np.append(rng.integers(0, 2, rows), [0, 1])
    return churned, np.round(0.4 * rng.random(rows + 2) + 0.3 * churned * rng.random(rows + 2), 1)


def test_the_published_values_of_the_metric():
    churned = np.array([0, 1, 0, 1, 0, 1, 0, 1])
    found = money.empc(churned, np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.8, 0.9]), PUBLISHED)
    assert found.amount == pytest.approx(23.8755934, abs=5e-8)
    assert found.fraction == pytest.approx(0.87437, abs=5e-6)


def test_a_perfect_ranking_reaches_every_churner_and_nobody_else():
    churned = np.array([0, 1] * 10)
    found = money.empc(churned, churned, PUBLISHED)
    # 200 (.3 x .95 - .005) x .5: the break-even of g below .0053 is never met.
    assert (found.amount, found.fraction) == (pytest.approx(28.0, abs=1e-9), pytest.approx(0.5, abs=1e-9))
    at_mean = money.mpc(churned, churned, PUBLISHED)
    assert (at_mean.amount, at_mean.fraction) == (pytest.approx(28.0), 0.5)


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_the_integral_is_that_of_the_best_cut_for_every_acceptance(seed):
    churned, score = drawn(seed)
    customers, churners = money.tied_groups(churned, score)
    listed = np.append(0, np.cumsum(customers)) / len(churned)
    found = np.append(0, np.cumsum(churners)) / len(churned)

    def best(g):
        return (found * (g * 190 - 1) - (listed - found) * 11).max() * beta.pdf(g, 6, 14)

    kinks = np.linspace(0, 1, 41)[1:-1]
    by_force, _ = quad(best, 0, 1, points=kinks, limit=400, epsabs=1e-8)
    assert money.empc(churned, score, PUBLISHED).amount == pytest.approx(by_force, abs=1e-5)


@given(seeds)
def test_only_the_ranking_counts_and_no_order_of_rows(seed):
    churned, score = drawn(seed)
    order = np.random.default_rng(seed).permutation(len(churned))
    for figure in (money.empc, money.mpc):
        one = figure(churned, score, PUBLISHED)
        assert figure(churned[order], np.exp(3 * score[order]), PUBLISHED) == one
    # The expected maximum is above the maximum at the expected acceptance, and neither loses money.
    assert money.empc(churned, score, PUBLISHED).amount >= money.mpc(churned, score, PUBLISHED).amount >= 0


def test_equal_scores_are_one_campaign_to_all_or_to_nobody():
    rare, common = np.arange(100) < 10, np.arange(100) < 50
    flat = np.full(100, 0.3)
    # 10 (.3 x 190 - 1) - 90 x 11 < 0: an offer to all would lose money at the mean acceptance.
    assert money.mpc(rare, flat, PUBLISHED) == money.Profit(0.0, 0.0)
    at_mean = money.mpc(common, flat, PUBLISHED)
    assert (at_mean.amount, at_mean.fraction) == (pytest.approx((50 * 56 - 50 * 11) / 100), 1.0)


def test_the_profit_curve_begins_at_nothing_and_ends_with_all():
    churned, score = drawn(4)
    shares, profits = money.profit_curve(churned, score, PUBLISHED)
    assert (shares[0], profits[0], shares[-1]) == (0.0, 0.0, 1.0)
    all_of_them = money.offer_value(churned, PUBLISHED).mean()
    assert profits[-1] == pytest.approx(all_of_them)
    assert profits.max() == money.mpc(churned, score, PUBLISHED).amount


def test_the_value_of_an_offer_by_hand():
    # .2 x .3 x 190 - .8 x 10 - 1
    assert money.offer_value(np.array([0.2]), PUBLISHED) == pytest.approx([2.4])
    richer = replace(PUBLISHED, lifetime_value=1000.0)
    assert money.offer_value(np.array([0.2]), richer) == pytest.approx([50.4])


@pytest.mark.parametrize(
    ("capacity", "listed", "threshold"),
    [(0, [], None), (1, [1], 0.5), (2, [1], 0.5), (3, [0, 1, 3], 0.3), (9, [0, 1, 3], 0.3)],
)
def test_the_list_is_the_best_by_value_within_the_capacity_and_takes_equals_together(
    capacity, listed, threshold
):
    probability = np.array([0.3, 0.5, 0.01, 0.3, 0.1])
    found = money.offer_list(probability, capacity, PUBLISHED)
    assert np.flatnonzero(found.is_listed).tolist() == listed
    if threshold is None:
        assert (found.threshold, found.expected_profit) == (None, 0.0)
    else:
        assert found.threshold == pytest.approx(threshold * 57 - (1 - threshold) * 10 - 1)
        values = money.offer_value(probability, PUBLISHED)
        assert found.expected_profit == pytest.approx(values[listed].sum())


def test_money_follows_the_economics_of_the_bank():
    churned, score = drawn(11)
    dearer = replace(PUBLISHED, contact_cost=40.0)
    richer = replace(PUBLISHED, lifetime_value=900.0)
    amounts = [money.empc(churned, score, one).amount for one in (dearer, PUBLISHED, richer)]
    assert amounts == sorted(amounts)
    assert amounts[0] < amounts[1] < amounts[2]
    metrics = evaluate.metrics(churned, score, richer)
    assert (metrics["empc"], metrics["mpc"]) == (amounts[2], money.mpc(churned, score, richer).amount)
