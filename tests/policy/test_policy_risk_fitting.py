"""Scales, weights of a component and cuts of grades, against figures that can be checked by hand."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.faults import PolicyError
from policy.risk_fitting import (
    GRADE_SHARES,
    Scale,
    fitted_scale,
    grade_cuts,
    principal_weights,
    scaled,
    shares,
    within_the_law,
)


def scale(lower: str, middle: str, upper: str) -> Scale:
    return Scale(Decimal(lower), Decimal(middle), Decimal(upper))


def test_a_scale_runs_between_the_outer_twentieths_with_the_median_in_the_middle() -> None:
    values = np.array([*range(1, 101), np.nan], dtype=float)
    assert fitted_scale(values) == scale("5.00", "50.00", "95.00")


def test_a_median_at_an_end_gives_way_to_the_half_way() -> None:
    assert fitted_scale(np.array([0.0] * 80 + [8.0] * 20)) == scale("0.00", "4.00", "8.00")


@pytest.mark.parametrize("values", [[], [np.nan, np.nan], [7.0] * 50, [1.0] * 99 + [9.0]])
def test_what_is_unknown_or_the_same_for_all_has_no_scale(values: list[float]) -> None:
    assert fitted_scale(np.array(values, dtype=float)) is None


def test_ages_are_told_apart_within_the_law_only() -> None:
    assert within_the_law(scale("15.00", "40.00", "80.00")) == scale("18.00", "40.00", "65.00")
    assert within_the_law(scale("15.00", "16.00", "28.00")) == scale("18.00", "23.00", "28.00")
    assert within_the_law(scale("70.00", "75.00", "80.00")) is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20).map(sorted), st.sampled_from([1, -1]))
def test_a_place_never_falls_towards_risk_and_the_unknown_are_neutral(
    values: list[float], direction: int
) -> None:
    places = scaled(np.array([*values, np.nan]), scale("-5.00", "10.00", "900.00"), direction, 0.5)
    assert (np.diff(places[:-1]) * direction >= 0).all()
    assert ((places >= 0) & (places <= 1)).all()
    assert places[-1] == 0.5


def test_a_component_of_two_groups_weighs_the_larger_one() -> None:
    """Three indicators that are one and the same, and a fourth that knows nothing of them."""
    rng = np.random.default_rng(5)
    one, other = rng.random(4_000), rng.random(4_000)
    component = principal_weights({"a": one, "b": one, "c": one, "d": other}, Decimal("0.5"))
    assert component.explained == pytest.approx(Decimal("0.75"), abs=Decimal("0.01"))
    assert sum(component.weights.values()) == 1
    assert [component.weights[name] for name in "abc"] == pytest.approx(
        [Decimal("0.33")] * 3, abs=Decimal("0.02")
    )
    assert component.weights["d"] < Decimal("0.03")


def test_the_weights_of_an_equal_correlation_are_equal() -> None:
    """Of a correlation r between three the first eigenvalue is 1 + 2r, its vector that of equal parts."""
    rng = np.random.default_rng(7)
    common = rng.standard_normal(200_000)
    places = {name: common + rng.standard_normal(200_000) for name in "abc"}
    component = principal_weights(places, Decimal("0.1"))
    assert component.explained == pytest.approx(Decimal(2) / 3, abs=Decimal("0.005"))
    assert list(component.weights.values()) == pytest.approx([Decimal(1) / 3] * 3, abs=Decimal("0.005"))


def test_a_component_that_explains_too_little_is_refused() -> None:
    rng = np.random.default_rng(3)
    places = {name: rng.random(2_000) for name in "abcde"}
    with pytest.raises(PolicyError, match=r"explains 0\.2\d+ of the variance, less than 0\.3"):
        principal_weights(places, Decimal("0.3"))


def test_a_component_against_a_declared_direction_is_refused_and_names_it() -> None:
    rng = np.random.default_rng(4)
    one = rng.random(2_000)
    places = {"assets": one, "products": one + rng.random(2_000) / 9, "turned": 1 - one}
    with pytest.raises(PolicyError, match="turned would count against the declared direction"):
        principal_weights(places, Decimal("0.3"))


def test_what_does_not_vary_has_no_weight_and_two_are_too_few() -> None:
    one = np.linspace(0, 1, 50)
    still = np.full(50, 0.5)
    component = principal_weights({"a": one, "b": one**2, "c": one**3, "still": still}, Decimal("0.3"))
    assert set(component.weights) == {"a", "b", "c"}
    with pytest.raises(PolicyError, match="2 indicators differ between customers, and 3 are needed"):
        principal_weights({"a": one, "b": one**2, "still": still}, Decimal("0.3"))


@given(st.lists(st.floats(0, 1), min_size=3, max_size=10).filter(lambda values: sum(values) > 0.01))
def test_shares_add_up_to_exactly_one(loadings: list[float]) -> None:
    weights = shares(np.array(loadings))
    assert sum(weights) == 1
    assert all(
        abs(float(weight) - loading / sum(loadings)) < 1.001e-4
        for weight, loading in zip(weights, loadings, strict=True)
    )


def test_cuts_share_out_the_grades_and_equal_scores_are_refused() -> None:
    score = np.arange(1, 1001) / 10.1
    cuts = [float(cut) for cut in grade_cuts(score)]
    found = np.bincount(np.searchsorted(cuts, score, side="right"), minlength=5) / len(score)
    assert found == pytest.approx(GRADE_SHARES, abs=0.002)
    with pytest.raises(PolicyError, match="too many customers have one index"):
        grade_cuts(np.full(100, 40.0))
