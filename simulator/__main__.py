"""Makes a demo bank: `python -m simulator --out DIR`."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path

from simulator.parameters import ParameterError, Parameters


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns 0 (made, or there already) or 2 (bad parameters, a used folder)."""
    defaults = Parameters()
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description="Make a synthetic retail bank as canonical Parquet files: one folder with the history, "
        "then three daily deliveries. The same parameters give the same bytes; a folder that holds them "
        "already is left as it is.",
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the deliveries; made when missing"
    )
    parser.add_argument(
        "--customers", type=int, default=defaults.customers, help="who ever join (default %(default)s)"
    )
    parser.add_argument(
        "--months", type=int, default=defaults.months, help="length of history (default %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=defaults.seed, help="another seed, another bank (default %(default)s)"
    )
    parser.add_argument(
        "--end", type=_day, default=defaults.end, help="last day, YYYY-MM-DD (default %(default)s)"
    )
    given = parser.parse_args(arguments)
    # numpy and pyarrow take their time: not for --help.
    from simulator.folder import FolderError, fill

    try:
        parameters = Parameters(
            customers=given.customers, months=given.months, seed=given.seed, end=given.end
        )
        print(fill(given.out, parameters))
    except (ParameterError, FolderError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2
    return 0


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day such as 2026-10-31") from None


if __name__ == "__main__":
    sys.exit(main())
