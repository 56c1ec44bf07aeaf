"""`python -m ingest`: load deliveries into raw, check them without loading, show the contracts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from ingest.contracts import Column, Contract, load_contracts
from ingest.deliveries import Delivery, find_deliveries
from ingest.errors import IngestError
from ingest.loading import BatchResult, load
from ingest.reading import EntityFile
from ingest.sources import load_source, source_names
from warehouse import Settings, WarehouseError, open_warehouse, schema

ERRORS = Console(stderr=True, highlight=False, soft_wrap=True)
# Wide enough for the tables where no terminal says how wide it is.
OUTPUT = Console(highlight=False, width=None if sys.stdout.isatty() else 140)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 bad input."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "contracts":
            return _show_contracts(load_contracts(), options.entity)
        return _ingest(options)
    except (IngestError, WarehouseError) as error:
        faults = error.faults if isinstance(error, IngestError) else [str(error)]
        for fault in faults:
            ERRORS.print(f"ingest: {fault}", markup=False)
        if options.command != "contracts":
            ERRORS.print("ingest: nothing of this delivery is loaded", markup=False)
        return error.exit_code if isinstance(error, WarehouseError) else 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ingest", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("load", "load deliveries into raw; what is loaded already is skipped"),
        ("check", "the same checks against the same warehouse, without loading"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--source", choices=source_names(), help="default: KEEPWELL_SOURCE")
        command.add_argument(
            "--landing",
            type=Path,
            required=True,
            help="folder with <entity>.csv|parquet, or YYYY-MM-DD/ folders",
        )
        command.add_argument(
            "--as-of", type=_date, required=True, help="YYYY-MM-DD: deliveries up to it plus the landing lag"
        )
    command = commands.add_parser("contracts", help="list the entities, or the columns of one")
    command.add_argument("entity", nargs="?", help="show the columns of this entity")
    return parser


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date: write YYYY-MM-DD") from None


def _ingest(options: argparse.Namespace) -> int:
    settings = Settings.from_environment()
    source = load_source(options.source or settings.source)
    settings = replace(settings, source=source.name)
    contracts = load_contracts()
    is_trial = options.command == "check"
    with _Reporter() as reporter:
        deliveries = find_deliveries(
            landing=options.landing,
            source=source,
            contracts=contracts,
            as_of=options.as_of,
            on_file=reporter.hashing,
        )
        with open_warehouse(settings) as wh:
            schema.ensure(wh)
            results = load(
                wh=wh,
                settings=settings,
                source=source,
                contracts=contracts,
                deliveries=deliveries,
                progress=reporter,
                is_trial=is_trial,
            )
    if not results:
        OUTPUT.print(
            f"nothing new: {_deliveries(len(deliveries))} in {options.landing} loaded already",
            markup=False,
            soft_wrap=True,
        )
    else:
        OUTPUT.print(_closing_table(results, is_trial))
    return 0


class _Reporter:
    """A bar a delivery on stderr, with the file at work; only warnings where stderr is no terminal."""

    def __init__(self) -> None:
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=ERRORS,
            disable=not ERRORS.is_terminal,
        )
        self._task = self._bar.add_task("reading", total=None, note="")
        self._started = 0
        self._rows = 0
        self._file = ""

    def __enter__(self) -> _Reporter:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def hashing(self, name: str) -> None:
        self._bar.update(self._task, note=name)

    def warn(self, message: str) -> None:
        ERRORS.print(f"ingest: warning: {message}", markup=False)

    def start_batch(self, delivery: Delivery) -> None:
        self._bar.update(self._task, total=self._started, completed=self._started, note="")
        self._task = self._bar.add_task(
            f"delivery {delivery.delivered_on}", total=len(delivery.files), note=""
        )
        self._started = 0

    def start_file(self, file: EntityFile) -> None:
        self._bar.update(self._task, completed=self._started, note=file.name)
        self._started += 1
        self._rows, self._file = 0, file.name

    def rows(self, count: int) -> None:
        self._rows += count
        self._bar.update(self._task, note=f"{self._file}: {self._rows:,} rows")


def _deliveries(count: int) -> str:
    return f"{count} delivery" if count == 1 else f"{count} deliveries"


def _closing_table(results: list[BatchResult], is_trial: bool) -> Table:
    title = "checked, nothing loaded" if is_trial else "loaded"
    table = Table(title=f"{_deliveries(len(results))} {title}", title_justify="left")
    headings = ["entity", "read", "loadable" if is_trial else "loaded", "rejected", "duplicates"]
    # Told where there are any: a bank that erased nobody need not wonder.
    if any(count.erased for result in results for count in result.counts):
        headings.append("erased")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "entity" else "right")
    totals: dict[str, list[int]] = {}
    for result in results:
        for count in result.counts:
            found = (count.read, count.loaded, count.rejected, count.duplicate, count.erased)
            numbers = totals.setdefault(count.file.entity, [0] * (len(headings) - 1))
            for place, number in enumerate(found[: len(numbers)]):
                numbers[place] += number
    for entity, numbers in totals.items():
        table.add_row(entity, *(f"{number:,}" for number in numbers))
    table.add_section()
    table.add_row("all", *(f"{sum(column):,}" for column in zip(*totals.values(), strict=True)))
    return table


def _show_contracts(contracts: Mapping[str, Contract], entity: str | None) -> int:
    if entity and entity not in contracts:
        raise IngestError(f"no entity {entity!r}: choose one of {', '.join(contracts)}")
    if entity:
        contract = contracts[entity]
        OUTPUT.print(f"{entity}: {contract.description} {contract.grain}", markup=False)
        table = Table("column", "type", "rules", "meaning")
        for column in contract.columns:
            is_key = column.name in contract.key
            rules = escape("; ".join(_rules_in_words(column, is_key=is_key)))
            table.add_row(column.name, column.physical_type, rules, column.description)
        known_at = "When the bank's systems knew the row; any file may carry it."
        table.add_row("known_at", "timestamp", "", known_at)
    else:
        table = Table("entity", "kind", "key", "business date", "first delivery", "what it holds")
        for contract in contracts.values():
            table.add_row(
                contract.entity,
                contract.kind,
                ", ".join(contract.key),
                contract.business_date,
                "required" if contract.is_required_in_history else "optional",
                contract.description,
            )
    table.columns[0].no_wrap = True
    OUTPUT.print(table)
    return 0


def _rules_in_words(column: Column, *, is_key: bool) -> Iterator[str]:
    if is_key or column.is_required:
        yield "key" if is_key else "required"
    if column.is_personal:
        yield "personal"
    if column.allowed:
        yield f"one of {', '.join(column.allowed)}"
    if column.minimum is not None:
        yield f">= {column.minimum}"
    if column.exclusive_minimum is not None:
        yield f"> {column.exclusive_minimum}"
    if column.maximum is not None:
        yield f"<= {column.maximum}"
    if column.pattern:
        yield f"of the form {column.pattern}"
    if column.parent:
        yield f"found in {column.parent}"


if __name__ == "__main__":
    sys.exit(main())
