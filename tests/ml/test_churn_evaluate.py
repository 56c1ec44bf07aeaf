"""Figures against published values, ties, and what cannot be computed."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.churn import evaluate


@pytest.fixture(scope="module")
def plan():
    """The plan's 500,000 customers by tier (low, mid, high), each predicted by the rate of the tier."""
    sizes, rates = [200_000, 200_000, 100_000], [0.10, 0.05, 0.02]
    churned = np.concatenate(
        [np.arange(size) < round(size * rate) for size, rate in zip(sizes, rates, strict=True)]
    )
    return churned.astype(int), np.repeat(rates, sizes)


def test_the_tier_rates_of_the_plan_give_the_reference_figures(plan):
    figures = evaluate.metrics(*plan)
    assert figures["auc"] == pytest.approx(0.640224, abs=5e-7)
    assert figures["ks"] == pytest.approx(0.240385, abs=5e-7)
    assert figures["brier"] == pytest.approx(0.05892, abs=1e-12)
    assert figures["gains"][3] == pytest.approx({"share": 0.4, "captured": 0.625, "lift": 1.5625})
    # Equal scores share their churners: the riskiest tenth is a quarter of the first tier.
    assert figures["lift_top_decile"] == pytest.approx(1.5625)


def test_tier_rates_that_are_right_are_perfectly_calibrated(plan):
    figures = evaluate.metrics(*plan)
    assert figures["calibration_slope"] == pytest.approx(1.0, abs=1e-6)
    assert figures["calibration_intercept"] == pytest.approx(0.0, abs=1e-6)
    assert figures["calibration_error"] == pytest.approx(0.0, abs=1e-12)
    parts = figures["brier_parts"]
    assert parts["reliability"] - parts["resolution"] + parts["uncertainty"] == pytest.approx(0.05892)


def test_promising_twice_the_odds_shows_in_the_intercept_and_half_the_spread_in_the_slope(plan):
    churned, probability = plan
    log_odds = np.log(probability / (1 - probability))
    doubled = 1 / (1 + np.exp(-(log_odds + np.log(2))))
    flattened = 1 / (1 + np.exp(-log_odds / 2))
    assert evaluate.metrics(churned, doubled)["calibration_intercept"] == pytest.approx(-np.log(2), abs=1e-6)
    assert evaluate.metrics(churned, doubled)["calibration_slope"] == pytest.approx(1.0, abs=1e-6)
    assert evaluate.metrics(churned, flattened)["calibration_slope"] == pytest.approx(2.0, abs=1e-6)


@pytest.mark.parametrize(
    ("promised", "seen"),
    [(0.005, 0.05), (0.0025, 0.05), (0.05, 0.0025), (0.001, 0.4), (0.0, 0.05), (1.0, 0.05)],
)
def test_a_promise_however_wrong_has_an_intercept(promised, seen):
    churned = (np.arange(10_000) < 10_000 * seen).astype(int)
    told = np.clip(promised, 1e-8, 1 - 1e-8)
    expected = np.log(seen / (1 - seen)) - np.log(told / (1 - told))
    slope, intercept = evaluate.calibration_line(churned, np.full(10_000, promised))
    assert (slope, intercept) == (None, pytest.approx(expected, abs=1e-6))


def test_spread_scores_that_promise_a_twentieth_have_both_figures():
    log_odds = np.random.default_rng(3).normal(-3, 1, 20_000)
    churned = np.random.default_rng(4).random(20_000) < 1 / (1 + np.exp(-log_odds))
    probability = 1 / (1 + np.exp(-(log_odds - np.log(20))))
    slope, intercept = evaluate.calibration_line(churned.astype(int), probability)
    assert slope == pytest.approx(1.0, abs=0.1)
    # The shift that makes the mean prediction the mean outcome.
    shifted = 1 / (1 + np.exp(-(log_odds - np.log(20) + intercept)))
    assert shifted.mean() == pytest.approx(churned.mean(), abs=1e-9)
    assert intercept == pytest.approx(np.log(20), abs=0.1)


@given(st.integers(0, 2**32 - 1))
def test_no_figure_depends_on_the_order_of_rows(seed):
    rng = np.random.default_rng(seed)
    churned = np.append(rng.integers(0, 2, 60), [0, 1])
    probability = rng.integers(1, 9, 62) / 10
    order = rng.permutation(62)
    one, other = evaluate.metrics(churned, probability), evaluate.metrics(churned[order], probability[order])
    for name in ("auc", "average_precision", "ks", "brier", "calibration_error", "lift_top_decile"):
        assert one[name] == pytest.approx(other[name], abs=1e-12)
    gains = [step["captured"] for step in one["gains"]]
    assert gains == pytest.approx([step["captured"] for step in other["gains"]])
    assert gains == sorted(gains)
    assert gains[-1] == pytest.approx(1.0)


def test_equal_scores_rank_nobody():
    churned = np.array([1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    figures = evaluate.metrics(churned, np.full(10, 0.3))
    assert (figures["auc"], figures["ks"], figures["lift_top_decile"]) == (0.5, 0.0, pytest.approx(1.0))
    assert figures["calibration_slope"] is None
    assert figures["calibration_intercept"] == pytest.approx(np.log(0.25) - np.log(0.3 / 0.7))


@pytest.mark.parametrize("churned", [[], [0, 0, 0], [1, 1]])
def test_one_class_has_no_ranking_and_no_error(churned):
    figures = evaluate.metrics(np.array(churned, dtype=int), np.linspace(0.1, 0.9, len(churned)))
    assert figures["auc"] is figures["average_precision"] is figures["gains"] is None
    assert figures["rows"] == len(churned)


def test_separable_outcomes_have_no_slope():
    figures = evaluate.metrics(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]))
    assert (figures["auc"], figures["calibration_slope"]) == (1.0, None)


def test_segments_add_up_and_name_the_unknown():
    panel = pd.DataFrame({"is_churned": [0, 1, 0, 1, 0], "value_tier": ["high", "low", None, "low", "low"]})
    found = evaluate.by_segment(panel, np.array([0.1, 0.8, 0.3, 0.2, 0.4]), ("value_tier", "sex"))
    assert list(found) == ["value_tier"]
    assert {value: figures["rows"] for value, figures in found["value_tier"].items()} == {
        "high": 1,
        "low": 3,
        "unknown": 1,
    }
    assert found["value_tier"]["low"]["auc"] == pytest.approx(0.5)


def test_the_baseline_takes_rates_from_the_training_part_only():
    train = pd.DataFrame({"value_tier": ["high", "high", "low", "low"], "is_churned": [0, 0, 1, 0]})
    test = pd.DataFrame({"value_tier": ["low", "high", "new", None], "is_churned": [0, 1, 1, 1]})
    assert evaluate.tier_rate_baseline(train, test).tolist() == [0.5, 0.0, 0.25, 0.25]


def test_directions_ignore_nulls_and_give_up_without_spread():
    panel = pd.DataFrame(
        {"is_churned": [0, 0, 1, 1], "up": [1, 2, 3, np.nan], "down": [4.0, 3, 2, 1], "none": [np.nan] * 4}
    )
    assert evaluate.directions(panel, ["up", "down", "none"]) == {"up": 0.5, "down": -0.5, "none": None}


def test_who_a_capacity_reaches_takes_equals_together():
    probability = np.array([0.9, 0.5, 0.5, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    assert evaluate.capacity_cut(probability, 0.1) == 0.9
    assert evaluate.capacity_cut(probability, 0.3) == 0.9
    assert evaluate.capacity_cut(probability, 0.4) == 0.5
    assert evaluate.capacity_cut(probability, 0.05) is None
    assert evaluate.capacity_cut(np.array([]), 0.5) is None


def test_a_share_of_customers_is_counted_as_it_is_written():
    for customers in (100, 1_000, 550_000):
        for hundredths in range(1, 101):
            assert evaluate.places(customers, hundredths / 100) == customers * hundredths // 100
    assert evaluate.places(7, 0.5) == 3
    assert evaluate.capacity_cut(np.arange(100, 0, -1) / 100, 0.29) == 0.72


def test_selection_and_error_rates_of_a_list_by_hand():
    churned = np.array([1, 1, 0, 0, 0])
    found = evaluate.selection(churned, np.array([True, False, True, False, False]))
    assert found == {"selection_rate": 0.4, "tpr": 0.5, "fpr": pytest.approx(1 / 3)}
    nobody = evaluate.selection(np.zeros(2, dtype=int), np.array([True, False]))
    assert nobody == {"selection_rate": 0.5, "tpr": None, "fpr": 0.5}


def test_rates_by_group_are_of_the_one_list_of_all():
    panel = pd.DataFrame({"is_churned": [1, 0, 1, 0], "sex": ["f", "f", "m", None]})
    is_selected = np.array([True, True, False, False])
    found = evaluate.by_segment(panel, np.array([0.9, 0.8, 0.4, 0.1]), ("sex",), is_selected=is_selected)
    rates = {member: figures["selection_rate"] for member, figures in found["sex"].items()}
    assert rates == {"f": 1.0, "m": 0.0, "unknown": 0.0}
    assert (found["sex"]["m"]["tpr"], found["sex"]["unknown"]["tpr"]) == (0.0, None)


def test_calibration_bins_are_deciles_and_equals_stay_together(plan):
    bins = evaluate.calibration_bins(*plan)
    assert [one["customers"] for one in bins] == [100_000, 200_000, 200_000]
    assert all(one["predicted"] == pytest.approx(one["observed"]) for one in bins)
    many = evaluate.calibration_bins(np.arange(1000) % 2, np.arange(1000) / 1000)
    assert [one["customers"] for one in many] == [100] * 10


def index_panel(index, churned):
    return pd.DataFrame({"risk_index_score": index, "is_churned": churned})


def test_the_risk_index_becomes_a_probability_by_the_training_part():
    rng = np.random.default_rng(1)
    index = rng.uniform(0, 100, 5000)
    churned = (rng.random(5000) < 1 / (1 + np.exp(-(index - 80) / 15))).astype(int)
    test = index_panel(np.array([0.0, 65.0, 80.0, None], dtype=object), [0, 0, 1, 0])
    found = evaluate.risk_index_baseline(index_panel(index, churned), test)
    assert found[:3] == pytest.approx([0.0048, 0.269, 0.5], abs=0.03)
    # An index that is unknown is taken as the mean, 50.
    assert found[3] == pytest.approx(0.119, abs=0.03)


def test_an_index_that_falls_with_churn_ranks_nobody():
    train = index_panel([90.0, 80, 70, 20, 10, 30], [0, 1, 0, 1, 1, 0])
    assert evaluate.risk_index_baseline(train, train).tolist() == [0.5] * 6


def test_without_an_index_there_is_no_such_baseline():
    panel = pd.DataFrame({"is_churned": [0, 1]})
    assert evaluate.risk_index_baseline(panel, panel) is None
    unknown = index_panel([None, None], [0, 1])
    assert evaluate.risk_index_baseline(unknown, unknown) is None
