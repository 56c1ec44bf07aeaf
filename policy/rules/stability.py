"""How long a tier holds: there is always a way down."""

from collections.abc import Iterator, Sequence

from policy.rows import Finding, Stability


def a_way_down(rows: Sequence[Stability]) -> Iterator[Finding]:
    """Snapshots or days of grace are given, so that a worse tier can take effect."""
    for row in rows:
        if row.demote_after_snapshots is None and row.grace_days is None:
            yield (
                row,
                "neither demote_after_snapshots nor grace_days is given: nobody could ever move down; "
                "give one, or both (whichever is over first)",
            )
