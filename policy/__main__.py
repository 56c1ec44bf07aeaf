"""Command line of the policy: `python -m policy --help`."""

import argparse
import sys
from pathlib import Path

from policy.check import SEEDS_DIR, check
from policy.faults import PolicyError

EXIT_CODES = "exit codes: 0 done, 2 the policy or the request is wrong, 75 the warehouse could not be reached"


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.command(options)
    except PolicyError as fault:
        print(f"error: {fault}", file=sys.stderr)
        return fault.exit_code
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m policy",
        description="The policy seeds: are they sound, whom would they move, where do frozen RFM cuts lie.",
        epilog=EXIT_CODES,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    text = "refuse policy seeds that are not total, overlap, are not monotone or do not add up"
    checking = commands.add_parser("check", help=text, description=text)
    checking.add_argument(
        "--seeds", type=Path, default=SEEDS_DIR, metavar="DIR", help="where the policy_*.csv lie"
    )
    checking.set_defaults(command=_check)
    return parser


def _check(options: argparse.Namespace) -> int:
    faults = check(options.seeds)
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    if faults:
        print(
            f"{len(faults)} faults in the policy: nothing is built by it until they are mended",
            file=sys.stderr,
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
