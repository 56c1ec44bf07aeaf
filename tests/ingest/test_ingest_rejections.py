"""Each reason for a rejection, with the exact line; and counts that are conserved whatever a file holds."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.checking import BatchCheck, FileCounts
from ingest.contracts import Contract, load_contracts
from ingest.reading import EntityFile, read_layout
from ingest.rules import Arrival
from tests.ingest.bank import (
    ACCOUNTS,
    PRODUCTS,
    Bank,
    Row,
    bank,
    transaction,
    transactions,
    write_csv,
)
from warehouse.files import selected_rows

CONTRACTS = load_contracts()
ARRIVAL = Arrival(
    delivered_on=dt.date(2026, 3, 31),
    is_history=True,
    known_on=dt.date(2026, 3, 31),
    told_of_on=dt.date(2026, 3, 30),
)

# What is wrong with a transaction, and the column and reason code that it is rejected for.
FAULTS: list[tuple[Row, str, str]] = [
    ({"transaction_id": ""}, "transaction_id", "key"),
    ({"account_id": " "}, "account_id", "required"),
    ({"booked_on": "31.03.2026"}, "booked_on", "type"),
    ({"booked_on": "2026-02-30"}, "booked_on", "type"),
    ({"booked_on": "2026-04-01"}, "booked_on", "range"),
    ({"amount": "12.345"}, "amount", "type"),
    ({"amount": "1,234.50"}, "amount", "type"),
    ({"amount": "-0.01"}, "amount", "range"),
    ({"direction": "Credit"}, "direction", "enum"),
    ({"currency_code": "yuan"}, "currency_code", "type"),
    ({"is_customer_initiated": "yes"}, "is_customer_initiated", "type"),
    ({"booked_hour": "9.5"}, "booked_hour", "type"),
    ({"booked_hour": "24"}, "booked_hour", "range"),
    ({"booked_hour": "-1"}, "booked_hour", "range"),
    ({"known_at": "yesterday"}, "known_at", "type"),
    ({"known_at": "2026-04-01"}, "known_at", "range"),
    ({"account_id": "A99"}, "account_id", "orphan"),
    ({"amount": "x", "direction": "up", "account_id": ""}, "account_id", "required"),
]


def test_each_fault_is_rejected_once_with_its_line_column_and_reason(
    quick_bank: Bank, tmp_path: Path
) -> None:
    good = [
        {**transaction(1), "known_at": "", "booked_hour": "", "reverses_transaction_id": "two\nlines"},
        transaction(1100, booked_hour="0"),
        transaction(1101, booked_hour="23"),
        *transactions(1000, first=2),
    ]
    bad = [transaction(2000 + number, **changes) for number, (changes, _, _) in enumerate(FAULTS)]
    landing = write_csv(tmp_path / "landing", bank(transactions=[*good, *bad]))
    quick_bank.load(landing)
    # The header, then 1,003 good records of which the first stands on two lines.
    first_line = 1 + 1003 + 1 + 1
    assert quick_bank.rejected() == [
        (first_line + number, column, code) for number, (_, column, code) in enumerate(FAULTS)
    ]
    assert quick_bank.rows(
        "select rows_read, rows_loaded, rows_rejected from ops.batch_files where entity = 'transactions'"
    ) == [(1003 + len(FAULTS), 1003, len(FAULTS))]
    assert quick_bank.rows(
        "select booked_hour, count(*) from raw.transactions group by 1 order by booked_hour nulls last"
    ) == [(0, 1), (23, 1), (None, 1001)]
    ((reason, raw_text, whole_text),) = quick_bank.rows(
        f"""
        select reason, rejected.raw_text, whole.raw_text
        from ops.rejected_rows as rejected
        inner join restricted.rejected_rows as whole using (batch_id, line_no)
        where line_no = {first_line + len(FAULTS) - 1}"""
    )
    assert reason == (
        'account_id is empty; amount: "x" is not an amount with at most two decimals (1234.50); '
        'direction: "up" is not one of credit, debit'
    )
    assert json.loads(raw_text)["amount"] == "x"
    assert json.loads(raw_text)["account_id"] is None
    assert raw_text == whole_text


def test_malformed_lines_are_rejected_with_the_lines_after_them_intact(
    quick_bank: Bank, tmp_path: Path
) -> None:
    landing = write_csv(tmp_path / "landing", bank(300))
    path = landing / "transactions.csv"
    lines = path.read_text().splitlines()
    lines[10] = lines[10].replace(",pos,", ',"pos,')
    lines[20] = lines[20] + ",surplus"
    lines[30] = "cut off"
    lines.insert(5, "")
    path.write_text("\r\n".join(lines) + "\r\n\r\n")
    quick_bank.load(landing)
    assert quick_bank.rejected() == [
        (12, None, "malformed"),
        (22, None, "malformed"),
        (32, None, "malformed"),
    ]
    assert quick_bank.rows("select raw_text from ops.rejected_rows where line_no = 32") == [("cut off",)]
    assert quick_bank.rows("select count(*) from raw.transactions") == [(297,)]


def test_rows_of_one_key_that_contradict_each_other_are_all_rejected(
    quick_bank: Bank, tmp_path: Path
) -> None:
    rows = [*transactions(300), transaction(7, amount="1.00"), transaction(9), transaction(9)]
    versions = [
        *ACCOUNTS,
        {**ACCOUNTS[0], "account_id": "A4"},
        {**ACCOUNTS[0], "account_id": "A4", "branch_id": "B"},
    ]
    quick_bank.load(write_csv(tmp_path / "landing", bank(transactions=rows, accounts=versions)))
    assert quick_bank.rejected() == [
        (5, "account_id", "conflicting_duplicate"),
        (6, "account_id", "conflicting_duplicate"),
        (8, "transaction_id", "conflicting_duplicate"),
        (302, "transaction_id", "conflicting_duplicate"),
    ]
    assert quick_bank.rows("select reason from ops.rejected_rows where line_no = 302") == [
        ("lines 8, 302 have the same key and different content",)
    ]
    assert quick_bank.rows(
        """
        select rows_read, rows_loaded, rows_rejected, rows_duplicate from ops.batch_files
        where entity = 'transactions'"""
    ) == [(303, 299, 2, 2)]


def test_a_batch_with_one_bad_row_of_few_is_loaded(quick_bank: Bank, tmp_path: Path) -> None:
    quick_bank.load(
        write_csv(tmp_path / "landing", bank(transactions=[transaction(1), transaction(2, amount="?")]))
    )
    assert quick_bank.rejected() == [(3, "amount", "type")]


class NothingLoaded:
    """A warehouse without rows."""

    def has_rows(self, contract: Contract) -> bool:
        return False

    def rows_of_keys(self, contract: Contract, keys: pa.RecordBatch) -> pa.Table:
        raise AssertionError("nothing is loaded, so nothing is to be looked up")


def checked(folder: Path, rows: list[Row]) -> tuple[FileCounts, set[str], set[int]]:
    """Counts of a file of transactions, ids of accepted and lines of rejected ones, from the checks alone."""
    files = {"products": PRODUCTS, "accounts": ACCOUNTS, "transactions": rows}
    write_csv(folder, files)
    counts = {}
    with closing(BatchCheck(folder, CONTRACTS, ARRIVAL, NothingLoaded())) as check:
        for entity in (entity for entity in CONTRACTS if entity in files):
            file = EntityFile(entity, folder / f"{entity}.csv", f"{entity}.csv", "")
            layout, _ = read_layout(file, CONTRACTS[entity])
            counts[entity] = check.check(file, layout, lambda rows: None)
        schema = pa.schema([("transaction_id", pa.string())])
        select = check.accepted(CONTRACTS["transactions"], schema, {})
        with selected_rows(select.sql, select.tables) as reader:
            accepted = reader.read_all()
        rejected = check.rejected("line_no").read_all()
    return (
        counts["transactions"],
        set(accepted["transaction_id"].to_pylist()),
        set(rejected["line_no"].to_pylist()),
    )


# Values of a column with whether they are good.
IDS = st.sampled_from([("T1", True), ("T2", True), ("T3", True), ("T4", True), ("", False), ("  ", False)])
PARENTS = st.sampled_from([("A1", True), ("A2", True), ("A9", False), ("", False)])
DAYS = st.sampled_from(
    [("2026-03-30", True), ("2026-04-01", False), ("2026-3-30", False), ("", False), ("30", False)]
)
AMOUNTS = st.sampled_from(
    [("1.00", True), ("1", True), ("0", True), ("-1", False), ("1e3", False), ("", False)]
)
NOTES = st.sampled_from(["", "plain", "two\nlines", 'a "quote"', "a,comma", "\r\n"])


@settings(max_examples=15, deadline=None, database=None, derandomize=True)
@given(st.lists(st.tuples(IDS, PARENTS, DAYS, AMOUNTS, NOTES), min_size=1, max_size=40))
def test_every_record_ends_in_exactly_one_place(rows: list[tuple[tuple[str, bool], ...]]) -> None:
    """Against an independent reading of the rules in Python."""
    records, sound = [], []
    for identifier, parent, booked_on, amount, note in rows:
        records.append(
            transaction(
                1,
                transaction_id=identifier[0],
                account_id=parent[0],
                booked_on=booked_on[0],
                amount=amount[0],
                reverses_transaction_id=note,
            )
        )
        fits = identifier[1] and booked_on[1] and amount[1] and bool(parent[0])
        content = (parent[0], booked_on[0], Decimal(amount[0]) if amount[1] else None, str(note).strip())
        sound.append((identifier[0], content, parent[1]) if fits else None)
    contents: dict[str, set[object]] = {}
    for row in filter(None, sound):
        contents.setdefault(row[0], set()).add(row[1])
    agreed = [row for row in sound if row and len(contents[row[0]]) == 1]
    loadable = {row[0] for row in agreed if row[2]}
    orphans = {row[0] for row in agreed if not row[2]}
    # Of identical rows the first goes on, to be loaded or found an orphan; the others are duplicates.
    duplicates = len(agreed) - len(loadable) - len(orphans)

    with tempfile.TemporaryDirectory() as folder:
        count, accepted, rejected = checked(Path(folder), records)
    assert count.read == count.loaded + count.rejected + count.duplicate
    assert len(rejected) == count.rejected
    assert accepted == loadable
    assert (count.read, count.loaded, count.duplicate) == (len(records), len(loadable), duplicates)


def test_one_loaded_one_rejected_and_one_duplicate_row_are_counted_as_such(tmp_path: Path) -> None:
    rows = [transaction(1), transaction(1), transaction(9, amount="")]
    count, accepted, rejected = checked(tmp_path, rows)
    assert (count.read, count.loaded, count.rejected, count.duplicate) == (3, 1, 1, 1)
    assert (accepted, rejected) == ({"T1"}, {4})
