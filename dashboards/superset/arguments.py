"""The arguments of `python -m dashboards superset`; apart from the commands, which take longer to import."""

from __future__ import annotations

import argparse
from pathlib import Path

from dashboards.language import LANGUAGES

PLACEHOLDER_URL = "postgresql+psycopg2://keepwell_bi_reader@warehouse:5432/keepwell"
READER = "keepwell_bi_reader"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The commands `superset bundle` and `superset import`."""
    superset = commands.add_parser("superset", help="the dashboards in Apache Superset, as code")
    actions = superset.add_subparsers(dest="action", required=True)
    write = actions.add_parser("bundle", help="write the ZIP that Superset's own import takes")
    write.add_argument("--lang", required=True, choices=LANGUAGES)
    write.add_argument("--out", required=True, type=Path, metavar="FILE")
    write.add_argument(
        "--database-url",
        default=PLACEHOLDER_URL,
        metavar="URL",
        help=f"where Superset finds the warehouse, without password (default: {PLACEHOLDER_URL})",
    )
    bring = actions.add_parser("import", help="import the dashboards over what a Superset has of them")
    bring.add_argument("--url", required=True, help="Superset's address, as http://localhost:8088")
    bring.add_argument("--user", required=True, metavar="NAME", help="an administrator of Superset")
    bring.add_argument(
        "--password-file", required=True, type=Path, metavar="FILE", help="the administrator's"
    )
    bring.add_argument(
        "--lang", choices=LANGUAGES, action="append", help="may come twice (default: both languages)"
    )
    bring.add_argument(
        "--database-url",
        metavar="URL",
        help="where Superset finds the warehouse, without password (default: KEEPWELL_WAREHOUSE_URL)",
    )
    bring.add_argument(
        "--database-url-file",
        type=Path,
        metavar="FILE",
        help="a file with that URL, for one that holds a password",
    )
    bring.add_argument(
        "--password-dir",
        type=Path,
        metavar="DIR",
        help=f"the folder with a file {READER}: Superset reads as this role, with that password "
        "(default: KEEPWELL_PASSWORD_DIR)",
    )
    bring.add_argument(
        "--branch-roles",
        action="store_true",
        help="also one role a branch, whose users see the rows of their branch alone",
    )
