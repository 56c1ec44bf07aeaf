"""What the watch over the platform is held against."""

import typing
from collections.abc import Iterator, Sequence

from policy.codes import OTHER_ENTITIES, REQUIRED_ENTITIES, HealthCheck
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

# Earlier deliveries that make a median (warehouse/health.py).
_MIN_EARLIER = 5


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
        elif row.subject not in ("all", *REQUIRED_ENTITIES, *OTHER_ENTITIES):
            yield row, f"{row.subject} is no entity: `python -m ingest contracts` lists them"
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


def can_alert(rows: Sequence[Health]) -> Iterator[Finding]:
    """Deliveries enough to judge by lie within those that are looked at."""
    for row in rows:
        if row.lookback is None:
            continue
        if row.check_name == "delivery_age" and (row.min_count or 1) >= row.lookback:
            yield row, f"lookback {row.lookback}: so many deliveries never have min_count gaps between them"
        if row.check_name == "delivery_volume" and row.lookback < _MIN_EARLIER:
            yield row, f"lookback {row.lookback}: a median is of {_MIN_EARLIER} earlier deliveries or more"
