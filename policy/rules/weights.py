"""Weights of composite scores."""

from collections.abc import Iterator, Sequence

from policy.codes import COMPONENTS, RANKED_SCHEMES
from policy.rows import Finding, Weight


def add_up(rows: Sequence[Weight]) -> Iterator[Finding]:
    """Every component has a weight, the weights add up to exactly 1, and what counts in full is said."""
    scheme = rows[0].scheme
    components = COMPONENTS[scheme]
    for row in rows:
        if row.component not in components:
            yield (
                row,
                f"{scheme} has no component {row.component!r}: its components are {', '.join(components)}",
            )
        if scheme in RANKED_SCHEMES and row.full_at is not None:
            yield row, f"the components of {scheme} are ranks: leave full_at empty"
        if scheme not in RANKED_SCHEMES and row.weight > 0 and row.full_at is None:
            yield row, "full_at is empty: write the value that counts in full, or give the component weight 0"
    for component in components:
        if component not in {row.component for row in rows}:
            yield (
                rows[0],
                f"the version has no weight of {component}: weight 0 means that it does not count",
            )
    total = sum(row.weight for row in rows)
    if total != 1:
        yield (
            rows[-1],
            f"the weights of the version add up to {total} and not to 1: change one of its {len(rows)} rows",
        )
