"""Both engines keep and give back the same rows, and transactions hold for data and structure."""

from __future__ import annotations

import contextlib
import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from warehouse import Settings, WarehouseError, open_warehouse
from warehouse.relations import MANY_VALUES

EVERY_TYPE = pa.schema(
    [
        ("amount", pa.decimal128(18, 2)),
        ("rate", pa.decimal128(12, 6)),
        ("small", pa.int32()),
        ("big", pa.int64()),
        ("share", pa.float64()),
        ("name", pa.string()),
        ("day", pa.date32()),
        ("moment", pa.timestamp("us")),
        ("is_open", pa.bool_()),
    ]
)
ROWS = pa.Table.from_pylist(
    [
        {
            "amount": Decimal("-9999999999999999.99"),
            "rate": Decimal("0.000001"),
            "small": -(2**31),
            "big": 2**63 - 1,
            "share": 0.1,
            "name": "客户 \\N\t\"quoted\", 'too'\nnext line 🏦",
            "day": dt.date(1900, 1, 1),
            "moment": dt.datetime(2026, 10, 31, 23, 59, 59, 999_999),
            "is_open": True,
        },
        {},
        {
            "amount": Decimal("0.00"),
            "name": "",
            "share": float("inf"),
            "day": dt.date(2026, 2, 28),
            "is_open": False,
        },
    ],
    schema=EVERY_TYPE,
)


def test_every_type_null_and_unicode_come_back_equal(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        wh.create_table("raw.everything", EVERY_TYPE)
        assert wh.append("raw.everything", ROWS.slice(0, 1)) == 1
        assert wh.append("raw.everything", ROWS.slice(1)) == 2
        assert wh.query("select * from raw.everything order by big nulls first, name nulls first").equals(
            ROWS.take([1, 2, 0])
        )
        streamed = wh.stream("select * from raw.everything where big = $1", [2**63 - 1])
        assert streamed.schema == EVERY_TYPE
        assert streamed.read_all().equals(ROWS.slice(0, 1))


def test_append_matches_columns_by_name_and_leaves_the_others_null(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        wh.create_table("raw.everything", EVERY_TYPE)
        wh.append("raw.everything", pa.table({"name": ["x"], "small": pa.array([7], pa.int64())}))
        assert wh.query("select name, small, amount from raw.everything").to_pylist() == [
            {"name": "x", "small": 7, "amount": None}
        ]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (pa.table({"small": [2**40]}), "raw.everything.small"),
        (pa.table({"amount": pa.array([Decimal("1.234")])}), "raw.everything.amount"),
        (pa.table({"colour": ["red"]}), "no column colour"),
    ],
)
def test_append_refuses_what_does_not_fit(settings: Settings, rows: pa.Table, words: str) -> None:
    with open_warehouse(settings) as wh:
        wh.create_table("raw.everything", EVERY_TYPE)
        with pytest.raises(WarehouseError, match=words):
            wh.append("raw.everything", rows)
        assert wh.query("select count(*) as n from raw.everything")["n"].to_pylist() == [0]


def test_append_files_adds_what_a_select_over_files_and_tables_gives(
    settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "it's.parquet"
    pq.write_table(ROWS, path)
    literal = str(path).replace("'", "''")
    file = f"select small, amount, day, name from read_parquet('{literal}') semi join kept using (name)"
    with open_warehouse(settings) as wh, wh.transaction():
        wh.create_table("raw.everything", EVERY_TYPE)
        assert wh.append_files("raw.everything", file, {"kept": pa.table({"name": [""]})}) == 1
        assert wh.query("select name, small, amount, day, share from raw.everything").to_pylist() == [
            {"name": "", "small": None, "amount": Decimal("0.00"), "day": dt.date(2026, 2, 28), "share": None}
        ]
        assert wh.append_files("raw.everything", f"select big, name from read_parquet('{literal}')", {}) == 3


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select 1.234::decimal(18, 3) as amount", "raw.everything.amount"),
        ("select 'red' as colour", "colour"),
        ("select * from read_parquet('/absent.parquet')", "absent.parquet"),
    ],
)
def test_append_files_refuses_what_does_not_fit(settings: Settings, sql: str, words: str) -> None:
    with open_warehouse(settings) as wh:
        wh.create_table("raw.everything", EVERY_TYPE)
        with pytest.raises(WarehouseError, match=words):
            wh.append_files("raw.everything", sql, {})
        assert wh.query("select count(*) as n from raw.everything")["n"].to_pylist() == [0]


def test_an_error_of_the_producer_passes_through_append(settings: Settings) -> None:
    schema = pa.schema([("name", pa.string())])

    def batches():
        yield pa.record_batch([pa.array(["first"])], schema=schema)
        raise ZeroDivisionError("in the producer")

    with open_warehouse(settings) as wh:
        wh.create_table("raw.everything", EVERY_TYPE)
        with pytest.raises(ZeroDivisionError, match="in the producer"):
            wh.append("raw.everything", pa.RecordBatchReader.from_batches(schema, batches()))
        assert wh.query("select count(*) as n from raw.everything")["n"].to_pylist() == [0]


def test_parameters_of_every_type(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        wh.create_table("raw.everything", EVERY_TYPE)
        wh.append("raw.everything", ROWS)
        for column, value in ROWS.slice(0, 1).to_pylist()[0].items():
            found = wh.query(f"select count(*) as n from raw.everything where {column} = $1", [value])
            assert found["n"].to_pylist() == [1], column
        wh.execute("insert into raw.everything (small, day, name) values ($1, $2, $3)", [5, None, None])
        assert wh.query("select day, name from raw.everything where small = 5").to_pylist() == [
            {"day": None, "name": None}
        ]


def test_computed_numeric_is_never_text(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        wh.create_table("raw.everything", EVERY_TYPE)
        wh.append("raw.everything", ROWS.slice(2))
        result = wh.query("select sum(amount) as total, sum(big) as none from raw.everything")
        assert all(pa.types.is_decimal(column.type) for column in result.schema)
        assert result.to_pylist() == [{"total": Decimal(0), "none": None}]


def test_a_transaction_that_raises_leaves_neither_rows_nor_tables(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        wh.create_table("raw.everything", EVERY_TYPE)
        with pytest.raises(KeyError), wh.transaction():  # noqa: PT012
            wh.append("raw.everything", ROWS)
            wh.execute("create schema run_20261031_01")
            wh.execute("create table run_20261031_01.mart as select 1 as one")
            wh.replace_views({"marts.mart": "select * from run_20261031_01.mart"})
            assert wh.query("select one from marts.mart")["one"].to_pylist() == [1]
            raise KeyError
        assert wh.query("select count(*) as n from raw.everything")["n"].to_pylist() == [0]
        assert not wh.exists("marts.mart")
        assert "run_20261031_01" not in wh.schemas()


def test_an_error_swallowed_inside_a_transaction_is_no_silent_rollback(settings: Settings) -> None:
    """Both engines answer such a commit with a rollback and no error of their own."""
    with open_warehouse(settings) as wh:
        with pytest.raises(WarehouseError, match="aborted"), wh.transaction():  # noqa: PT012
            wh.execute("create table raw.kept (a integer)")
            with contextlib.suppress(WarehouseError):
                wh.execute("select * from raw.absent")
        assert not wh.exists("raw.kept")
        with wh.transaction():
            wh.execute("create table raw.kept (a integer)")
        assert wh.exists("raw.kept")


def test_stream_gives_bounded_batches_and_sees_what_is_committed(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        wh.execute("create table raw.numbers (n integer)")
        wh.append("raw.numbers", pa.table({"n": pa.array(range(10_000), pa.int32())}))
        with wh.transaction():
            wh.execute("insert into raw.numbers values (-1)")
            batches = list(
                wh.stream("select n from raw.numbers where n >= $1 or n < 0", [5_000], batch_rows=3_000)
            )
        assert sum(batch.num_rows for batch in batches) == 5_000
        assert max(batch.num_rows for batch in batches) <= 3_000


def test_errors_are_plain(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        with pytest.raises(WarehouseError, match="absent") as fault:
            wh.query("select * from raw.absent")
        assert "libpq" not in str(fault.value)
        with pytest.raises(WarehouseError, match=r"schema\.table"):
            wh.exists("raw.t; drop table x")


def test_read_only_refuses_to_write(settings: Settings) -> None:
    with open_warehouse(settings, read_only=True) as wh, pytest.raises(WarehouseError, match=r"read.only"):
        wh.execute("create table raw.kept (a integer)")


def test_duckdb_writes_columns_of_many_values_without_a_dictionary(duckdb_settings: Settings) -> None:
    schema = pa.schema([pa.field("key", pa.string(), metadata=MANY_VALUES), pa.field("kind", pa.string())])
    with open_warehouse(duckdb_settings) as wh:
        wh.create_table("raw.keys", schema)
        keys = [f"T{number:010}" for number in range(50_000)]
        wh.append("raw.keys", pa.table({"key": keys, "kind": ["a", "b"] * 25_000}))
        wh.execute("checkpoint")
        used = wh.query(
            """
            select distinct column_name, compression from pragma_storage_info('raw.keys')
            where segment_type = 'VARCHAR' order by 1"""
        ).to_pylist()
    assert used[0] == {"column_name": "key", "compression": "ZSTD"}
    assert used[1]["compression"] != "ZSTD"


def test_duckdb_draws_no_progress_bar_into_the_output(duckdb_settings: Settings) -> None:
    """It would appear in the CSV of every query that takes more than two seconds."""
    with open_warehouse(duckdb_settings) as wh:
        bar = wh.query("select current_setting('enable_progress_bar') as is_on")
        assert bar["is_on"].to_pylist() == [False]
