"""Loading: once, whole, deduplicated, versioned, with personal data apart. On both engines."""

from __future__ import annotations

import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ingest.checking import BatchCheck, FileCounts
from ingest.contracts import load_contracts
from ingest.reading import EntityFile
from tests.ingest.bank import (
    ACCOUNTS,
    CUSTOMERS,
    HOLDERS,
    Bank,
    bank,
    day,
    midnight,
    transaction,
    transactions,
    write_csv,
    write_parquet,
)
from tests.ingest.conftest import empty_bank
from warehouse import Settings, open_warehouse

COUNTS = """
    select
        batches.batch_no, files.entity,
        files.rows_read, files.rows_loaded, files.rows_rejected, files.rows_duplicate
    from ops.batch_files as files inner join ops.batches as batches on files.batch_id = batches.batch_id
    where entity in ('transactions', 'accounts') order by 1, 2"""


def test_values_arrive_typed_and_history_is_known_at_its_business_date(
    bank_here: Bank, tmp_path: Path
) -> None:
    outcome = bank_here.load(write_csv(tmp_path / "landing", bank(2)))
    assert "transactions" in outcome.out
    assert bank_here.rows(
        """
        select
            transaction_id, booked_on, amount, is_customer_initiated, reverses_transaction_id, batch_no,
            known_at, is_known_at_assumed
        from raw.transactions order by 1"""
    ) == [
        ("T1", day("2026-02-02"), Decimal("1.50"), True, None, 1, midnight("2026-02-02"), True),
        ("T2", day("2026-03-03"), Decimal("2.50"), True, None, 1, midnight("2026-03-03"), True),
    ]
    assert bank_here.rows(
        "select source, policy_set, reporting_currency_code, landing_lag_days from ops.sources"
    ) == [("canonical", "cny", "CNY", 1)]
    assert bank_here.rows("select batch_no, delivered_on, is_history, status from ops.batches") == [
        (1, day("2026-03-31"), True, "loaded")
    ]
    assert bank_here.rows("select distinct valid_from, known_at from raw.account_holders") == [
        (day("1900-01-01"), midnight("1900-01-01"))
    ]


def test_tables_of_absent_entities_exist_and_are_empty(bank_here: Bank, tmp_path: Path) -> None:
    bank_here.load(write_csv(tmp_path / "landing", bank(1)))
    with open_warehouse(bank_here.settings) as wh:
        assert [entity for entity in load_contracts() if not wh.exists(f"raw.{entity}")] == []
        assert wh.query("select count(*) as n from raw.market_environment")["n"].to_pylist() == [0]


def test_a_delivery_loads_once_also_under_a_new_path_and_as_of_date(bank_here: Bank, tmp_path: Path) -> None:
    landing = write_csv(tmp_path / "landing", bank(50))
    bank_here.load(landing)
    before = bank_here.table_rows()
    moved = shutil.copytree(landing, tmp_path / "elsewhere")
    assert "nothing new" in bank_here.load(landing).out
    assert "nothing new" in bank_here.load(moved, as_of="2026-04-30").out
    assert bank_here.table_rows() == before


def test_a_changed_delivery_brings_only_its_new_rows(bank_here: Bank, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    write_csv(landing / "2026-03-31", bank(50))
    bank_here.load(landing)
    write_csv(landing / "2026-03-31", bank(52))
    bank_here.load(landing)
    assert bank_here.rows(COUNTS) == [
        (1, "accounts", 3, 3, 0, 0),
        (1, "transactions", 50, 50, 0, 0),
        (2, "accounts", 3, 0, 0, 3),
        (2, "transactions", 52, 2, 0, 50),
    ]
    assert bank_here.rows("select count(*), count(distinct transaction_id) from raw.transactions") == [
        (52, 52)
    ]


def test_later_deliveries_are_known_when_delivered_or_as_recorded(quick_bank: Bank, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    write_csv(landing / "2026-03-31", bank(3))
    late = [
        transaction(10, booked_on="2026-03-30", known_at=""),
        transaction(11, booked_on="2026-03-30", known_at="2026-04-01 08:30:00"),
        transaction(12, booked_on="2026-04-02", known_at="2026-04-02T23:59:59.5"),
    ]
    write_csv(landing / "2026-04-02", {"transactions": late})
    quick_bank.load(landing, as_of="2026-04-01")
    assert quick_bank.rows(
        """
        select transaction_id, known_at, is_known_at_assumed from raw.transactions
        where batch_no = 2 order by 1"""
    ) == [
        ("T10", midnight("2026-04-02"), False),
        ("T11", midnight("2026-04-01 08:30:00"), False),
        ("T12", midnight("2026-04-02 23:59:59.500000"), False),
    ]


def test_folders_beyond_the_landing_lag_wait(quick_bank: Bank, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    write_csv(landing / "2026-03-31", bank(3))
    write_csv(landing / "2026-04-02", {"transactions": transactions(1, first=10)})
    quick_bank.load(landing, as_of="2026-03-31")
    assert quick_bank.rows("select count(*) from ops.batches") == [(1,)]


def test_what_comes_late_was_not_known_before_what_is_loaded(quick_bank: Bank, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    write_csv(landing / "2026-03-01", bank(1))
    write_csv(landing / "2026-03-20", {"transactions": [transaction(2, booked_on="2026-03-20")]})
    quick_bank.load(landing)
    write_csv(landing / "2026-03-10", {"transactions": [transaction(3, booked_on="2026-03-10")]})
    quick_bank.load(landing)
    assert quick_bank.rows("select known_at from raw.transactions where transaction_id = 'T3'") == [
        (midnight("2026-03-20"),)
    ]


def test_a_new_version_is_loaded_and_an_unchanged_one_is_not(bank_here: Bank, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    write_csv(landing / "2026-03-31", bank(3))
    closed = [{**ACCOUNTS[0], "closed_on": "2026-04-01", "closure_reason": "customer_request"}, *ACCOUNTS[1:]]
    write_csv(landing / "2026-04-01", {"accounts": closed})
    write_csv(
        landing / "2026-04-02",
        {"accounts": [{**row, "closed_on": "", "closure_reason": ""} for row in closed]},
    )
    bank_here.load(landing, as_of="2026-04-02")
    assert bank_here.rows(
        "select account_id, valid_from, closed_on, batch_no from raw.accounts order by 1, 2"
    ) == [
        ("A1", day("2024-01-15"), None, 1),
        # A delivery tells of the day before it: the source lands a day late.
        ("A1", day("2026-03-31"), day("2026-04-01"), 2),
        ("A1", day("2026-04-01"), None, 3),
        ("A2", day("2024-01-15"), None, 1),
        ("A3", day("2024-01-15"), None, 1),
    ]


def test_versions_of_history_may_come_again_one_by_one(quick_bank: Bank, tmp_path: Path) -> None:
    versions = [
        {**ACCOUNTS[0], "valid_from": "2024-01-15"},
        {**ACCOUNTS[0], "valid_from": "2025-06-01", "branch_id": "B2"},
        *ACCOUNTS[1:],
    ]
    landing = write_csv(tmp_path / "landing", bank(3, accounts=versions))
    quick_bank.load(landing)
    assert quick_bank.rows(
        "select valid_from, known_at from raw.accounts where account_id = 'A1' order by 1"
    ) == [
        (day("2024-01-15"), midnight("2024-01-15")),
        (day("2025-06-01"), midnight("2025-06-01")),
    ]
    quick_bank.load(write_csv(landing, bank(4, accounts=versions)), as_of="2026-04-30")
    assert quick_bank.rows("select count(*) from raw.accounts") == [(4,)]


def test_a_correction_known_later_is_a_version_of_the_same_day(quick_bank: Bank, tmp_path: Path) -> None:
    due = {"loan_id": "L1", "due_on": "2026-02-01", "due_amount": "10.00", "currency_code": "CNY"}
    paid = {**due, "paid_on": "2026-02-03", "paid_amount": "10.00"}
    instalments = [{**due, "known_at": "2026-01-01"}, {**paid, "known_at": "2026-02-03"}]
    loans = [
        {
            "loan_id": "L1",
            "account_id": "A1",
            "granted_on": "2026-01-01",
            "principal_amount": "100.00",
            "currency_code": "CNY",
        }
    ]
    landing = write_csv(tmp_path / "landing", bank(1, loans=loans, loan_payments=instalments))
    quick_bank.load(landing)
    expected = [
        (day("2026-02-01"), midnight("2026-01-01"), None),
        (day("2026-02-01"), midnight("2026-02-03"), day("2026-02-03")),
    ]
    loaded = "select valid_from, known_at, paid_on from raw.loan_payments order by known_at"
    assert quick_bank.rows(loaded) == expected
    # Delivered again, with one transaction more, neither of the two is news.
    write_csv(landing, bank(2, loans=loans, loan_payments=instalments))
    quick_bank.load(landing, as_of="2026-04-30")
    assert quick_bank.rows(loaded) == expected


def test_a_correction_of_what_was_announced_ahead_stands(quick_bank: Bank, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    campaign = {
        "campaign_id": "K1",
        "campaign_name": "Spring",
        "starts_on": "2026-05-01",
        "ends_on": "2026-05-31",
    }
    corrected = {**campaign, "ends_on": "2026-06-30"}
    write_csv(landing / "2026-03-01", bank(0, campaigns=[campaign], transactions=[transaction(3)]))
    write_csv(landing / "2026-03-02", {"campaigns": [corrected]})
    quick_bank.load(landing)
    # The newest valid_from, then the newest known_at, stands.
    assert quick_bank.rows("select valid_from, known_at, ends_on from raw.campaigns order by 1, 2") == [
        (day("2026-05-01"), midnight("2026-03-01"), day("2026-05-31")),
        (day("2026-05-01"), midnight("2026-03-02"), day("2026-06-30")),
    ]


def test_events_that_contradict_what_is_loaded_are_rejected(bank_here: Bank, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    write_csv(landing / "2026-03-31", bank(60))
    again = transactions(58)
    again[6]["amount"] = "999.00"
    write_csv(landing / "2026-04-01", {"transactions": again})
    bank_here.load(landing, as_of="2026-04-01")
    assert bank_here.rejected() == [(8, "transaction_id", "conflicting_duplicate")]
    assert bank_here.rows("select amount from raw.transactions where transaction_id = 'T7'") == [
        (Decimal("7.50"),)
    ]
    assert bank_here.rows(COUNTS)[-1] == (2, "transactions", 58, 0, 1, 57)


def test_parents_may_come_in_an_earlier_batch_and_children_of_rejected_parents_are_orphans(
    bank_here: Bank, tmp_path: Path
) -> None:
    landing = tmp_path / "landing"
    accounts = [
        *ACCOUNTS,
        {**ACCOUNTS[0], "account_id": "A4", "product_id": "P9"},
        {**ACCOUNTS[0], "account_id": "A5"},
    ]
    rows = [*transactions(60), transaction(61, account_id="A4"), transaction(62, account_id="A5")]
    write_csv(landing / "2026-03-31", bank(accounts=accounts, transactions=rows))
    bank_here.load(landing)
    assert bank_here.rows(
        "select entity, line_no, column_name, reason_code from ops.rejected_rows order by 1"
    ) == [
        ("accounts", 5, "product_id", "orphan"),
        ("transactions", 62, "account_id", "orphan"),
    ]
    write_csv(
        landing / "2026-04-01",
        {"transactions": [transaction(63, account_id="A5"), transaction(64, account_id="A4")]},
    )
    bank_here.load(landing, as_of="2026-04-01")
    assert bank_here.rows("select transaction_id from raw.transactions where batch_no = 2") == [("T63",)]


def test_postgresql_finds_a_row_by_its_key_and_a_batch_by_its_number(
    postgres_settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = empty_bank(replace(postgres_settings, source="canonical"), capsys)
    landing = tmp_path / "landing"
    write_csv(landing / "2026-03-31", bank(60))
    write_csv(landing / "2026-04-01", {"transactions": transactions(70)})
    here.load(landing, as_of="2026-04-01")
    assert here.rows(
        "select indexdef from pg_indexes where schemaname = 'raw' and tablename = 'transactions' order by 1"
    ) == [
        ("CREATE INDEX transactions_by_batch ON raw.transactions USING brin (batch_no)",),
        ("CREATE UNIQUE INDEX transactions_by_key ON raw.transactions USING btree (transaction_id)",),
    ]
    assert here.rows("select batch_no, count(*) from raw.transactions group by 1 order by 1") == [
        (1, 60),
        (2, 10),
    ]


def test_a_file_that_changes_while_it_is_read_is_not_loaded(
    quick_bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing = write_parquet(tmp_path / "landing", bank(20), {})
    before = quick_bank.table_rows()
    check = BatchCheck.check

    def check_and_deliver_again(self: BatchCheck, file: EntityFile, *arguments: Any) -> FileCounts:
        counts = check(self, file, *arguments)
        if file.entity == "transactions":
            write_parquet(
                landing, {"transactions": [transaction(n, amount="9.00") for n in range(1, 21)]}, {}
            )
        return counts

    monkeypatch.setattr(BatchCheck, "check", check_and_deliver_again)
    outcome = quick_bank.ingest(landing)
    assert outcome.code == 2
    assert "transactions.parquet: changed while it was read: load again when it is complete" in outcome.err
    assert {
        name: rows for name, rows in quick_bank.table_rows().items() if rows and name != "ops.sources"
    } == {name: rows for name, rows in before.items() if rows}


def test_personal_data_is_in_no_table_but_restricted(bank_here: Bank, tmp_path: Path) -> None:
    shifted = [value for value in CUSTOMERS[0].values() if value != "personal"]
    landing = write_csv(
        tmp_path / "landing",
        bank(
            60,
            customers=[
                *CUSTOMERS,
                *(
                    {**CUSTOMERS[0], "customer_id": f"D{number}", "full_name": f"Planted Many{number}"}
                    for number in range(200)
                ),
                {**CUSTOMERS[0], "customer_id": "C5", "opened_on": "Planted Opened"},
                {
                    **CUSTOMERS[0],
                    "customer_id": "C6",
                    "city": "Planted City",
                    "sex": "Planted Sex",
                    "birth_date": "Planted Birth",
                },
            ],
        ),
    )
    with (landing / "customers.csv").open("a") as stream:
        stream.write(",".join(shifted) + "\n")
    outcome = bank_here.load(landing)
    assert (
        sorted(code for _, _, code in bank_here.rejected()) == ["enum", "malformed", "type"]
        or len(bank_here.rejected()) == 3
    )
    planted = ["Planted", "planted", "13800000", "51010019800101", "1980-02-29", "1980, 2, 29"]
    leaks = [
        (table, row)
        for table, rows in bank_here.table_rows().items()
        if not table.startswith("restricted.")
        for row in rows
        if any(word in repr(row) for word in planted)
    ]
    assert leaks == []
    assert [word for word in planted if word in outcome.out + outcome.err] == []
    restricted = repr(
        [rows for table, rows in bank_here.table_rows().items() if table.startswith("restricted.")]
    )
    assert "Planted Name1" in restricted
    assert "Planted Sex" in restricted
    assert bank_here.rows("select distinct birth_year from raw.customers") == [(1980,)]
    with open_warehouse(bank_here.settings) as wh:
        assert "row_hash" not in wh.column_types("raw.customers")
        assert "row_hash" in wh.column_types("restricted.customers")


def test_csv_and_parquet_give_the_same_rows(bank_here: Bank, tmp_path: Path) -> None:
    bank_here.load(write_csv(tmp_path / "csv", bank(40), separator=";"))
    before = bank_here.table_rows()
    types = {
        "booked_on": pa.timestamp("us"),
        "opened_on": pa.date32(),
        "birth_date": pa.date32(),
        "amount": pa.float64(),
        "annual_income_amount": pa.decimal128(18, 4),
        "is_customer_initiated": pa.bool_(),
        "product_family": pa.dictionary(pa.int32(), pa.string()),
    }
    typed = {name: kind for name, kind in types.items() if name != "product_family"}
    landing = write_parquet(tmp_path / "parquet", bank(40), typed)
    bank_here.load(landing, as_of="2026-04-30")
    assert bank_here.rows(COUNTS)[-2:] == [(2, "accounts", 3, 0, 0, 3), (2, "transactions", 40, 0, 0, 40)]
    after = bank_here.table_rows()
    assert {name: rows for name, rows in after.items() if name.startswith(("raw.", "restricted."))} == {
        name: rows for name, rows in before.items() if name.startswith(("raw.", "restricted."))
    }


def test_a_batch_with_too_many_rejected_rows_is_refused_whole(bank_here: Bank, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    write_csv(landing / "2026-03-30", bank(50))
    bank_here.load(landing)
    raw = {name: rows for name, rows in bank_here.table_rows().items() if name.startswith("raw.")}
    bad = [*transactions(96, first=100), *(transaction(number, amount="1,5") for number in range(200, 204))]
    write_csv(landing / "2026-03-31", {"transactions": bad})
    for _ in range(2):
        outcome = bank_here.ingest(landing)
        assert outcome.code == 2
        assert "2026-03-31/transactions.csv: 4 of 100 rows rejected (4.0%; 2.0% are allowed)" in outcome.err
        assert "4 x type in amount, first in line 98" in outcome.err
        assert "ops.rejected_rows" in outcome.err
        assert {n: rows for n, rows in bank_here.table_rows().items() if n.startswith("raw.")} == raw
        assert bank_here.rows(
            "select status, rows_read, rows_loaded, rows_rejected from ops.batches order by batch_no"
        ) == [
            ("loaded", 60, 60, 0),
            ("refused", 100, 0, 4),
        ]
        assert [row[0] for row in bank_here.rejected()] == [98, 99, 100, 101]
    write_csv(landing / "2026-03-31", {"transactions": bad[:96]})
    bank_here.load(landing)
    assert bank_here.rows("select count(*) from raw.transactions") == [(146,)]


def test_check_says_what_load_would_do_and_changes_nothing(bank_here: Bank, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    write_csv(landing / "2026-03-30", bank(50))
    write_csv(landing / "2026-03-31", {"transactions": transactions(2, first=60), "account_holders": HOLDERS})
    before = bank_here.table_rows()
    outcome = bank_here.load(landing, command="check")
    assert "2 deliveries checked, nothing loaded" in outcome.out
    assert bank_here.table_rows() == before
    write_csv(
        landing / "2026-03-31", {"transactions": [transaction(60 + n, account_id="?") for n in range(3)]}
    )
    refused = bank_here.ingest(landing, command="check")
    assert refused.code == 2
    assert "3 x orphan in account_id" in refused.err
    assert bank_here.table_rows() == before


def test_a_table_of_an_older_contract_gains_its_new_columns(bank_here: Bank, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    write_csv(landing / "2026-03-31", bank(3))
    bank_here.load(landing)
    with open_warehouse(bank_here.settings) as wh:
        columns = list(wh.column_types("raw.transactions"))
        wh.execute("alter table raw.transactions drop column booked_hour")
    later = [transaction(10, booked_on="2026-04-01", booked_hour="14")]
    write_csv(landing / "2026-04-01", {"transactions": later})
    # A trial does it too, and takes it back.
    assert bank_here.ingest(landing, command="check").code == 0
    with open_warehouse(bank_here.settings) as wh:
        assert "booked_hour" not in wh.column_types("raw.transactions")
    bank_here.load(landing)
    with open_warehouse(bank_here.settings) as wh:
        found = list(wh.column_types("raw.transactions"))
    assert found == [*(name for name in columns if name != "booked_hour"), "booked_hour"]
    assert bank_here.rows("select transaction_id, booked_hour from raw.transactions order by 1") == [
        ("T1", None), ("T10", 14), ("T2", None), ("T3", None),
    ]  # fmt: skip
    # The rows loaded before are known again when they come once more.
    write_csv(landing / "2026-04-02", {"transactions": [transaction(1), *later]})
    bank_here.load(landing, as_of="2026-04-01")
    assert bank_here.rows(
        "select rows_loaded, rows_duplicate from ops.batches where batch_no = 3 and rows_rejected = 0"
    ) == [(0, 2)]
