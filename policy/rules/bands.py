"""Tiers: all tiers of the scheme, in their order, and bands of the metric without gap or overlap.

The bands are cut by entry bounds alone (a tier reaches up to the entry bound of the next better one), so
they leave no gap and cannot overlap as long as entry bounds fall from tier to tier and the worst tier takes
the rest. Exit bounds have the same duty for who is on the way down: each at most its own entry bound, so
that nobody falls out on the day of entry, and each below that of the next better tier, so that the tier
held is one. An exit bound may lie below the entry bound of the next worse tier: that makes a wide margin,
and no overlap.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from policy.codes import AMOUNT_SCHEMES, SCORE_SCHEMES, TIERS, TIERS_BY_RULE
from policy.rows import Finding, Tier

HIGHEST_SCORE = 100


def tiers_are_the_schemes(rows: Sequence[Tier]) -> Iterator[Finding]:
    """Each tier of the scheme has one row at its place, with labels of its own."""
    scheme = rows[0].scheme
    if scheme in TIERS:
        yield from _fixed(rows, TIERS[scheme])
    else:
        yield from _own(rows)
    for row in rows:
        for column in ("tier_en", "tier_zh"):
            label = getattr(row, column)
            if next(other for other in rows if getattr(other, column) == label) is not row:
                yield row, f"{column} {label!r} is the label of two tiers: give each its own"


def _fixed(rows: Sequence[Tier], tiers: tuple[str, ...]) -> Iterator[Finding]:
    """The tiers that the definitions name, in their order."""
    scheme = rows[0].scheme
    best_first = ", ".join(f"{tier} {place}" for place, tier in enumerate(tiers, 1))
    for row in rows:
        if row.tier not in tiers:
            yield row, f"{scheme} has no tier {row.tier!r}: its tiers are {', '.join(tiers)}"
        elif row.tier_order != tiers.index(row.tier) + 1:
            yield row, f"tier_order is {row.tier_order}: the tiers from best to worst are {best_first}"
    for tier in tiers:
        if tier not in {row.tier for row in rows}:
            yield rows[0], f"the version has no row of tier {tier!r}: a scheme gives every customer a tier"


def _own(rows: Sequence[Tier]) -> Iterator[Finding]:
    """Tiers of the bank's own choosing: their places are 1 to n."""
    places = [row.tier_order for row in rows]
    for row in rows:
        if row.tier_order > len(rows) or places.count(row.tier_order) > 1:
            yield (
                row,
                f"tier_order is {row.tier_order}: number the version's tiers 1 to {len(rows)}, 1 is best",
            )


def bounds(rows: Sequence[Tier]) -> Iterator[Finding]:
    """Bounds of the tiers that a metric decides, and none elsewhere."""
    scheme = rows[0].scheme
    if scheme not in (*AMOUNT_SCHEMES, *SCORE_SCHEMES):
        for row in rows:
            if (row.entry_bound, row.exit_bound, row.unit) != (None, None, None):
                yield row, f"{scheme} is not cut by a metric: leave entry_bound, exit_bound and unit empty"
        return
    by_rule = TIERS_BY_RULE.get(scheme, ())
    banded = sorted((row for row in rows if row.tier not in by_rule), key=lambda row: row.tier_order)
    for row in rows:
        if row.tier in by_rule and (row.entry_bound, row.exit_bound) != (None, None):
            yield row, f"{row.tier} is given by a rule, not by the metric: leave both bounds empty"
        if scheme in SCORE_SCHEMES and row.unit != "score":
            yield row, f"unit is {row.unit!r}: the metric of {scheme} is a score, write score"
    if banded:
        yield from _rest(banded)
    for row in banded:
        yield from _single(row)
    for column in ("entry_bound", "exit_bound"):
        yield from _fall(banded, column)


def _rest(banded: Sequence[Tier]) -> Iterator[Finding]:
    *better, worst = banded
    if (worst.entry_bound, worst.exit_bound) != (None, None):
        yield (
            worst,
            "the worst tier by the metric takes whom no better tier takes: leave both bounds empty",
        )
    for row in better:
        for column in ("entry_bound", "exit_bound"):
            if getattr(row, column) is None:
                yield (
                    row,
                    f"{column} is empty, which only the worst tier's may be: write from where the tier holds",
                )


def _single(row: Tier) -> Iterator[Finding]:
    if row.entry_bound is None or row.exit_bound is None:
        return
    if row.exit_bound > row.entry_bound:
        yield (
            row,
            f"exit_bound {row.exit_bound} is above entry_bound {row.entry_bound}: a customer would lose the "
            "tier on reaching it; set it to the entry bound (no margin) or below",
        )
    if row.scheme in SCORE_SCHEMES and row.entry_bound > HIGHEST_SCORE:
        yield (
            row,
            f"entry_bound {row.entry_bound} is above the highest score, {HIGHEST_SCORE}: nobody gets there",
        )


def _fall(banded: Sequence[Tier], column: str) -> Iterator[Finding]:
    bounded = [row for row in banded if getattr(row, column) is not None]
    for better, worse in pairwise(bounded):
        high, low = getattr(better, column), getattr(worse, column)
        if low == high:
            yield worse, f"{column} {low} is that of {better.tier} too: the two tiers overlap, lower this one"
        elif low > high:
            yield (
                worse,
                f"{column} {low} is above {high} of the better tier {better.tier}: bounds fall from the best "
                "tier to the worst",
            )
