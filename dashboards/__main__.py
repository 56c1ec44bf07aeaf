"""python -m dashboards: the HTML report, and the closing table of a run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from dashboards.published import NothingPublished, Published, read, read_history
from warehouse import Settings, WarehouseError, open_warehouse


def main(argv: list[str] | None = None) -> int:
    """Exit code 0; 2 when there is nothing to show or nowhere to write it; 75 when worth a retry."""
    arguments = _parser().parse_args(argv)
    try:
        settings = Settings.from_environment()
        with open_warehouse(settings, read_only=True) as wh:
            is_history = arguments.command == "summary" and arguments.history
            published = read_history(wh) if is_history else read(wh)
    except NothingPublished:
        print(
            "dashboards: nothing is published in this warehouse yet; run the daily job first (`make run`)",
            file=sys.stderr,
        )
        return 2
    except WarehouseError as error:
        print(f"dashboards: {error}", file=sys.stderr)
        return error.exit_code
    if arguments.command == "summary":
        from dashboards.summary import show

        show(published, Console())
        return 0
    return _write(arguments.out, published)


def _write(out: Path, published: Published) -> int:
    from dashboards.report import render

    page = render(published)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        # A reader who has the old report open never meets half of the new one.
        unfinished = out.with_name(f".{out.name}.part")
        unfinished.write_text(page, encoding="utf-8")
        unfinished.replace(out)
    except OSError as error:
        print(f"dashboards: cannot write {out}: {error.strerror}; give another --out", file=sys.stderr)
        return 2
    print(out)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dashboards",
        description="Shows what is published: everything comes from the schemas marts and ops.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    report = commands.add_parser("report", help="write the self-contained HTML report; prints its path")
    report.add_argument("--out", required=True, type=Path, metavar="FILE", help="the HTML file to write")
    summary = commands.add_parser(
        "summary", help="print tiers, segments, lift, rejected rows and the publication"
    )
    summary.add_argument(
        "--history",
        action="store_true",
        help="of the newest month-end that the bootstrap built",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
