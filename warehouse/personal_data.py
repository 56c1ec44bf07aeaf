"""The commands that deal with personal data: `export` and `erase` of `python -m warehouse`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse import schema
from warehouse.door import open_warehouse
from warehouse.errors import NothingToDoError, UnavailableError, WarehouseError
from warehouse.pseudonyms import read_key
from warehouse.settings import Settings, pseudonym_key_file

if TYPE_CHECKING:
    from warehouse.erasure import Plan


def add_commands(
    add: Callable[[str, object, str], argparse.ArgumentParser], day: Callable[[str], date]
) -> None:
    """Declare both commands with `add`; `day` reads a date."""
    export = add("export", _export, "write a mart to a file, with keyed hashes in place of identifiers")
    export.add_argument("--mart", required=True, metavar="NAME", help="a public mart")
    export.add_argument("--out", required=True, type=Path, metavar="FILE", help="ends in .parquet or .csv")
    export.add_argument(
        "--as-of", type=day, metavar="DATE", help="a day of history.NAME (default: what marts.NAME show)"
    )
    erase = add("erase", _erase, "erase one customer from every table and file; the receipt on stdout")
    erase.add_argument("--customer", required=True, metavar="ID", help="the customer_id")
    erase.add_argument("--reason", required=True, help="kept in the receipt: name nobody in it")
    erase.add_argument("--author", required=True, metavar="NAME", help="who decided, by name or staff number")
    erase.add_argument(
        "--receipt-dir", type=Path, metavar="DIR", help="default: receipts/ of the bank's home"
    )
    erase.add_argument("--dry-run", action="store_true", help="only count what would go, by table")
    for command in (export, erase):
        command.add_argument(
            "--key-file",
            type=Path,
            metavar="FILE",
            help="at least 32 bytes that only you may read, outside the database (default: "
            "KEEPWELL_PSEUDONYM_KEY_FILE)",
        )


def _key(options: argparse.Namespace) -> bytes:
    file = options.key_file or pseudonym_key_file()
    if file is None:
        raise WarehouseError("no key file: give --key-file FILE or set KEEPWELL_PSEUDONYM_KEY_FILE")
    return read_key(file)


def _export(settings: Settings, options: argparse.Namespace) -> None:
    from warehouse.export import export

    key = _key(options)
    with open_warehouse(settings) as wh:
        schema.ensure(wh)
        rows = export(wh, options.mart, options.out, key, as_of_date=options.as_of)
    print(f"{rows:,} rows in {options.out}")


def _erase(settings: Settings, options: argparse.Namespace) -> None:
    from warehouse import erasure

    folder = options.receipt_dir or settings.bank_home / "receipts"
    with open_warehouse(settings) as wh:
        schema.ensure(wh)
        earlier = erasure.receipt_of(wh, options.customer)
        if options.dry_run:
            _tell_plan(erasure.plan(wh, settings, options.customer), earlier)
            return
        receipt = erasure.erase(
            wh,
            settings,
            options.customer,
            reason=options.reason,
            author=options.author,
            key=_key(options),
        )
        # What is done is told before anything else can fail.
        file = erasure.write_receipt(receipt, folder)
        print(f"receipt {receipt['receipt_no']} in {file}", file=sys.stderr)
        print(json.dumps(receipt, indent=2, ensure_ascii=False), flush=True)
        try:
            # Of the first erasure too: it may have been cut off.
            erasure.release_space(wh, receipt, earlier)
        except (WarehouseError, OSError) as fault:
            raise UnavailableError(
                f"the rows are gone, their space is not, and the files of the database still hold them: free "
                f"disk and erase the customer again, which does the rest ({fault})"
            ) from fault
    if receipt == earlier:
        raise NothingToDoError(
            f"the customer was erased on {receipt['erased_at']}, and nothing of him has come back"
        )


def _tell_plan(found: Plan, earlier: dict[str, Any] | None) -> None:
    if earlier and found.is_empty:
        raise NothingToDoError(f"the customer was erased on {earlier['erased_at']}; nothing has come back")
    for table, count in found.rows.items():
        print(f"{count:>9,}  {table}")
    for file in found.files:
        print(f"     file  {file}")
    print(f"{found.total:>9,}  rows in all would go; nothing was changed")
