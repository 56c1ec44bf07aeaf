"""Overrides are few, have an end, and are of the policy's tiers; some have expired, some were replaced."""

from __future__ import annotations

import csv
import re
from dataclasses import replace

import duckdb
import numpy as np
import pytest

from simulator.bank import Bank, make_bank
from simulator.leaving import CLOSURE
from simulator.overrides import FEWEST, MOST_DAYS, OCCASIONS, ONE_IN, tier_overrides
from simulator.parameters import Parameters
from tests.simulator.conftest import BANK
from warehouse.settings import PROJECT_ROOT


@pytest.fixture(scope="module")
def rows() -> duckdb.DuckDBPyConnection:
    """The overrides of a bank that is large enough for all occasions, as the table `overrides`."""
    parameters = Parameters(customers=60_000, seed=32, months=12)
    bank = make_bank(parameters)
    table, known = tier_overrides(parameters, bank.customers, bank.truth)
    assert len(table) == len(known)
    connection = duckdb.connect()
    connection.register("overrides", table)
    connection.execute("create table opened as select * from overrides where valid_from = starts_on")
    connection.execute("create table ended as select * from overrides where valid_from > starts_on")
    return connection


def test_overrides_are_few_and_end_within_six_months(rows: duckdb.DuckDBPyConnection) -> None:
    persons, overrides, shortest, longest = rows.execute(
        "select count(distinct customer_id), count(*), min(expires_on - starts_on),"
        " max(expires_on - starts_on) from opened"
    ).fetchall()[0]
    assert 60_000 / ONE_IN <= persons <= 1.2 * 60_000 / ONE_IN
    assert persons < overrides <= 1.5 * persons
    assert 0 < shortest < longest <= MOST_DAYS
    authors = {row[0] for row in rows.execute("select distinct author from overrides").fetchall()}
    assert all(re.fullmatch(r"S\d{5}", author) for author in authors)


def test_some_have_expired_some_hold_and_some_were_replaced(rows: duckdb.DuckDBPyConnection) -> None:
    expired, held = rows.execute(
        f"select count(*) filter (expires_on <= date '{BANK.end}'), "
        f"count(*) filter (starts_on <= date '{BANK.end}' and expires_on > date '{BANK.end}') from opened"
    ).fetchall()[0]
    assert min(expired, held) >= 3
    # Who is replaced ends on the day on which another tier of the same scheme begins.
    ends, replaced = rows.execute(
        """
        select count(*), count(successor.override_id)
        from ended left join opened as successor
            on successor.customer_id = ended.customer_id and successor.scheme = ended.scheme
            and successor.starts_on = ended.expires_on and successor.tier <> ended.tier
            and successor.override_id <> ended.override_id"""
    ).fetchall()[0]
    assert ends == replaced > 3
    assert rows.execute(
        "select count(*) from ended join opened using (override_id)"
        " where ended.expires_on >= opened.expires_on or ended.tier <> opened.tier"
    ).fetchall() == [(0,)]


def test_tiers_are_those_of_the_policy() -> None:
    with (PROJECT_ROOT / "dbt_project" / "seeds" / "policy_tiers.csv").open(encoding="utf-8") as file:
        policy = {(row["scheme"], row["tier"]) for row in csv.DictReader(file)}
    used = {(entry.scheme, tier) for entry in OCCASIONS for tier in (entry.tier, entry.replaced_by)}
    assert len(used) == 2 * len(OCCASIONS)
    assert used <= policy


def test_an_override_is_of_somebody_who_is_with_the_bank(demo_bank: Bank) -> None:
    # Nine in ten close in the first month: an override seldom meets one of them by then.
    closes = np.arange(len(demo_bank.customers)) % 10 > 0
    truth = replace(
        demo_bank.truth,
        form=np.where(closes, CLOSURE, demo_bank.truth.form),
        left=np.where(closes, demo_bank.parameters.first_day + 30, demo_bank.truth.left),
    )
    table, since = tier_overrides(demo_bank.parameters, demo_bank.customers, truth)
    customer = np.array([int(text[1:]) - 1 for text in table["customer_id"].to_pylist()])
    starts = np.array([day.toordinal() for day in table["starts_on"].to_pylist()]) - 719_163
    is_first = np.array([int(text[1:]) for text in table["override_id"].to_pylist()]) <= FEWEST
    assert is_first.sum() >= FEWEST
    assert (demo_bank.customers.opened[customer] < starts).all()
    assert (truth.closes[customer] > starts)[is_first].all()
    assert (since >= starts).all()
