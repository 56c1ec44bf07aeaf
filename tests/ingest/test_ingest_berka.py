"""The Berka bank: every published row, and each piece of its dirt in the right place."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.ingest.bank import Bank, day, midnight
from tests.ingest.conftest import empty_bank
from warehouse import Settings

HEADERS = {
    "account": "account_id;district_id;frequency;date",
    "client": "client_id;birth_number;district_id",
    "disp": "disp_id;client_id;account_id;type",
    "order": "order_id;account_id;bank_to;account_to;amount;k_symbol",
    "loan": "loan_id;account_id;date;amount;duration;payments;status",
    "card": "card_id;disp_id;type;issued",
    "district": ";".join(f"A{number}" for number in range(1, 17)),
    "trans": "trans_id;account_id;date;type;operation;amount;balance;k_symbol;bank;account",
}
ROWS = {
    "account": ['1;18;"POPLATEK MESICNE";930101'],
    "client": ['1;"706213";18', '2;"450204";18'],
    "disp": ['1;1;1;"OWNER"', '2;2;1;"DISPONENT"'],
    "order": [],
    "loan": ['7;1;930705;96396;12;8033.00;"B"'],
    "card": ['5;1;"gold";"931107 00:00:00"'],
    "district": ['18;"Pisek";"?"' + ";0" * 13],
    "trans": [],
}


@pytest.fixture
def berka_bank(duckdb_settings: Settings, capsys: pytest.CaptureFixture[str]) -> Bank:
    return empty_bank(replace(duckdb_settings, source="berka"), capsys)


def write_berka(folder: Path, trans: list[str], suffix: str = ".asc") -> Path:
    folder.mkdir()
    for table, header in HEADERS.items():
        rows = trans if table == "trans" else ROWS[table]
        (folder / f"{table}{suffix}").write_text("\n".join([header, *rows]) + "\n")
    return folder


def test_the_published_files_load_without_a_lost_row(
    settings: Settings, capsys: pytest.CaptureFixture[str], shared_data: Path
) -> None:
    bank = empty_bank(replace(settings, source="berka"), capsys)
    bank.load(shared_data / "berka", source="berka", as_of="1993-12-31")
    assert dict(
        bank.rows("select entity, rows_loaded from ops.batch_files where rows_loaded = rows_read")
    ) == {
        "customers": 5369,
        "branches": 77,
        "products": 5,
        "accounts": 4500,
        "account_holders": 5369,
        "transactions": 46997,
        "month_end_balances": 9729,
        "loans": 682,
        "cards": 892,
    }
    assert bank.rows("select count(*) from ops.rejected_rows") == [(0,)]
    # What the bank does not keep is there, and empty.
    for absent in ("tier_overrides", "loyalty_events", "risk_questionnaires", "exit_interviews"):
        assert bank.rows(f"select count(*) from raw.{absent}") == [(0,)], absent
    assert bank.rows("select count(booked_hour) from raw.transactions") == [(0,)]
    assert bank.rows(
        """
        select direction, count(*), bool_and(is_known_at_assumed and known_at = booked_on)
        from raw.transactions group by direction order by 1"""
    ) == [("credit", 21821, True), ("debit", 25176, True)]
    # Every balance chains to the next: the closing balance of a month plus what the next month moved.
    drifting = bank.rows(
        """
        with moved as (
            select account_id, extract(year from booked_on) * 12 + extract(month from booked_on) as month,
                sum(case when direction = 'credit' then amount else -amount end) as amount
            from raw.transactions group by 1, 2
        ),
        closings as (
            select
                account_id, balance_amount,
                extract(year from balance_on) * 12 + extract(month from balance_on) as month
            from raw.month_end_balances
        )
        select count(*)
        from closings
        inner join closings as before
            on closings.account_id = before.account_id and closings.month = before.month + 1
        left join moved on closings.account_id = moved.account_id and closings.month = moved.month
        where abs(closings.balance_amount - before.balance_amount - coalesce(moved.amount, 0)) > 1"""
    )
    assert drifting == [(0,)]


def test_dirt_of_the_source_is_cleaned(berka_bank: Bank, tmp_path: Path) -> None:
    trans = [
        "1;1;930105;PRIJEM;VKLAD;1000.00;1000.00;;;",
        "2;1;930131;PRIJEM;;0.00;1000.00;UROK;;",
        "3;1;930201;VYBER;VYBER;100.00;900.00;;;",
        "4;1;930202;VYDAJ;VYBER;14.60;885.40;SLUZBY;;",
        '5;1;930202;VYDAJ;PREVOD NA UCET;85.40;800.00;" ";YZ;123',
        "6;1;930203;VYDAJ;VYBER KARTOU;50.00;750.00;;;",
        "7;1;930204;PRIJEM;PREVOD Z UCTU;5.00;755.00;DUCHOD;AB;9",
        "8;1;930205;VYDAJ;PREVOD NA UCET;5.00;750.00;UVER;AB;9",
        "9;1;930430;PRIJEM;PREVOD Z UCTU;1.00;751.00;;AB;9",
    ]
    berka_bank.load(write_berka(tmp_path / "berka", trans, suffix=".csv"), source="berka", as_of="1993-12-31")
    assert berka_bank.rows(
        """
        select transaction_type, direction, channel, is_customer_initiated
        from raw.transactions order by transaction_id"""
    ) == [
        ("cash_deposit", "credit", None, True),
        ("interest", "credit", "system", False),
        ("cash_withdrawal", "debit", None, True),
        ("fee", "debit", "system", False),
        ("standing_order", "debit", None, False),
        ("card_payment", "debit", None, True),
        ("pension", "credit", None, False),
        ("loan_payment", "debit", None, False),
        ("transfer_in", "credit", None, False),
    ]
    assert berka_bank.rows(
        "select customer_id, sex, birth_year, opened_on from raw.customers order by 1"
    ) == [
        ("1", "female", 1970, day("1993-01-01")),
        ("2", "male", 1945, day("1993-01-01")),
    ]
    assert berka_bank.rows("select birth_date from restricted.customers order by 1 desc") == [
        (day("1970-12-13"),),
        (day("1945-02-04"),),
    ]
    assert berka_bank.rows("select region, known_at from raw.branches") == [(None, midnight("1900-01-01"))]
    assert berka_bank.rows("select issued_on from raw.cards") == [(day("1993-11-07"),)]
    assert berka_bank.rows("select holder_role from raw.account_holders order by 1") == [
        ("authorised_user",),
        ("owner",),
    ]
    assert berka_bank.rows("select balance_on, balance_amount from raw.month_end_balances order by 1") == [
        (day("1993-01-31"), Decimal("1000.00")),
        (day("1993-02-28"), Decimal("750.00")),
        (day("1993-03-31"), Decimal("750.00")),
        (day("1993-04-30"), Decimal("751.00")),
    ]


def test_the_closing_balance_does_not_depend_on_the_order_of_rows_or_ids(
    berka_bank: Bank, tmp_path: Path
) -> None:
    trans = [
        # From 6000.00 on a day whose last posting is neither the last row nor the highest number.
        "9;1;930130;VYDAJ;VYBER;200.00;5800.00;;;",
        "4;1;930130;PRIJEM;VKLAD;1000.00;6500.00;;;",
        "7;1;930130;VYDAJ;VYBER;300.00;5500.00;;;",
        # A day that ends where it began, so that every balance is another posting's start.
        "3;1;930228;VYDAJ;VYBER;100.00;6500.00;;;",
        "5;1;930228;PRIJEM;VKLAD;100.00;6600.00;;;",
        "6;1;930331;PRIJEM;VKLAD;1.00;6501.00;;;",
    ]
    berka_bank.load(write_berka(tmp_path / "berka", trans), source="berka", as_of="1993-12-31")
    assert berka_bank.rows("select balance_amount from raw.month_end_balances order by balance_on") == [
        (Decimal("6500.00"),),
        (Decimal("6500.00"),),
        (Decimal("6501.00"),),
    ]


def test_missing_files_and_columns_are_named(berka_bank: Bank, tmp_path: Path) -> None:
    folder = write_berka(tmp_path / "berka", [])
    (folder / "loan.asc").unlink()
    (folder / "card.asc").rename(folder / "cards.asc")
    outcome = berka_bank.ingest(folder, source="berka")
    assert outcome.code == 2
    assert "loan.asc is missing" in outcome.err
    assert "card.asc is missing" in outcome.err
    (folder / "cards.asc").rename(folder / "card.asc")
    (folder / "loan.asc").write_text("loan_id;account;date\n1;1;930101\n")
    outcome = berka_bank.ingest(folder, source="berka")
    assert outcome.code == 2
    assert (
        "loan.asc: column account_id, amount, duration is missing (found: loan_id, account, date)"
        in outcome.err
    )
