"""Thresholds of the churn model's monitoring."""

import typing
from collections.abc import Iterator, Sequence

from policy.codes import ModelCheck
from policy.rows import Finding, ModelAlert


def every_check(rows: Sequence[ModelAlert]) -> Iterator[Finding]:
    """A version has a threshold for every check, and shares and ratios of at most 1."""
    missing = [name for name in typing.get_args(ModelCheck) if name not in {row.check_name for row in rows}]
    if missing:
        yield rows[0], f"the version has no row of {', '.join(missing)}: every check needs a threshold"
    for row in rows:
        if row.check_name == "champion_age" and row.threshold < 1:
            yield row, f"threshold {row.threshold} of champion_age is in days: write 1 or more"
        if row.check_name != "champion_age" and row.threshold > 1:
            yield row, f"threshold {row.threshold} is above 1: only champion_age is in days"
