"""Command line of the policy: `python -m policy --help`."""

import argparse
import datetime as dt
import os
import sys
from contextlib import nullcontext
from decimal import Decimal, InvalidOperation
from pathlib import Path

from policy.check import SEEDS_DIR, check
from policy.faults import PolicyError

EXIT_CODES = """
exit codes: 0 done, 2 the policy or the request is wrong, 75 the warehouse could not be reached

The bank's warehouse is found through KEEPWELL_HOME, KEEPWELL_SOURCE, KEEPWELL_TARGET and
KEEPWELL_WAREHOUSE_URL; `check` needs none.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.command(options)
    except PolicyError as fault:
        print(f"error: {fault}", file=sys.stderr)
        return fault.exit_code
    except BrokenPipeError:
        # The reader, `head` for one, has seen enough; leave the interpreter nothing to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m policy",
        description="The policy seeds: are they sound, whom would they move, where do frozen RFM cuts lie.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    text = "refuse policy seeds that are not total, overlap, are not monotone or do not add up"
    checking = commands.add_parser("check", help=text, description=text)
    checking.add_argument(
        "--seeds", type=Path, default=SEEDS_DIR, metavar="DIR", help="where the policy_*.csv lie"
    )
    checking.set_defaults(command=_check)

    text = "how many customers of the newest published snapshot the seeds would move, and where"
    diffing = commands.add_parser("diff", help=text, description=text)
    diffing.add_argument(
        "--as-if", type=_date, metavar="DATE",
        help="the day whose policy to try (default: that of the newest version in the seeds)",
    )  # fmt: skip
    diffing.add_argument("--csv", type=Path, metavar="FILE", help="every move, one row each, into a file")
    diffing.add_argument(
        "--project", type=Path, metavar="DIR", help="the dbt project with the seeds (default: this tree's)"
    )
    diffing.set_defaults(command=_diff)

    text = "fit frozen RFM cuts on a published day; prints rows for policy_rfm_cuts.csv"
    fitting = commands.add_parser("rfm-cuts", help=text, description=text)
    fitting.add_argument("--as-of", required=True, type=_date, metavar="DATE", help="a published day")
    fitting.add_argument(
        "--from", type=_date, metavar="DATE", dest="effective_from",
        help="effective_from of the rows (default: the day after the published one)",
    )  # fmt: skip
    fitting.set_defaults(command=_rfm_cuts)
    text = "fit the frozen reference of the risk index on a published day; prints rows for its three seeds"
    referring = commands.add_parser("risk-reference", help=text, description=text)
    referring.add_argument("--as-of", required=True, type=_date, metavar="DATE", help="a published day")
    referring.add_argument(
        "--from", type=_date, metavar="DATE", dest="effective_from",
        help="effective_from of the rows (default: the day after the published one)",
    )  # fmt: skip
    referring.add_argument(
        "--min-explained", type=_share, metavar="SHARE",
        help="what the first component has to explain at least (default: as in policy_risk_index.csv)",
    )  # fmt: skip
    referring.set_defaults(command=_risk_reference)
    return parser


def _share(text: str) -> Decimal:
    try:
        share = Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text!r} is no share: write it like 0.25") from None
    if not 0 < share <= 1 or share != round(share, 4):
        raise argparse.ArgumentTypeError(f"{text} is no share above 0 and up to 1 with four decimals at most")
    return share


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date: write it like 2026-10-31") from None


def _check(options: argparse.Namespace) -> int:
    faults = check(options.seeds)
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    if faults:
        count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
        print(f"{count} in the policy: nothing is built by it until mended", file=sys.stderr)
        return 2
    return 0


# The warehouse, and what draws tables, is imported where it is needed: `check` stands before every build.


def _diff(options: argparse.Namespace) -> int:
    from policy import diff, diff_table
    from policy.what_if import PROJECT
    from warehouse import Settings, WarehouseError

    try:
        # Before the work of a minute, and not after it.
        out = options.csv.open("w", encoding="utf-8", newline="") if options.csv else nullcontext()
    except OSError as fault:
        raise PolicyError(f"{options.csv} cannot be written: {fault.strerror}") from None
    with out as file:
        try:
            print("building the newest snapshot by the policy of the seeds ...", file=sys.stderr)
            project = options.project or PROJECT
            found = diff.diff(Settings.from_environment(), as_if=options.as_if, project=project)
        except WarehouseError as fault:
            print(f"error: {fault}", file=sys.stderr)
            return fault.exit_code
        diff_table.show(found, sys.stdout)
        if file:
            diff.write_csv(found, file)
    return 0


def _rfm_cuts(options: argparse.Namespace) -> int:
    from policy import rfm_cuts
    from warehouse import Settings, WarehouseError, open_warehouse

    try:
        with open_warehouse(Settings.from_environment(), read_only=True) as wh:
            cuts = rfm_cuts.fit(
                wh,
                as_of=options.as_of,
                effective_from=options.effective_from or options.as_of + dt.timedelta(days=1),
                rule_version=f"rfm_cuts_{options.as_of:%Y_%m_%d}",
            )
    except WarehouseError as fault:
        print(f"error: {fault}", file=sys.stderr)
        return fault.exit_code
    rfm_cuts.write_rows(cuts, sys.stdout)
    for kind in cuts.without_activity:
        print(f"no {kind} customer was active on {options.as_of}: no cuts of that kind", file=sys.stderr)
    return 0


def _risk_reference(options: argparse.Namespace) -> int:
    from policy import risk_reference
    from warehouse import Settings, WarehouseError, open_warehouse

    try:
        with open_warehouse(Settings.from_environment(), read_only=True) as wh:
            reference = risk_reference.fit(
                wh,
                as_of=options.as_of,
                effective_from=options.effective_from or options.as_of + dt.timedelta(days=1),
                min_explained=options.min_explained,
            )
    except WarehouseError as fault:
        print(f"error: {fault}", file=sys.stderr)
        return fault.exit_code
    risk_reference.write_rows(reference, sys.stdout)
    for note in reference.notes:
        print(note, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
