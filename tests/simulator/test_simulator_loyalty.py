"""Points follow card payments, referrals and redemptions engagement; questionnaires expire and change."""

from __future__ import annotations

from datetime import date

import duckdb
import numpy as np
import pytest

from simulator.bank import Bank, make_bank
from simulator.calendar import day_number
from simulator.engagement import ACTIVITY, STAGES
from simulator.loyalty import LEAST_REDEEMED, MEMBERS, REDEEMS_IN_A_QUARTER, REFERS, Loyalty
from simulator.parameters import Parameters
from tests.simulator.conftest import BANK

STANDARD_ERRORS = 4
QUARTER_ENDS = [date(2024, 12, 31), *(date(year, *day) for year in (2025, 2026)
                for day in ((3, 31), (6, 30), (9, 30), (12, 31)))][:8]  # fmt: skip


@pytest.fixture(scope="module")
def large() -> Bank:
    """A plan with referrals enough to count them."""
    return make_bank(Parameters(customers=40_000, seed=31))


def test_points_are_those_of_the_quarters_card_payments(files: duckdb.DuckDBPyConnection) -> None:
    rows, wrong, members, customers = files.execute(
        """
        with spent as (
            select customer_id, last_day(date_trunc('quarter', booked_on)::date + 62) as quarter_end,
                sum(-signed_amount) as amount
            from good_transactions join owners using (account_id)
            where transaction_type = 'card_payment' group by all
        )
        select count(*), count(*) filter (points is distinct from floor(amount / 10)),
            count(distinct loyalty_events.customer_id),
            (select count(distinct customers.customer_id) from customers)
        from loyalty_events left join spent
            on spent.customer_id = loyalty_events.customer_id and quarter_end = booked_on
        where event_type = 'points_earned'"""
    ).fetchall()[0]
    assert rows > 5_000
    assert wrong == 0
    assert MEMBERS < members / customers < 0.6
    days = files.execute("select distinct booked_on from loyalty_events where event_type = 'points_earned'")
    assert sorted(row[0] for row in days.fetchall()) == QUARTER_ENDS


def test_no_business_takes_part_and_no_balance_falls_below_zero(files: duckdb.DuckDBPyConnection) -> None:
    assert files.execute(
        "select distinct customer_kind from loyalty_events join customers using (customer_id)"
    ).fetchall() == [("personal",)]
    lowest, redemptions = files.execute(
        """
        with balances as (
            select event_type, sum(case event_type when 'points_redeemed' then -points else points end)
                over (partition by customer_id order by booked_on, event_type) as balance
            from loyalty_events
        )
        select min(balance), count(*) filter (event_type = 'points_redeemed') from balances"""
    ).fetchall()[0]
    assert lowest >= 0
    assert redemptions > 500


def test_nobody_refers_or_redeems_once_leaving_has_begun(
    demo_folder: object, truth_folder: object, files: duckdb.DuckDBPyConnection
) -> None:
    late, leavers = files.execute(
        f"""
        select count(*) filter (booked_on >= left_on), count(left_on)
        from loyalty_events join read_parquet('{truth_folder}/customers.parquet') using (customer_id)
        where event_type <> 'points_earned'"""
    ).fetchall()[0]
    assert late == 0
    assert leavers > 20


def test_the_less_engaged_redeem_the_less(demo_bank: Bank, files: duckdb.DuckDBPyConnection) -> None:
    truth = demo_bank.truth
    able, redeemed = np.zeros(len(STAGES)), np.zeros(len(STAGES))
    # Redemptions fall into the 90 days after a quarter, so the last quarters are not over.
    for quarter_end in QUARTER_ENDS[:-1]:
        rows = files.sql(
            """
            select
                substr(customer_id, 2)::bigint - 1 as customer,
                sum(case event_type when 'points_redeemed' then -points else points end)
                    filter (booked_on <= $1) as balance,
                count(*) filter (
                    event_type = 'points_redeemed' and booked_on between $1::date + 1 and $1::date + 90
                ) as redeemed
            from loyalty_events group by all""",
            params=[quarter_end],
        ).to_arrow_table()
        customer = rows["customer"].to_numpy()
        balance = rows["balance"].fill_null(0).cast("int64").to_numpy()
        day = day_number(quarter_end)
        chosen = (balance >= LEAST_REDEEMED) & (truth.left[customer] > day + 90)
        stage = truth.stage(customer[chosen], np.full(chosen.sum(), day))
        able += np.bincount(stage, minlength=len(STAGES))
        redeemed += np.bincount(stage, rows["redeemed"].to_numpy()[chosen], minlength=len(STAGES))
    expected = REDEEMS_IN_A_QUARTER * ACTIVITY
    error = np.sqrt(expected * (1 - expected) / able)
    assert able.min() > 20
    assert (np.abs(redeemed / able - expected) < STANDARD_ERRORS * error).all(), redeemed / able
    assert redeemed[1:].sum() / able[1:].sum() < 0.75 * redeemed[0] / able[0]


def test_referrals_are_rare_and_come_from_the_engaged(large: Bank) -> None:
    customers, truth = large.customers, large.truth
    rows, day = Loyalty(large.parameters, customers, truth, large.accounts).referrals()
    referrer = np.array([int(text[1:]) - 1 for text in rows["customer_id"].to_pylist()])
    assert set(rows["event_type"].to_pylist()) == {"referral"}
    assert set(rows["points"].to_pylist()) == {0}
    joiners = (customers.opened >= large.parameters.first_day) & ~customers.is_business
    assert 0.1 < len(day) / joiners.sum() < 0.3
    assert (np.diff(day) >= 0).all()
    assert not customers.is_business[referrer].any()
    assert (customers.opened[referrer] < day).all()
    assert (truth.left[referrer] > day).all()
    # Whom the joiners may have met: all persons who are here and not leaving, by stage.
    months = truth.hazard.starts[: large.parameters.months] + 14
    met = np.zeros(len(STAGES))
    for middle in months:
        here = np.flatnonzero(~customers.is_business & (customers.opened < middle) & (truth.left > middle))
        met += np.bincount(truth.stage(here, np.full(len(here), middle)), minlength=len(STAGES))
    found = np.bincount(truth.stage(referrer, day), minlength=len(STAGES)) / len(day)
    expected = met * REFERS / (met @ REFERS)
    error = np.sqrt(expected * (1 - expected) / len(day))
    assert (np.abs(found - expected) <= STANDARD_ERRORS * error).all(), (found, expected)
    assert found[0] - met[0] / met.sum() > 0.05


def test_questionnaires_are_renewed_change_and_expire_and_experience_only_grows(
    files: duckdb.DuckDBPyConnection,
) -> None:
    again, changed, less, more, expired, valid = files.execute(
        f"""
        with answers as (
            select *, lag(risk_appetite) over by_day as appetite_before,
                lag(experience_years) over by_day as years_before,
                row_number() over (by_day) = count(*) over (partition by customer_id) as is_latest
            from risk_questionnaires
            window by_day as (partition by customer_id order by answered_on, questionnaire_id)
        )
        select count(appetite_before), count(*) filter (appetite_before <> risk_appetite),
            count(*) filter (years_before > experience_years),
            count(*) filter (years_before < experience_years),
            count(*) filter (is_latest and answered_on <= date '{BANK.end}' - 365),
            count(*) filter (is_latest and answered_on > date '{BANK.end}' - 365)
        from answers"""
    ).fetchall()[0]
    assert again > 500
    assert 0.1 < changed / again < 0.9
    assert less == 0
    assert more > 100
    assert min(expired, valid) > 500


def test_points_and_referrals_are_numbered_without_a_gap(files: duckdb.DuckDBPyConnection) -> None:
    count, distinct, last = files.execute(
        "select count(*), count(distinct loyalty_event_id), max(substr(loyalty_event_id, 2)::integer)"
        " from loyalty_events"
    ).fetchall()[0]
    assert count == distinct == last
