"""python -m dashboards superset: write a bundle of the dashboards, or bring it into a running Superset."""

from __future__ import annotations

import argparse
import os
import sys
import urllib.parse
from pathlib import Path

from dashboards.language import LANGUAGES
from dashboards.superset import branches, bundle
from dashboards.superset.arguments import READER
from dashboards.superset.client import Superset, SupersetError
from dashboards.superset.spec import SpecError


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; 2 for a spec or an option that is wrong; 1 when Superset refuses; 75 when none answers."""
    try:
        if arguments.action == "bundle":
            count = bundle.write(
                arguments.lang, arguments.out, database_url=_without_password(arguments.database_url)
            )
            print(f"{arguments.out}: {count} charts")
            return 0
        return _import(arguments)
    except (SpecError, OptionError) as error:
        print(f"dashboards: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"dashboards: cannot write {arguments.out}: {error.strerror}; give another --out", file=sys.stderr
        )
        return 2
    except SupersetError as error:
        print(f"dashboards: {error}", file=sys.stderr)
        return error.exit_code


class OptionError(Exception):
    """An option, or a file that it names, is not what it should be."""


def _import(arguments: argparse.Namespace) -> int:
    url, password = _database(arguments)
    files = {lang: bundle.assets(lang, database_url=url) for lang in arguments.lang or LANGUAGES}
    superset = Superset(arguments.url, arguments.user, _line(arguments.password_file))
    passwords = {bundle.DATABASE_FILE: password} if password else {}
    for found in files.values():
        superset.import_assets(bundle.zipped(found), passwords)
        for name in sorted(found):
            if name.startswith("dashboards/"):
                print(f"{superset.url}/superset/dashboard/{found[name]['slug']}/")
    if arguments.branch_roles:
        for role in branches.make_roles(superset):
            print(f"role {role}")
    return 0


def _database(arguments: argparse.Namespace) -> tuple[str, str | None]:
    """The warehouse as Superset's driver names it, and the password."""
    if arguments.database_url and arguments.database_url_file:
        raise OptionError("give --database-url or --database-url-file, not both")
    if arguments.database_url_file:
        parts = urllib.parse.urlsplit(_line(arguments.database_url_file))
    else:
        given = arguments.database_url or os.environ.get("KEEPWELL_WAREHOUSE_URL")
        if not given:
            raise OptionError(
                "Superset has to know its way to the warehouse: give --database-url postgresql://host:5432/keepwell"
            )
        parts = urllib.parse.urlsplit(_without_password(given))
    if parts.scheme.partition("+")[0] not in ("postgresql", "postgres"):
        raise OptionError(
            f"the dashboards read PostgreSQL, not {parts.scheme or 'an address without a scheme'}://"
        )
    folder = arguments.password_dir or os.environ.get("KEEPWELL_PASSWORD_DIR")
    password = urllib.parse.unquote(parts.password) if parts.password else None
    user = parts.username
    if folder and not password:
        user, password = READER, _line(Path(folder) / READER)
    place = parts.netloc.rpartition("@")[2]
    netloc = f"{user}@{place}" if user else place
    if password:
        netloc = f"{user}:XXXXXXXXXX@{place}"
    return urllib.parse.urlunsplit(("postgresql+psycopg2", netloc, parts.path, parts.query, "")), password


def _without_password(url: str) -> str:
    if urllib.parse.urlsplit(url).password:
        raise OptionError(
            "a URL on the command line may not hold a password, which others would see: "
            "give --database-url-file, or --password-dir"
        )
    return url


def _line(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise OptionError(f"{path} cannot be read: {error.strerror}") from None
    if not text:
        raise OptionError(f"{path} is empty: it should hold one line")
    return text
