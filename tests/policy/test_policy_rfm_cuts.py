"""Frozen cuts give the scores of the quantile rule, whatever is tied."""

from hypothesis import given
from hypothesis import strategies as st

from policy.rfm_cuts import quantile_cuts


def counts_of(values: list[int]) -> list[tuple[int, int]]:
    return [(value, values.count(value)) for value in sorted(set(values))]


@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), st.integers(2, 5))
def test_each_value_has_the_score_of_its_cumulated_share(values: list[int], bins: int) -> None:
    cuts = quantile_cuts(counts_of(values), bins)
    assert sorted(cuts) == list(range(2, bins + 1))
    assert [cuts[score] for score in sorted(cuts)] == sorted(cuts.values())
    for value in values:
        at_or_below = sum(other <= value for other in values)
        by_share = -(-bins * at_or_below // len(values))
        assert 1 + sum(value >= cut for cut in cuts.values()) == by_share


def test_ties_leave_a_score_to_nobody() -> None:
    """Three of five at the lowest value have score 3, and nobody scores below."""
    assert quantile_cuts([(1, 3), (4, 1), (9, 1)], 5) == {2: 1, 3: 1, 4: 4, 5: 9}
