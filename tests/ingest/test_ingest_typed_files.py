"""Typed Parquet is taken as it is: every row meets the fate that it meets as text, in Parquet or CSV."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest import repeats
from ingest.contracts import ARROW_TYPES, load_contracts
from ingest.reading import EntityFile, read_layout
from ingest.repeats import repeated_hashes
from ingest.staging import stage
from tests.ingest.bank import (
    ACCOUNTS,
    CUSTOMERS,
    Bank,
    Row,
    bank,
    transaction,
    transactions,
    write_csv,
    write_parquet,
)
from tests.ingest.conftest import empty_bank
from warehouse import Settings, open_warehouse

CONTRACTS = load_contracts()
TYPES = {
    column.name: column.arrow_type
    for contract in CONTRACTS.values()
    for column in contract.columns
    if column.physical_type != "varchar"
} | {"known_at": pa.timestamp("us")}

# What can be wrong with a transaction whose columns have the types of the contract, and what it is told.
FAULTS: list[tuple[Row, str, str]] = [
    ({"transaction_id": ""}, "transaction_id", "key"),
    ({"transaction_id": "T\0"}, "transaction_id", "type"),
    ({"account_id": " "}, "account_id", "required"),
    ({"booked_on": ""}, "booked_on", "required"),
    ({"booked_on": "2026-04-01"}, "booked_on", "range"),
    ({"amount": "-0.01"}, "amount", "range"),
    ({"direction": "Credit"}, "direction", "enum"),
    ({"currency_code": "yuan"}, "currency_code", "type"),
    ({"known_at": "2026-04-01 00:00:00"}, "known_at", "range"),
    ({"account_id": "A99"}, "account_id", "orphan"),
    ({"transaction_id": "T7", "amount": "1.00"}, "transaction_id", "conflicting_duplicate"),
    ({"amount": "-2.00", "direction": "up", "account_id": ""}, "account_id", "required"),
]
REJECTED = "select line_no, column_name, reason_code from ops.rejected_rows order by batch_id, line_no"
Write = Callable[[Path, dict[str, list[Row]]], Path]


def write_typed(folder: Path, files: dict[str, list[Row]]) -> Path:
    return write_parquet(folder, files, TYPES)


def write_text(folder: Path, files: dict[str, list[Row]]) -> Path:
    return write_parquet(folder, files, {})


def histories() -> dict[str, list[Row]]:
    """A first delivery with each fault once, identical rows, and text that has to be trimmed."""
    good = [{**row, "known_at": "2026-03-30 08:30:00"} for row in transactions(700)]
    padded = [transaction(800, transaction_id=" T800\u3000", channel="pos\t"), transaction(801, channel="")]
    bad = [transaction(900 + number, **changes) for number, (changes, _, _) in enumerate(FAULTS)]
    accounts = [*ACCOUNTS, {**ACCOUNTS[0], "account_id": "A4", "product_id": "P9"}]
    customers = [*CUSTOMERS, {**CUSTOMERS[0], "customer_id": "C9", "annual_income_amount": "-1.00"}]
    return bank(transactions=[*good, *padded, good[8], *bad], accounts=accounts, customers=customers)


def later() -> dict[str, list[Row]]:
    """A second delivery: rows that are loaded, two that contradict them, new ones; versions that are news."""
    again = [*transactions(300, first=100), *transactions(20, first=2000)]
    again[5] = {**again[5], "amount": "0.01"}
    again[6] = {**again[6], "channel": ""}
    return {
        "transactions": again,
        "accounts": [{**ACCOUNTS[0], "branch_id": "B7"}, ACCOUNTS[1]],
        "customers": [{**CUSTOMERS[0], "city": "Xi'an"}, CUSTOMERS[1]],
    }


def contents(here: Bank) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of raw, restricted and ops, without what is of the file and not of its rows."""
    named = {}
    with open_warehouse(here.settings) as wh:
        for schema, table in here.rows(
            """
            select table_schema, table_name from information_schema.tables
            where table_schema in ('raw', 'restricted', 'ops') and table_type = 'BASE TABLE'"""
        ):
            of_file = ("loaded_at", "batch_id", "file_name", "content_hash")
            columns = [name for name in wh.column_types(f"{schema}.{table}") if name not in of_file]
            rows = wh.query(f"select {', '.join(columns)} from {schema}.{table}").to_pylist()
            named[f"{schema}.{table}"] = sorted((tuple(row.values()) for row in rows), key=repr)
    return named


def test_typed_text_and_csv_files_give_the_same_rows(
    duckdb_settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {}
    writers: dict[str, Write] = {"typed": write_typed, "text": write_text, "csv": write_csv}
    for form, write in writers.items():
        settings = replace(duckdb_settings, home=tmp_path / f"home-{form}", source="canonical")
        here = empty_bank(settings, capsys)
        write(tmp_path / form / "2026-03-31", histories())
        write(tmp_path / form / "2026-04-01", later())
        here.load(tmp_path / form, as_of="2026-03-31")
        found[form] = contents(here)
        counts = here.rows(
            """
            select batch_no, files.rows_read, files.rows_loaded, files.rows_rejected, files.rows_duplicate
            from ops.batch_files as files inner join ops.batches using (batch_id)
            where entity = 'transactions' order by 1"""
        )
        # T7 stands twice with two contents, T9 twice with one.
        assert counts == [(1, 703 + len(FAULTS), 701, len(FAULTS) + 1, 1), (2, 320, 20, 2, 298)], form
    assert found["typed"] == found["text"]
    assert found["typed"] == found["csv"]
    assert {len(rows) for name, rows in found["typed"].items() if name.startswith("raw.")} > {0, 3, 721}


def test_each_fault_of_a_typed_file_is_rejected_on_both_engines(bank_here: Bank, tmp_path: Path) -> None:
    # Neither a blank nor a NUL, so that each column is taken as it is.
    faults = [fault for fault in FAULTS if not {" ", "T\0"}.intersection(fault[0].values())]
    assert len(faults) == len(FAULTS) - 2
    bad = [transaction(2000 + number, **changes) for number, (changes, _, _) in enumerate(faults)]
    landing = write_typed(tmp_path / "landing", bank(transactions=[*transactions(1000), *bad]))
    bank_here.load(landing)
    expected = [(1002 + number, column, code) for number, (_, column, code) in enumerate(faults)]
    assert bank_here.rows(REJECTED) == [(8, "transaction_id", "conflicting_duplicate"), *expected]
    assert bank_here.rows("select count(*), sum(amount) from raw.transactions") == [
        (999, sum(number + 0.5 for number in range(1, 1001)) - 7.5)
    ]


def test_days_beyond_the_calendar_of_four_digits_are_no_dates(quick_bank: Bank, tmp_path: Path) -> None:
    landing = write_typed(tmp_path / "landing", bank(3))
    accounts = pq.read_table(landing / "accounts.parquet")
    days = pa.array([3_000_000, 19_000, -800_000], pa.int32()).cast(pa.date32())
    accounts = accounts.set_column(accounts.schema.get_field_index("opened_on"), "opened_on", days)
    pq.write_table(accounts, landing / "accounts.parquet")
    quick_bank.load(landing)
    assert quick_bank.rows(
        "select line_no, reason_code, reason from ops.rejected_rows where entity = 'accounts' order by 1"
    ) == [
        (2, "type", 'opened_on: "10183-09-21" is not a date (YYYY-MM-DD)'),
        (4, "type", 'opened_on: "0222-09-04 (BC)" is not a date (YYYY-MM-DD)'),
    ]


def test_a_column_is_taken_as_it_is_only_where_every_value_is_sound(tmp_path: Path) -> None:
    rows = 70_000
    columns = {
        "transaction_id": pa.array([f"T{number}" for number in range(rows)]),
        "account_id": pa.array(["A1"] * (rows - 1) + ["A1 "]),
        "booked_on": pa.array([dt.date(2026, 3, 1)] * rows),
        "direction": pa.array(["credit"] * rows).dictionary_encode(),
        "amount": pa.array([1] * rows, pa.int32()),
        "currency_code": pa.array(["CNY"] * (rows - 1) + ["\u00a0CNY"]),
        "transaction_type": pa.array(["fee"] * (rows - 1) + [""]),
        "channel": pa.array(["pos"] * (rows - 1) + ["po\0"]),
        "is_customer_initiated": pa.array([1] * rows, pa.int8()),
        "known_at": pa.array([dt.datetime(2026, 3, 1, 8)] * rows, pa.timestamp("us", tz="UTC")),
    }
    path = tmp_path / "transactions.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=10_000)
    file = EntityFile("transactions", path, path.name, "")
    contract = CONTRACTS["transactions"]
    layout, _ = read_layout(file, contract)
    with duckdb.connect() as connection:
        staged = stage(connection, tmp_path, file, layout, contract, lambda count: None)
        assert staged.count == rows
        assert staged.sound == {"transaction_id", "booked_on", "direction", "amount"}
        connection.execute("create table lines as select unnest([70001, 2]) as line_no")
        picked = "select line_no, raw_transaction_id, raw_account_id, raw_currency_code, raw_transaction_type"
        assert connection.execute(f"{picked} from ({staged.rows_of('lines')}) order by 1").fetchall() == [
            (2, "T0", "A1", "CNY", "fee"),
            (70001, "T69999", "A1", "CNY", None),
        ]


@pytest.mark.parametrize(
    ("found", "wanted", "is_taken"),
    [
        (pa.decimal128(18, 2), "numeric(18,2)", True),
        (pa.decimal128(17, 1), "numeric(18,2)", True),
        (pa.decimal128(18, 1), "numeric(18,2)", False),
        (pa.decimal128(9, 3), "numeric(18,2)", False),
        (pa.decimal128(12, 6), "numeric(12,6)", True),
        (pa.decimal128(13, 6), "numeric(12,6)", False),
        (pa.int64(), "numeric(18,2)", False),
        (pa.int32(), "integer", True),
        (pa.uint32(), "integer", False),
        (pa.float64(), "numeric(18,2)", False),
        (pa.bool_(), "boolean", True),
        (pa.timestamp("us"), "date", False),
    ],
)
def test_only_types_whose_every_value_fits_are_taken(
    tmp_path: Path, found: pa.DataType, wanted: str, is_taken: bool
) -> None:
    column = next(
        (contract, column.name)
        for contract in CONTRACTS.values()
        for column in contract.columns
        if column.physical_type == wanted and not column.is_required
    )
    contract, name = column
    required = {column.name: pa.array(["x"]) for column in contract.columns if column.is_required}
    path = tmp_path / f"{contract.entity}.parquet"
    pq.write_table(pa.table({**required, name: pa.array([None], found)}), path)
    file = EntityFile(contract.entity, path, path.name, "")
    layout, _ = read_layout(file, contract)
    with duckdb.connect() as connection:
        staged = stage(connection, tmp_path, file, layout, contract, lambda count: None)
    assert (name in staged.sound) == is_taken
    assert wanted in ARROW_TYPES


def test_repeated_hashes_are_found_whatever_the_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "select (range * 7919) % 100003 as key from range(100003) union all select unnest([5, 77, 77, 99])"
    with duckdb.connect() as connection:
        whole = repeated_hashes(connection, "hash(key)", rows, 100_007)
        monkeypatch.setattr(repeats, "SLICE_ROWS", 9_000)
        monkeypatch.setattr(repeats, "BATCH_ROWS", 2_048)
        sliced = repeated_hashes(connection, "hash(key)", rows, 100_007)
        same = repeated_hashes(connection, "hash(1)", rows, 100_007)
        expected = [connection.execute("select hash($1::bigint)", [n]).fetchall()[0][0] for n in (5, 77, 99)]
    assert sorted(whole.tolist()) == sorted(expected)
    assert np.array_equal(np.sort(sliced), np.sort(whole))
    assert len(same) == 1
