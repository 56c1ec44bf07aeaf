"""A small bank as canonical files, and the means to load and look at it."""

from __future__ import annotations

import csv
import datetime as dt
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.__main__ import main
from warehouse import Settings, open_warehouse

AS_OF = "2026-03-31"
Row = dict[str, Any]

CUSTOMERS: list[Row] = [
    {
        "customer_id": f"C{number}",
        "customer_kind": "personal",
        "sex": "female",
        "annual_income_amount": "120000.50",
        "currency_code": "CNY",
        "city": "Chengdu",
        "opened_on": "2024-01-15",
        "is_marketing_allowed": "true",
        "full_name": f"Planted Name{number}",
        "phone": f"13800000{number:03}",
        "email": f"planted{number}@mail.example",
        "national_id": f"51010019800101{number:04}",
        "birth_date": "1980-02-29",
    }
    for number in range(1, 4)
]
PRODUCTS: list[Row] = [
    {"product_id": "P1", "product_name": "Current", "product_family": "current", "currency_code": "CNY"}
]
ACCOUNTS: list[Row] = [
    {"account_id": f"A{number}", "product_id": "P1", "currency_code": "CNY", "opened_on": "2024-01-15"}
    for number in range(1, 4)
]
HOLDERS: list[Row] = [
    {"account_id": f"A{number}", "customer_id": f"C{number}", "holder_role": "owner"}
    for number in range(1, 4)
]


def transaction(number: int, **changes: Any) -> Row:
    """One good transaction, T<number>, with changed values."""
    return {
        "transaction_id": f"T{number}",
        "account_id": f"A{number % 3 + 1}",
        "booked_on": f"2026-{number % 3 + 1:02}-{number % 28 + 1:02}",
        "direction": "credit",
        "amount": f"{number}.50",
        "currency_code": "CNY",
        "transaction_type": "card_payment",
        "channel": "pos",
        "is_customer_initiated": "true",
        **changes,
    }


def transactions(count: int, first: int = 1) -> list[Row]:
    return [transaction(number) for number in range(first, first + count)]


def bank(count: int = 100, **changes: list[Row]) -> dict[str, list[Row]]:
    """The files of a small bank by entity; `changes` replaces whole files."""
    return {
        "customers": CUSTOMERS,
        "products": PRODUCTS,
        "accounts": ACCOUNTS,
        "account_holders": HOLDERS,
        "transactions": transactions(count),
        **changes,
    }


def write_csv(folder: Path, files: Mapping[str, Iterable[Row]], separator: str = ",") -> Path:
    """One CSV file an entity; the header is that of all keys in order of appearance."""
    folder.mkdir(parents=True, exist_ok=True)
    for entity, rows in files.items():
        rows = list(rows)
        names = list(dict.fromkeys(name for row in rows for name in row))
        with (folder / f"{entity}.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, names, delimiter=separator, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return folder


def write_parquet(folder: Path, files: Mapping[str, Iterable[Row]], types: Mapping[str, pa.DataType]) -> Path:
    """One Parquet file an entity; columns named in `types` are typed, all others are text."""
    folder.mkdir(parents=True, exist_ok=True)
    for entity, rows in files.items():
        rows = list(rows)
        names = list(dict.fromkeys(name for row in rows for name in row))
        columns = {}
        for name in names:
            text = pa.array([row.get(name) or None for row in rows], pa.string())
            columns[name] = text.cast(types[name]) if name in types else text
        pq.write_table(pa.table(columns), folder / f"{entity}.parquet")
    return folder


@dataclass(frozen=True)
class Outcome:
    """What a command line gave."""

    code: int
    out: str
    err: str


class Bank:
    """Command lines against one warehouse, and its tables."""

    def __init__(self, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
        self.settings = settings
        self._capsys = capsys

    def ingest(
        self, landing: Path, *, as_of: str = AS_OF, source: str = "canonical", command: str = "load"
    ) -> Outcome:
        self._capsys.readouterr()
        before = dict(os.environ)
        os.environ.update(self.settings.environment())
        try:
            code = main([command, "--source", source, "--landing", str(landing), "--as-of", as_of])
        finally:
            os.environ.clear()
            os.environ.update(before)
        captured = self._capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    def load(self, landing: Path, **options: Any) -> Outcome:
        """Load, and fail the test when it does not go well."""
        outcome = self.ingest(landing, **options)
        assert outcome.code == 0, outcome.err
        return outcome

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with open_warehouse(self.settings) as wh:
            return tuples(wh.query(sql))

    def rejected(self) -> list[tuple[Any, ...]]:
        return self.rows(
            "select line_no, column_name, reason_code from ops.rejected_rows order by entity, line_no"
        )

    def table_rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of raw, restricted and ops without the time of loading: to compare whole warehouses."""
        with open_warehouse(self.settings) as wh:
            names = wh.query(
                """
                select table_schema, table_name from information_schema.tables
                where table_schema in ('raw', 'restricted', 'ops') and table_type = 'BASE TABLE'
                order by 1, 2"""
            ).to_pylist()
            tables = {}
            for name in (f"{row['table_schema']}.{row['table_name']}" for row in names):
                columns = [column for column in wh.column_types(name) if column != "loaded_at"]
                table = wh.query(f"select {', '.join(columns)} from {name}")
                tables[name] = sorted(tuples(table), key=repr)
        return tables


def tuples(table: pa.Table) -> list[tuple[Any, ...]]:
    """Rows as tuples; columns may share a name."""
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def midnight(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


MakeBank = Callable[[Settings], Bank]
