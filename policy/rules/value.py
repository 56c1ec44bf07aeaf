"""What a customer is worth: margins, costs to serve, credit losses."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from policy.codes import CHANNELS, EARNING_FAMILIES
from policy.rows import CreditLoss, Finding, Margin, ServiceCost


def every_family(rows: Sequence[Margin]) -> Iterator[Finding]:
    """Each product family with a balance has a margin: without one it would earn nothing, in silence."""
    for family in EARNING_FAMILIES:
        if family not in {row.product_family for row in rows}:
            yield rows[0], f"the version has no margin of {family}: give it a row, with 0 if it earns nothing"


def every_channel(rows: Sequence[ServiceCost]) -> Iterator[Finding]:
    """Each channel has a cost, that of postings by the system and that of acts without a channel too."""
    for row in rows:
        if row.channel not in CHANNELS:
            yield row, f"there is no channel {row.channel!r}: the channels are {', '.join(CHANNELS)}"
    for channel in CHANNELS:
        if channel not in {row.channel for row in rows}:
            yield rows[0], f"the version has no cost of {channel}: give it a row, with 0 if it costs nothing"


def losses_rise(rows: Sequence[CreditLoss]) -> Iterator[Finding]:
    """Bands of days past due begin at 0, and default does not become less probable as days pass."""
    ordered = sorted(rows, key=lambda row: row.from_days)
    if ordered[0].from_days != 0:
        yield (
            ordered[0],
            f"the first band begins at {ordered[0].from_days} days: begin at 0, for loans in order",
        )
    for sooner, later in pairwise(ordered):
        if later.pd_annual < sooner.pd_annual:
            place = f"of {sooner.from_days} days (line {sooner.line})"
            yield later, f"pd_annual {later.pd_annual} is below {sooner.pd_annual} {place}: it never falls"
