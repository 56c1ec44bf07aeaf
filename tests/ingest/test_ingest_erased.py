"""Rows of erased customers are passed over: counted, and nothing of them kept."""

from __future__ import annotations

from pathlib import Path

from tests.ingest.bank import ACCOUNTS, CUSTOMERS, HOLDERS, Bank, bank, transaction, write_csv
from tests.warehouse.hunt import find_in_tables
from warehouse import open_warehouse
from warehouse.erasure import erase

KEY = b"0123456789abcdef0123456789abcdef"
LOANS = [
    {
        "loan_id": f"L{number}",
        "account_id": f"A{number}",
        "granted_on": "2024-02-01",
        "principal_amount": "1000",
        "currency_code": "CNY",
    }
    for number in range(1, 4)
]


def payment(loan: str, due_on: str) -> dict[str, str]:
    return {"loan_id": loan, "due_on": due_on, "due_amount": "10", "currency_code": "CNY"}


def without_c2(here: Bank, landing: Path) -> None:
    """A loaded bank, from which C2 with A2 and L2 is erased; A1 is shared with C2 and stays."""
    holders = [*HOLDERS, {"account_id": "A1", "customer_id": "C2", "holder_role": "joint"}]
    write_csv(
        landing / "2026-03-30",
        bank(
            60, account_holders=holders, loans=LOANS,
            loan_payments=[payment(f"L{number}", "2024-03-01") for number in range(1, 4)],
        ),
    )  # fmt: skip
    here.load(landing)
    with open_warehouse(here.settings) as wh:
        receipt = erase(wh, here.settings, "C2", reason="asked", author="S-12", key=KEY)
    assert (receipt["accounts_erased"], receipt["accounts_kept_for_other_holders"]) == (1, 1)


def counts(here: Bank) -> dict[str, tuple[int, ...]]:
    """By entity of the newest batch: read, loaded, rejected, duplicate, erased."""
    rows = here.rows(
        """
        select files.entity, files.rows_read, files.rows_loaded, files.rows_rejected, files.rows_duplicate,
            files.rows_erased
        from ops.batch_files as files inner join ops.batches as batches on files.batch_id = batches.batch_id
        where batches.batch_no = (select max(batch_no) from ops.batches)"""
    )
    for row in rows:
        assert row[1] == sum(row[2:]), row
    return {row[0]: tuple(row[1:]) for row in rows}


def test_rows_that_name_an_erased_customer_or_his_accounts_are_passed_over(
    bank_here: Bank, tmp_path: Path
) -> None:
    without_c2(bank_here, tmp_path)
    write_csv(
        tmp_path / "2026-03-31",
        {
            "customers": [{**customer, "city": "Xi'an"} for customer in CUSTOMERS],
            "accounts": [{**account, "closed_on": "2026-03-30"} for account in ACCOUNTS],
            "account_holders": [
                {"account_id": "A1", "customer_id": "C2", "holder_role": "owner"},
                {"account_id": "A1", "customer_id": "C3", "holder_role": "joint"},
            ],
            "transactions": [
                transaction(901, account_id="A1"),
                transaction(902, account_id="A2"),
                # Broken as it is, its text would be kept.
                transaction(903, account_id="A2", amount="much"),
            ],
            "loan_payments": [payment("L1", "2024-04-01"), payment("L2", "2024-04-01")],
            "satisfaction_surveys": [
                {"survey_id": "S1", "customer_id": "C2", "answered_on": "2026-03-01", "score": "9"}
            ],
        },
    )
    # A line that cannot be split is not kept either, where one of its words names him.
    with (tmp_path / "2026-03-31" / "transactions.csv").open("a") as stream:
        stream.write('T904,A2,"2026-03\n')
    outcome = bank_here.load(tmp_path)
    assert "erased" in outcome.out
    assert counts(bank_here) == {
        "customers": (3, 2, 0, 0, 1),
        "accounts": (3, 2, 0, 0, 1),
        "account_holders": (2, 1, 0, 0, 1),
        "transactions": (4, 1, 0, 0, 3),
        "loan_payments": (2, 1, 0, 0, 1),
        "satisfaction_surveys": (1, 0, 0, 0, 1),
    }
    with open_warehouse(bank_here.settings) as wh:
        texts = ("C2", "A2", "L2", "T902", "T903", "T904", "Planted Name2", "planted2@mail.example")
        found = find_in_tables(wh, texts)
        # The receipt names its hash: SHA256 has an A2 in it. No batch's or row's does, in its small letters.
        assert found.pop("ops.erasures") == 1
        assert found == {"restricted.erased_customers": 3}


def test_what_is_new_of_an_erased_customer_is_passed_over_too(bank_here: Bank, tmp_path: Path) -> None:
    without_c2(bank_here, tmp_path)
    write_csv(
        tmp_path / "2026-03-31",
        {
            "accounts": [{**ACCOUNTS[0], "account_id": name} for name in ("A7", "A8", "A9")],
            "account_holders": [
                {"account_id": "A7", "customer_id": "C2", "holder_role": "owner"},
                {"account_id": "A7", "customer_id": "C1", "holder_role": "authorised_user"},
                {"account_id": "A8", "customer_id": "C2", "holder_role": "owner"},
                {"account_id": "A8", "customer_id": "C1", "holder_role": "joint"},
                {"account_id": "A9", "customer_id": "C1", "holder_role": "owner"},
            ],
            "transactions": [transaction(900 + number, account_id=f"A{number}") for number in (7, 8, 9)],
            "loans": [{**LOANS[0], "loan_id": "L7", "account_id": "A7"}],
            "loan_payments": [payment("L7", "2026-03-01")],
        },
    )
    bank_here.load(tmp_path)
    assert counts(bank_here) == {
        "accounts": (3, 2, 0, 0, 1),
        "account_holders": (5, 2, 0, 0, 3),
        "transactions": (3, 2, 0, 0, 1),
        "loans": (1, 0, 0, 0, 1),
        "loan_payments": (1, 0, 0, 0, 1),
    }
    assert sorted(bank_here.rows("select kind, id from restricted.erased_customers")) == [
        ("account", "A2"), ("account", "A7"), ("customer", "C2"), ("loan", "L2"), ("loan", "L7"),
    ]  # fmt: skip
    # Known from then on: what comes of them later is no orphan.
    write_csv(
        tmp_path / "2026-04-01",
        {
            "transactions": [transaction(917, account_id="A7", booked_on="2026-03-31")],
            "loan_payments": [payment("L7", "2026-03-31")],
        },
    )
    bank_here.load(tmp_path, as_of="2026-04-01")
    assert counts(bank_here) == {"transactions": (1, 0, 0, 0, 1), "loan_payments": (1, 0, 0, 0, 1)}


def test_a_line_that_cannot_be_split_is_his_where_his_id_stands_in_its_own_field(
    quick_bank: Bank, tmp_path: Path
) -> None:
    """Ids of digits: customer 2 with account 2; a field of another's line reads 2."""
    numbered = {
        "customers": [{**customer, "customer_id": str(n)} for n, customer in enumerate(CUSTOMERS, 1)],
        "accounts": [{**account, "account_id": str(n)} for n, account in enumerate(ACCOUNTS, 1)],
        "account_holders": [
            {"account_id": str(n), "customer_id": str(n), "holder_role": "owner"} for n in (1, 2, 3)
        ],
        "transactions": [transaction(n, account_id=str(n % 3 + 1)) for n in range(1, 200)],
    }
    write_csv(tmp_path / "2026-03-30", bank(**numbered))
    quick_bank.load(tmp_path)
    with open_warehouse(quick_bank.settings) as wh:
        erase(wh, quick_bank.settings, "2", reason="asked", author="S-12", key=KEY)
    write_csv(
        tmp_path / "2026-03-31",
        {"transactions": [transaction(n, account_id=str(n % 2 * 2 + 1)) for n in range(300, 500)]},
    )
    with (tmp_path / "2026-03-31" / "transactions.csv").open("a") as stream:
        stream.write('T904,2,"2026-03\nT905,1,2026-03-30,2,"x\n')
    quick_bank.load(tmp_path)
    assert counts(quick_bank) == {"transactions": (202, 200, 1, 0, 1)}
    for table in ("ops", "restricted"):
        assert quick_bank.rows(f"select line_no, raw_text from {table}.rejected_rows") == [(203, "***")]


def test_an_account_that_came_before_its_holder_is_told_and_goes_when_he_is_erased_again(
    bank_here: Bank, tmp_path: Path
) -> None:
    without_c2(bank_here, tmp_path)
    write_csv(
        tmp_path / "2026-03-31",
        {
            "accounts": [{**ACCOUNTS[0], "account_id": name} for name in ("A7", "A8")],
            "transactions": [transaction(907, account_id="A7"), transaction(908, account_id="A8")],
        },
    )
    bank_here.load(tmp_path)
    write_csv(
        tmp_path / "2026-04-01",
        {
            "account_holders": [
                {"account_id": "A7", "customer_id": "C2", "holder_role": "owner"},
                {"account_id": "A8", "customer_id": "C1", "holder_role": "owner"},
            ]
        },
    )
    outcome = bank_here.load(tmp_path, as_of="2026-04-01")
    told = outcome.out + outcome.err
    assert "1 accounts or loans of the customer of receipt E" in told
    assert "A7" not in told
    with open_warehouse(bank_here.settings) as wh:
        receipt = erase(wh, bank_here.settings, "C2", reason="asked", author="S-12", key=KEY)
        assert receipt["tables_erased"] == {"raw.accounts": 1, "raw.transactions": 1}
        assert find_in_tables(wh, ("A7", "T907")) == {"restricted.erased_customers": 1}
    assert bank_here.rows("select account_id from raw.accounts where account_id = 'A8'") == [("A8",)]


def test_an_erased_account_that_somebody_else_holds_now_is_rejected_by_name_of_the_reason(
    bank_here: Bank, tmp_path: Path
) -> None:
    without_c2(bank_here, tmp_path)
    write_csv(
        tmp_path / "2026-03-31",
        {
            "accounts": [ACCOUNTS[1]],
            "account_holders": [
                {"account_id": "A2", "customer_id": "C1", "holder_role": "owner"},
                {"account_id": "A2", "customer_id": "C3", "holder_role": "authorised_user"},
                {"account_id": "A2", "customer_id": "C2", "holder_role": "owner"},
            ],
        },
    )
    bank_here.load(tmp_path)
    assert counts(bank_here) == {"accounts": (1, 0, 0, 0, 1), "account_holders": (3, 0, 1, 0, 2)}
    ((line, column, code, reason, text),) = bank_here.rows(
        "select line_no, column_name, reason_code, reason, raw_text from ops.rejected_rows"
    )
    assert (line, column, code, text) == (2, "account_id", "erased_account", "***")
    assert "another account_id" in reason
    assert bank_here.rows("select raw_text from restricted.rejected_rows") == [("***",)]


def test_a_trial_passes_over_them_and_keeps_no_list(quick_bank: Bank, tmp_path: Path) -> None:
    without_c2(quick_bank, tmp_path)
    write_csv(
        tmp_path / "2026-03-31",
        {
            "accounts": [{**ACCOUNTS[0], "account_id": "A7"}],
            "account_holders": [{"account_id": "A7", "customer_id": "C2", "holder_role": "owner"}],
        },
    )
    outcome = quick_bank.ingest(tmp_path, command="check")
    assert outcome.code == 0, outcome.err
    assert "erased" in outcome.out
    assert quick_bank.rows("select count(*) from restricted.erased_customers") == [(3,)]


def test_a_bank_that_erased_nobody_counts_none(quick_bank: Bank, tmp_path: Path) -> None:
    write_csv(tmp_path, bank())
    outcome = quick_bank.load(tmp_path)
    assert "erased" not in outcome.out
    assert {row[-1] for row in counts(quick_bank).values()} == {0}
