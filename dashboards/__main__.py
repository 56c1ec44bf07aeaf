"""python -m dashboards: the HTML report, the page of runs, the closing table of a run, Superset."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from dashboards.language import LANGUAGES, Language
from dashboards.published import NothingPublished, Published, read, read_history
from dashboards.superset.arguments import add_to as add_superset_to
from dashboards.tiering import UnknownCustomer
from warehouse import Settings, Warehouse, WarehouseError, open_warehouse


def main(argv: list[str] | None = None) -> int:
    """Exit code 0; 2 when there is nothing to show or nowhere to write it; 75 when worth a retry."""
    arguments = _parser().parse_args(argv)
    if arguments.command == "superset":
        from dashboards.superset import command

        return command.run(arguments)
    try:
        say = Language(arguments.lang or os.environ.get("REPORT_LANG") or LANGUAGES[0])
    except ValueError as error:
        print(f"dashboards: {error}; set REPORT_LANG or give --lang", file=sys.stderr)
        return 2
    try:
        settings = Settings.from_environment()
        with open_warehouse(settings, read_only=True) as wh:
            if arguments.command == "history":
                return _write(arguments.out, _history_page(wh, arguments.out, say))
            published = read_history(wh) if arguments.history else read(wh, arguments.customer)
    except NothingPublished:
        print(
            "dashboards: nothing is published in this warehouse yet; run the daily job first (`make run`)",
            file=sys.stderr,
        )
        return 2
    except UnknownCustomer as error:
        print(
            f"dashboards: no tier history of customer {error} is known in this warehouse; give the id that "
            "history.customer_tier_spells has, or leave --customer out",
            file=sys.stderr,
        )
        return 2
    except WarehouseError as error:
        print(f"dashboards: {error}", file=sys.stderr)
        return error.exit_code
    if arguments.command == "summary":
        from dashboards.summary import show

        show(published, Console(), say)
        return 0
    return _write(arguments.out, _report_page(published, arguments.out, say))


def _report_page(published: Published, out: Path, say: Language) -> str:
    from dashboards.report import render

    return render(published, say, history=_beside(out, "history.html"))


def _history_page(wh: Warehouse, out: Path, say: Language) -> str:
    from dashboards.history import read_runs_and_publications
    from dashboards.history_page import render

    return render(read_runs_and_publications(wh), say, report=_beside(out, "report.html"))


def _beside(out: Path, name: str) -> str | None:
    """The address of another page in the folder of `out`; None where there is none to link to."""
    return name if out.with_name(name).exists() else None


def _write(out: Path, page: str) -> int:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        # A reader who has the old report open never meets half of the new one.
        unfinished = out.with_name(f".{out.name}.{os.getpid()}.part")
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
    parser.set_defaults(history=False, customer=None)
    commands = parser.add_subparsers(dest="command", required=True)
    report = commands.add_parser("report", help="write the self-contained HTML report; prints its path")
    report.add_argument("--out", required=True, type=Path, metavar="FILE", help="the HTML file to write")
    report.add_argument(
        "--customer",
        metavar="ID",
        help="whose tiers and score to show (default: the tiers of an open customer whose tiers moved in "
        "many schemes, the score of whom the bank stands to lose most by)",
    )
    history = commands.add_parser(
        "history", help="write the page of runs and publications, from ops.*; prints its path"
    )
    history.add_argument("--out", required=True, type=Path, metavar="FILE", help="the HTML file to write")
    summary = commands.add_parser(
        "summary",
        help="print tiers, segments, churn, lift, expected loss, alerts, rejected rows and the publication",
    )
    summary.add_argument(
        "--history",
        action="store_true",
        help="of the newest month-end that the bootstrap built",
    )
    add_superset_to(commands)
    for command in (report, history, summary):
        command.add_argument(
            "--lang", help=f"{' or '.join(LANGUAGES)} (default: REPORT_LANG, else {LANGUAGES[0]})"
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
