"""What the watch over the platform is held against."""

import typing
from collections.abc import Iterator, Sequence

from policy.codes import REQUIRED_ENTITIES, HealthCheck
from policy.rows import Finding, Health

# The cells that a check needs beside its upper bound; any other one would have no effect.
_CELLS: dict[str, set[str]] = {
    "publication_age": {"grace_hours"},
    "delivery_age": {"min_count", "lookback"},
    "delivery_volume": {"lower_bound", "min_count", "lookback"},
    "rejected_share": {"min_count"},
    "failed_runs": {"lookback", "grace_hours"},
    "audit_gap": set(),
}


def every_check(rows: Sequence[Health]) -> Iterator[Finding]:
    """A version has every check, of deliveries' age for each required entity, and the cells it needs."""
    wanted = {(name, "all") for name in typing.get_args(HealthCheck) if name != "delivery_age"}
    wanted |= {("delivery_age", entity) for entity in REQUIRED_ENTITIES}
    missing = wanted - {(row.check_name, row.subject) for row in rows}
    if missing:
        names = ", ".join(f"{name} of {subject}" for name, subject in sorted(missing))
        yield rows[0], f"the version has no row of {names}"
    for row in rows:
        if (row.check_name == "delivery_age") == (row.subject == "all"):
            yield row, f"{row.check_name} of {row.subject}: delivery_age is of an entity, all others of all"
        for cell in ("lower_bound", "min_count", "lookback", "grace_hours"):
            is_needed, is_given = cell in _CELLS[row.check_name], getattr(row, cell) is not None
            if is_needed != is_given:
                yield row, f"{cell} is {'needed by' if is_needed else 'of no use to'} {row.check_name}"


def bounds(rows: Sequence[Health]) -> Iterator[Finding]:
    """Bounds in the unit of their check."""
    for row in rows:
        if row.check_name == "delivery_age" and row.upper_bound < 1:
            yield row, f"upper_bound {row.upper_bound} of the longest gap: write 1 or more"
        if row.check_name == "rejected_share" and row.upper_bound >= 1:
            yield row, f"upper_bound {row.upper_bound} is a share: write less than 1"
        if row.check_name == "delivery_volume" and not (row.lower_bound or 0) < 1 < row.upper_bound:
            yield row, "the bounds of delivery_volume lie on both sides of 1, the median itself"
