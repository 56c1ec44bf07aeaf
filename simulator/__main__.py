"""Makes a synthetic bank: `python -m simulator --out DIR`."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path

from simulator.parameters import LARGEST, PLANNED_CUSTOMERS, SMALLEST, ParameterError, Parameters

DESCRIPTION = """\
Make a synthetic retail bank as files in the form of the contracts: one folder YYYY-MM-DD with the history,
then one a day or a month with what was new. The same parameters give the same bytes. What nobody in a bank
could know (who leaves and why, which faults were planted) goes to a folder of its own. Folders that hold the
bank already are left as they are.
"""
EXAMPLES = """\
examples:
  python -m simulator --out landing/small --customers 500 --months 12
  python -m simulator --out landing/plan --scale 1                        the plan's bank, 550,000 customers
  python -m simulator --out landing/monthly --every month --deliveries 22
  python -m simulator --out landing/dirty --scale 0.01 --dirt 0.01 --format csv

faults (--dirt): identical and conflicting duplicates, in one file and against an earlier delivery; orphans;
NUL characters and mojibake; text where a number or a day belongs; missing values; negative amounts and terms;
dates in the future; reversals of nothing; closings before openings; rows that come days to weeks late. From
0.005 on the source also skips the first delivery after the history and sends the last one twice. Every fault
stands in planted_faults.parquet of the truth folder with its place and its expected fate.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns 0 (made, or there already) or 2 (bad parameters or folders)."""
    given = _parser().parse_args(arguments)
    # numpy and pyarrow take their time: not for --help.
    from simulator.folder import FolderError, fill

    try:
        parameters = Parameters(
            customers=_customers(given.customers, given.scale),
            months=given.months,
            seed=given.seed,
            end=given.end,
            dirt=given.dirt,
            format=given.format,
            every=given.every,
            deliveries=given.deliveries,
            bad_encoding=given.bad_encoding,
        )
        truth = given.truth or given.out.with_name(f"{given.out.name}.truth")
        print(fill(given.out, truth, parameters))
    except (ParameterError, FolderError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f" {error.filename}:" if error.filename is not None else ""
        print(
            f"simulator: cannot write the bank:{where} {error.strerror or error}; "
            "give folders that can be written, on a disk with room, with --out and --truth",
            file=sys.stderr,
        )
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    defaults = Parameters()
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the deliveries; made when missing")
    add("--truth", type=Path, metavar="DIR", help="folder for the planted truth (default <out>.truth)")
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--customers", type=int, metavar="N",
        help=f"customers on the first day, others join later (default {defaults.customers})",
    )  # fmt: skip
    size.add_argument(
        "--scale", type=float, metavar="S", help=f"the same as a share of the plan's {PLANNED_CUSTOMERS:,}"
    )
    add(
        "--months",
        type=int,
        metavar="N",
        default=defaults.months,
        help="months of activity (default %(default)s)",
    )
    add(
        "--seed",
        type=int,
        metavar="N",
        default=defaults.seed,
        help="another seed, another bank (default %(default)s)",
    )
    add(
        "--end",
        type=_day,
        metavar="DATE",
        default=defaults.end,
        help="last day, YYYY-MM-DD (default %(default)s)",
    )
    add(
        "--format",
        choices=("parquet", "csv"),
        default=defaults.format,
        help="of all files (default %(default)s)",
    )
    add(
        "--every",
        choices=("day", "month"),
        default=defaults.every,
        help="rhythm of deliveries (default %(default)s)",
    )
    add(
        "--deliveries", type=int, metavar="N",
        help="deliveries after the history, the last on the last day (default 3 a day, or all months but 2)",
    )  # fmt: skip
    add(
        "--dirt",
        type=float,
        metavar="SHARE",
        default=defaults.dirt,
        help="share of rows with a fault, 0 to 0.05 (default 0)",
    )
    add(
        "--bad-encoding",
        action="store_true",
        help="one more delivery, which is not UTF-8 and must be refused",
    )
    return parser


def _customers(customers: int | None, scale: float | None) -> int:
    if scale is None:
        return Parameters().customers if customers is None else customers
    least, most = SMALLEST / PLANNED_CUSTOMERS, LARGEST / PLANNED_CUSTOMERS
    if not least <= scale <= most:
        raise ParameterError(
            f"--scale {scale}: choose {least:.5f} to {most:.2f} ({SMALLEST} to {LARGEST:,} customers)"
        )
    return round(scale * PLANNED_CUSTOMERS)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day such as 2026-10-31") from None


if __name__ == "__main__":
    sys.exit(main())
