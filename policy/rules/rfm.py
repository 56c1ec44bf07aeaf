"""RFM: single rows of the segment map and of the cuts; the whole map depends on the bins, see across.py."""

from collections.abc import Iterator, Sequence

from policy.codes import TIERS
from policy.rows import Finding, RfmCut, RfmSegment


def segments(rows: Sequence[RfmSegment]) -> Iterator[Finding]:
    """Rectangles of known segments, the right way round."""
    known = TIERS["rfm_segment"]
    for row in rows:
        if row.segment not in known:
            yield row, f"there is no segment {row.segment!r}: the segments are {', '.join(known)}"
        for measure in ("r", "fm"):
            first, last = getattr(row, f"{measure}_from"), getattr(row, f"{measure}_to")
            if first > last:
                yield row, f"{measure}_from {first} is above {measure}_to {last}: swap them"


def cut_has_its_side(rows: Sequence[RfmCut]) -> Iterator[Finding]:
    """Days since the last act count downwards, frequency and money upwards."""
    for row in rows:
        needed, other = ("at_most", "at_least") if row.measure == "r" else ("at_least", "at_most")
        if getattr(row, needed) is None or getattr(row, other) is not None:
            yield row, f"the cut of {row.measure} is written in {needed}, and {other} stays empty"
        if (row.unit == "days") == (row.measure == "m"):
            yield row, f"unit is {row.unit}: r and f are days, m is an amount in the bank's currency"
