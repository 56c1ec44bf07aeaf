"""Faults of whole files: one clear error with file, column and remedy, exit code 2, nothing loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.ingest.bank import Bank, bank, transactions, write_csv, write_parquet


def missing_file(landing: Path) -> None:
    (landing / "transactions.csv").rename(landing / "transaction.csv")


def missing_column(landing: Path) -> None:
    replace(landing / "transactions.csv", b"booked_on", b"booking_on")


def no_header(landing: Path) -> None:
    path = landing / "customers.csv"
    path.write_bytes(path.read_bytes().split(b"\n", 1)[1])


def twice_in_header(landing: Path) -> None:
    replace(landing / "accounts.csv", b"account_id,product_id", b"product_id,product_id")


def empty_file(landing: Path) -> None:
    (landing / "accounts.csv").write_bytes(b"")


def latin(landing: Path) -> None:
    path = landing / "transactions.csv"
    lines = path.read_bytes().split(b"\n")
    lines[41] += "é".encode("latin-1")
    path.write_bytes(b"\n".join(lines))


def utf_16(landing: Path) -> None:
    path = landing / "products.csv"
    path.write_bytes(path.read_text().encode("utf-16"))


def cut_character(landing: Path) -> None:
    path = landing / "products.csv"
    path.write_bytes(path.read_bytes() + "成".encode()[:2])


def parquet_transactions(landing: Path) -> Path:
    (landing / "transactions.csv").unlink()
    write_parquet(landing, {"transactions": transactions(2000)}, {})
    return landing / "transactions.parquet"


def truncated_parquet(landing: Path) -> None:
    path = parquet_transactions(landing)
    path.write_bytes(path.read_bytes()[:-100])


def damaged_parquet(landing: Path) -> None:
    path = parquet_transactions(landing)
    content = bytearray(path.read_bytes())
    content[4:2000] = b"\xff" * 1996
    path.write_bytes(content)


def nested_parquet(landing: Path) -> None:
    (landing / "products.csv").unlink()
    columns = {"product_id": [["P1"]], "product_name": ["Current"], "product_family": ["current"]}
    pq.write_table(pa.table(columns), landing / "products.parquet")


def both_formats(landing: Path) -> None:
    write_parquet(landing, {"transactions": transactions(3)}, {})


def empty_landing(landing: Path) -> None:
    for path in landing.iterdir():
        path.rename(path.with_suffix(".txt"))


def files_and_folders(landing: Path) -> None:
    write_csv(landing / "2026-03-30", bank(1))


def no_landing(landing: Path) -> None:
    empty_landing(landing)
    for path in landing.iterdir():
        path.unlink()
    landing.rmdir()


def several(landing: Path) -> None:
    missing_column(landing)
    empty_file(landing)
    utf_16(landing)


def replace(path: Path, old: bytes, new: bytes) -> None:
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new, 1))


@pytest.mark.parametrize(
    ("spoil", "messages"),
    [
        (
            missing_file,
            [
                "transactions.csv or transactions.parquet is missing",
                "transaction.csv: not the file of an entity, ignored: did you mean transactions.csv",
            ],
        ),
        (
            missing_column,
            ["transactions.csv: required column booked_on is missing: rename booking_on to booked_on"],
        ),
        (no_header, ["customers.csv: line 1 is no header", "add a header line (customer_id, customer_kind"]),
        (
            twice_in_header,
            [
                "accounts.csv: column product_id stands twice in the header",
                "accounts.csv: required column account_id is missing: add account_id",
            ],
        ),
        (empty_file, ["accounts.csv: empty, not even a header"]),
        (latin, ["transactions.csv: line 42: not UTF-8", "iconv"]),
        (utf_16, ["products.csv: line 1: the file is UTF-16, not UTF-8"]),
        (cut_character, ["products.csv: line 3: the file ends in the middle of a character"]),
        (
            truncated_parquet,
            ["transactions.parquet: not a whole Parquet file, cut off or damaged: deliver it again"],
        ),
        (damaged_parquet, ["transactions.parquet: Parquet cannot be read, damaged: deliver it again"]),
        (nested_parquet, ["products.parquet: column product_id: Parquet type list<"]),
        (
            both_formats,
            ["transactions: both transactions.csv and transactions.parquet are delivered: keep one"],
        ),
        (empty_landing, ["is empty: no <entity>.csv, no <entity>.parquet and no folder YYYY-MM-DD"]),
        (
            files_and_folders,
            ["holds both files (account_holders.csv ...) and dated folders (2026-03-30 ...)"],
        ),
        (no_landing, ["is not a folder: give the folder that holds the files"]),
        (
            several,
            ["required column booked_on is missing", "accounts.csv: empty, not even a header", "is UTF-16"],
        ),
    ],
)
def test_a_fault_is_told_and_nothing_is_loaded(
    quick_bank: Bank, tmp_path: Path, spoil: Callable[[Path], None], messages: list[str]
) -> None:
    landing = write_csv(tmp_path / "landing", bank(60))
    spoil(landing)
    outcome = quick_bank.ingest(landing)
    assert outcome.code == 2
    for message in messages:
        assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert "Planted" not in outcome.err
    assert outcome.out == ""
    # The raw tables may not exist yet; when they do they are empty.
    assert quick_bank.rows("select count(*) from ops.batches") == [(0,)]
    assert [name for name, rows in quick_bank.table_rows().items() if rows and name != "ops.sources"] == []


def test_an_unknown_column_and_file_are_warned_of_and_ignored(quick_bank: Bank, tmp_path: Path) -> None:
    files = bank(5)
    files["transactions"] = [{**row, "teller": "x"} for row in files["transactions"]]
    landing = write_csv(tmp_path / "landing", files)
    (landing / "notes.txt").write_text("hello")
    outcome = quick_bank.load(landing)
    assert (
        "warning: transactions.csv: column teller is not in the contract of transactions: ignored"
        in outcome.err
    )
    assert "warning: notes.txt: not the file of an entity, ignored" in outcome.err
    assert quick_bank.rows("select count(*) from raw.transactions") == [(5,)]


def test_a_fault_of_a_delivery_leaves_those_before_it_loaded(quick_bank: Bank, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    write_csv(landing / "2026-03-30", bank(5))
    (write_csv(landing / "2026-03-31", bank(6)) / "transactions.csv").write_bytes(b"\xff\xfe")
    outcome = quick_bank.ingest(landing)
    assert outcome.code == 2
    assert "2026-03-31/transactions.csv: line 1" in outcome.err
    assert quick_bank.rows("select delivered_on, status from ops.batches")[0][1] == "loaded"
    assert quick_bank.rows("select count(*) from raw.transactions") == [(5,)]


def test_a_landing_with_later_deliveries_only_is_an_error(quick_bank: Bank, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    write_csv(landing / "2026-03-31", bank(5))
    outcome = quick_bank.ingest(landing, as_of="2026-03-01")
    assert outcome.code == 2
    assert "holds no delivery up to 2026-03-02" in outcome.err


def test_a_warehouse_of_another_source_is_refused(quick_bank: Bank, tmp_path: Path) -> None:
    landing = write_csv(tmp_path / "landing", bank(5))
    quick_bank.load(landing)
    # The same database under the name of another source.
    other = quick_bank.settings.bank_home.parent / "demo-duckdb"
    (quick_bank.settings.bank_home / "warehouse.duckdb").replace(other / "warehouse.duckdb")
    outcome = quick_bank.ingest(landing, source="demo")
    assert outcome.code == 2
    assert "this warehouse holds the source 'canonical', not 'demo'" in outcome.err
