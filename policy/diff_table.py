"""The moves that a policy would cause, as a table for the terminal."""

from itertools import groupby
from typing import TextIO

from rich.console import Console
from rich.table import Table

from policy.codes import SCHEMES
from policy.diff import Diff


def show(found: Diff, out: TextIO) -> None:
    """Who moves where, by scheme; schemes without a move in one line."""
    # As wide as the rows: a table that is cut to the terminal loses figures when it is piped.
    console = Console(file=out, highlight=False, width=200)
    snapshot = found.snapshot
    console.print(
        f"policy of {found.policy_on} on the snapshot of {snapshot.as_of_date} ({snapshot.run_id}): "
        f"{found.count_customers:,} customers with an open account"
    )
    if not found.moves:
        console.print("no customer moves")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("scheme", "kind", "from", "to"):
        table.add_column(column, no_wrap=True)
    for column in ("now", "deposits", "eventually", "deposits"):
        table.add_column(column, justify="right", no_wrap=True)
    for scheme, moves in groupby(found.moves, key=lambda move: move.scheme):
        of_scheme = list(moves)
        for move in of_scheme:
            table.add_row(
                scheme,
                move.customer_kind,
                move.from_tier,
                move.to_tier,
                f"{move.count_now:,}",
                f"{move.balance_now:,.2f}",
                f"{move.count_eventually:,}",
                f"{move.balance_eventually:,.2f}",
            )
        count_now = sum(move.count_now for move in of_scheme)
        count_eventually = sum(move.count_eventually for move in of_scheme)
        table.add_row(
            scheme, "", "all moves", "",
            f"{count_now:,}", _share(count_now, found.count_customers),
            f"{count_eventually:,}", _share(count_eventually, found.count_customers),
            style="bold", end_section=True,
        )  # fmt: skip
    console.print(table)
    console.print(
        f"deposits in {snapshot.currency_code}; eventually: when dwell, grace and overrides are over"
    )
    unmoved = [scheme for scheme in SCHEMES if scheme not in {move.scheme for move in found.moves}]
    if unmoved:
        console.print(f"no customer moves in {', '.join(unmoved)}")


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2%} of all" if whole else ""
