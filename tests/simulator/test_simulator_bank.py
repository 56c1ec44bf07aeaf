"""The bank behaves as planned: books balance, tiers and churn have their shares, leavers show."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from simulator.bank import Bank
from simulator.market import SHELF
from simulator.means import draw_turnover
from simulator.parameters import Parameters
from simulator.people import customer_ids, make_customers
from simulator.plan import CLOSURE, DRAIN, SILENCE, STAYS, Plan, make_plan
from simulator.portfolio import choose_extras

LAST = "date '2026-10-31'"
# Of the high, mid and low tier and of small businesses: definitions, section 7.
PLANNED_YEARLY_CHURN = (0.02, 0.05, 0.10, 0.13)


@pytest.fixture(scope="module")
def planned(files: duckdb.DuckDBPyConnection, demo_bank: Bank) -> duckdb.DuckDBPyConnection:
    """The files with the table `plan` beside them, one row a customer, dates null for those who stay."""
    truth = demo_bank.truth
    plan = pa.table(  # noqa: F841 - DuckDB reads it by its name
        {
            "customer_id": customer_ids(np.arange(len(demo_bank.customers))),
            "form": truth.form,
            "is_voluntary": truth.is_voluntary,
            "left_on": pa.array(truth.left.astype(np.int32), mask=truth.form == STAYS).cast(pa.date32()),
            "fades_from": pa.array(truth.fades_from.astype(np.int32), mask=~truth.is_voluntary).cast(
                pa.date32()
            ),
            "churned_on": pa.array(truth.churned.astype(np.int32), mask=truth.form == STAYS).cast(
                pa.date32()
            ),
        }
    )
    files.execute("create or replace table plan as select * from plan")
    return files


@pytest.fixture(scope="module")
def deposits(planned: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The table `deposits`: what a customer has on deposit in CNY at the end of each day."""
    loans = ", ".join(f"'{product.product_id}'" for product in SHELF if product.family in ("loan", "card"))
    planned.execute(
        f"""
        create or replace table deposits as
        with days as (
            select unnest(generate_series(date '2024-10-31', {LAST}, interval 1 day))::date as day
        ),
        moves as (
            select customer_id, booked_on as day, sum(signed_amount) as moved
            from good_transactions join owners using (account_id) join latest_accounts using (account_id)
            where product_id not in ({loans}) and good_transactions.currency_code = 'CNY' group by all
        )
        select plan.customer_id, days.day,
            coalesce(sum(moved) over (partition by plan.customer_id order by days.day), 0)::double as balance
        from plan cross join days
        left join moves on moves.customer_id = plan.customer_id and moves.day = days.day
        """
    )
    return planned


def test_month_end_balances_are_the_running_sums_of_the_transactions(
    files: duckdb.DuckDBPyConnection,
) -> None:
    differing = files.execute(
        """
        with sums as (
            select account_id, last_day(booked_on) as balance_on, sum(signed_amount) as moved
            from good_transactions group by all
        ),
        month_ends as (select distinct balance_on from month_end_balances),
        expected as (
            select account_id, month_ends.balance_on,
                coalesce(sum(moved) over (partition by account_id order by month_ends.balance_on), 0)
                    as balance
            from latest_accounts cross join month_ends left join sums using (account_id, balance_on)
            qualify opened_on <= month_ends.balance_on
                and (closed_on is null or closed_on > month_ends.balance_on)
        )
        select count(*), count(*) filter (balance is distinct from balance_amount), min(balance_on)::varchar
        from expected full join (
            select * from month_end_balances semi join accounts using (account_id)
        ) using (account_id, balance_on)
        """
    ).fetchone()
    assert differing is not None
    assert differing[0] > 100_000
    assert differing[1:] == (0, "2024-10-31")


def test_closed_accounts_are_empty_and_nothing_is_booked_outside_their_life(
    files: duckdb.DuckDBPyConnection,
) -> None:
    closed = files.execute(
        "select count(*), count(*) filter (balance <> 0) from"
        " (select account_id, sum(signed_amount) as balance from good_transactions"
        " join latest_accounts using (account_id) where closed_on is not null group by 1)"
    ).fetchone()
    assert closed is not None
    assert closed[0] > 300
    assert closed[1] == 0
    outside = files.execute(
        "select count(*) from good_transactions join latest_accounts using (account_id)"
        " where booked_on < opened_on or booked_on > closed_on"
    ).fetchone()
    assert outside == (0,)


def test_deposits_are_hardly_ever_overdrawn(deposits: duckdb.DuckDBPyConnection) -> None:
    share = deposits.execute("select avg((balance < -1)::integer) from deposits").fetchone()
    assert share is not None
    assert share[0] < 0.005


def test_reversals_undo_their_transaction(files: duckdb.DuckDBPyConnection) -> None:
    count, wrong = files.execute(
        """
        select count(*), count(*) filter (
            original.signed_amount is distinct from -reversal.signed_amount
            or original.account_id <> reversal.account_id or reversal.booked_on < original.booked_on
            or original.is_customer_initiated <> reversal.is_customer_initiated
        )
        from good_transactions as reversal
        left join good_transactions as original on original.transaction_id = reversal.reverses_transaction_id
        where reversal.reverses_transaction_id is not null
        """
    ).fetchone() or (0, 1)
    assert count > 500
    assert wrong == 0


def test_what_the_bank_does_itself_is_not_initiated_by_the_customer(files: duckdb.DuckDBPyConnection) -> None:
    rows = files.execute(
        "select distinct transaction_type, is_customer_initiated from good_transactions"
    ).fetchall()
    own = {kind for kind, is_initiated in rows if is_initiated}
    others = {kind for kind, is_initiated in rows if not is_initiated}
    assert own == {"cash_deposit", "cash_withdrawal", "card_payment", "transfer_in", "transfer_out"}
    assert others == {
        "standing_order",
        "salary",
        "pension",
        "loan_payment",
        "interest",
        "fee",
        "penalty",
        "other",
    }


@pytest.mark.parametrize("as_of", ["2025-10-31", "2026-10-31"])
def test_value_tiers_have_the_shares_of_the_plan(files: duckdb.DuckDBPyConnection, as_of: str) -> None:
    high, mid, low = files.execute(
        f"""
        with turnover as (
            select customer_id,
                sum(case when reverses_transaction_id is null then amount else -amount end) as amount
            from good_transactions join owners using (account_id)
            where is_customer_initiated and booked_on > date '{as_of}' - 365 and booked_on <= date '{as_of}'
            group by 1
        ),
        open_personal as (
            select distinct customer_id from customers
            where customer_kind = 'personal' and opened_on <= '{as_of}'
            and customer_id not in (select customer_id from customers where closed_on <= '{as_of}')
        )
        select avg((coalesce(amount, 0) >= 100000)::integer),
            avg((coalesce(amount, 0) >= 50000 and amount < 100000)::integer),
            avg((coalesce(amount, 0) < 50000)::integer)
        from open_personal left join turnover using (customer_id)
        """
    ).fetchone() or (0, 0, 0)
    # 4,300 customers: a standard error of .6 and .75 points.
    assert high == pytest.approx(0.20, abs=0.02)
    assert mid == pytest.approx(0.40, abs=0.025)
    assert low == pytest.approx(0.40, abs=0.025)


@pytest.fixture(scope="module")
def large_plan() -> tuple[Plan, np.ndarray, Parameters, np.ndarray]:
    parameters = Parameters(customers=60_000)
    customers = make_customers(parameters)
    turnover = draw_turnover(parameters, customers)
    held = 1 + choose_extras(parameters, customers, turnover).sum(axis=1)
    group = np.where(
        customers.is_business, 3, np.select([turnover >= 100_000, turnover >= 50_000], [0, 1], 2)
    )
    before = customers.opened < parameters.first_day
    return make_plan(parameters, customers, turnover, held), group, parameters, before


def test_yearly_churn_of_each_tier_is_that_of_the_plan(
    large_plan: tuple[Plan, np.ndarray, Parameters, np.ndarray],
) -> None:
    truth, group, parameters, before = large_plan
    for code, rate in enumerate(PLANNED_YEARLY_CHURN):
        members = before & (group == code)
        # Those who join later start their clock later; the rate is that of the customers of the first day.
        churned = int((truth.churned[members] < parameters.first_day + 365).sum())
        expected = members.sum() * rate
        assert abs(churned - expected) < 3.5 * np.sqrt(expected * (1 - rate)), (code, churned, expected)


def test_leavers_take_the_three_forms_and_are_the_riskier_ones(
    large_plan: tuple[Plan, np.ndarray, Parameters, np.ndarray],
) -> None:
    truth = large_plan[0]
    leavers = truth.form != STAYS
    shares = [float((truth.form[leavers] == form).mean()) for form in (CLOSURE, DRAIN, SILENCE)]
    # Silence needs half a year of room, so a part of it turns into the other two forms.
    assert shares == pytest.approx([0.42, 0.42, 0.16], abs=0.03)
    assert truth.risk[leavers].mean() > 1.3 * truth.risk[~leavers].mean()


def test_closures_are_in_the_files_on_their_day_and_with_their_reason(
    planned: duckdb.DuckDBPyConnection,
) -> None:
    count, wrong = planned.execute(
        f"""
        with closing as (
            select customer_id, max(closed_on) as closed_on, bool_or(closed_on is null) as is_open,
                arg_max(closure_reason, closed_on) as reason
            from latest_accounts join owners using (account_id) group by 1
        )
        select count(*), count(*) filter (
            is_open or closing.closed_on <> left_on or (reason = 'customer_request') <> is_voluntary)
        from plan join closing using (customer_id) where form = {CLOSURE} and left_on <= {LAST}
        """
    ).fetchone() or (0, 1)
    assert count > 150
    assert wrong == 0
    # Nobody else loses the current account.
    others = planned.execute(
        f"select count(*) from latest_accounts join owners using (account_id) join plan using (customer_id)"
        f" where product_id in ('P01', 'P02') and closed_on is not null and form <> {CLOSURE}"
    ).fetchone()
    assert others == (0,)


def test_the_silent_do_nothing_any_more(planned: duckdb.DuckDBPyConnection) -> None:
    count, later, last_gap = planned.execute(
        f"""
        with last_acts as (
            select customer_id, max(booked_on) as last_on
            from good_transactions join owners using (account_id) where is_customer_initiated group by 1
        )
        select count(*), count(*) filter (last_on >= left_on), max(left_on - last_on)
        from plan join last_acts using (customer_id) where form = {SILENCE} and left_on <= {LAST}
        """
    ).fetchone() or (0, 1, 0)
    assert count > 20
    assert later == 0
    assert last_gap < 90


def test_drains_are_visible_and_stay(deposits: duckdb.DuckDBPyConnection) -> None:
    count, shown, stayed = deposits.execute(
        f"""
        with balances as (
            select customer_id,
                avg(balance) filter (day < fades_from and day >= fades_from - 90) as before,
                avg(balance) filter (day >= left_on + 45 and day < left_on + 135) as after,
                avg(balance) filter (day > {LAST} - 30) as at_last
            from deposits join plan using (customer_id)
            where form = {DRAIN} and fades_from > date '2025-01-01' and left_on < {LAST} - 135 group by 1
        )
        select count(*), avg((after < 0.6 * before)::integer), avg((at_last < 0.6 * before)::integer)
        from balances
        """
    ).fetchone() or (0, 0, 0)
    assert count > 60
    assert shown > 0.95
    assert stayed > 0.9


@pytest.mark.parametrize("as_of", ["2025-06-30", "2025-12-31", "2026-06-30"])
def test_few_of_those_who_stay_seem_to_drain(deposits: duckdb.DuckDBPyConnection, as_of: str) -> None:
    count, share = deposits.execute(
        f"""
        with balances as (
            select customer_id,
                avg(balance) filter (day > date '{as_of}' - 90 and day <= date '{as_of}') as before,
                avg(balance) filter (day > date '{as_of}' and day <= date '{as_of}' + 90) as after
            from deposits group by 1
        )
        select count(*), avg((after < 0.6 * before)::integer) from balances join plan using (customer_id)
        join (select distinct customer_id, opened_on from customers) using (customer_id)
        where opened_on <= date '{as_of}' - 90 and (churned_on is null or churned_on > date '{as_of}' + 300)
        """
    ).fetchone() or (0, 1)
    assert count > 3500
    assert share < 0.005


def test_leavers_fade_before_they_leave(deposits: duckdb.DuckDBPyConnection) -> None:
    activity, balance = deposits.execute(
        """
        with days as (
            select plan.customer_id, day, balance, count(transaction_id) as acts,
                day >= left_on - 45 as is_near
            from plan join deposits using (customer_id)
            left join (select transaction_id, customer_id, booked_on from good_transactions
                join owners using (account_id) where is_customer_initiated) as acts
                on acts.customer_id = plan.customer_id and acts.booked_on = day
            where is_voluntary and left_on > date '2025-06-01' and left_on <= date '2026-10-31'
                and ((day >= left_on - 45 and day < left_on)
                    or (day >= left_on - 200 and day < left_on - 120))
            group by all
        )
        select avg(acts) filter (is_near) / avg(acts) filter (not is_near),
            avg(balance) filter (is_near) / avg(balance) filter (not is_near)
        from days
        """
    ).fetchone() or (1, 1)
    assert activity < 0.75
    assert balance < 0.9


def test_spending_follows_the_week(files: duckdb.DuckDBPyConnection) -> None:
    saturday, sunday = files.execute(
        "select count(*) filter (dayofweek(booked_on) = 6), count(*) filter (dayofweek(booked_on) = 0)"
        " from good_transactions where transaction_type = 'card_payment'"
    ).fetchone() or (0, 0)
    assert saturday > 1.3 * sunday


def test_one_customer_in_four_holds_two_families_or_more(files: duckdb.DuckDBPyConnection) -> None:
    share = files.execute(
        f"""
        select avg((families > 1)::integer) from (
            select customer_id, count(distinct product_family) as families
            from latest_accounts join owners using (account_id) join products using (product_id)
            where closed_on is null or closed_on > {LAST} group by 1)
        """
    ).fetchone()
    assert share is not None
    assert 0.20 < share[0] < 0.30


def test_satisfaction_is_that_of_the_plan_and_lower_among_leavers(planned: duckdb.DuckDBPyConnection) -> None:
    overall, leaving = planned.execute(
        "select avg((score >= 4)::integer), avg((score >= 4)::integer) filter (answered_on >= fades_from)"
        " from satisfaction_surveys join plan using (customer_id)"
    ).fetchone() or (0, 1)
    assert overall == pytest.approx(0.85, abs=0.03)
    assert leaving < 0.65


def test_second_holders_are_customers_with_an_account_of_their_own(files: duckdb.DuckDBPyConnection) -> None:
    count, own, same = files.execute(
        """
        select count(*), count(*) filter (other.customer_id in (select customer_id from owners)),
            count(*) filter (other.customer_id = owners.customer_id)
        from account_holders as other join owners using (account_id) where other.holder_role <> 'owner'
        """
    ).fetchone() or (0, 0, 1)
    assert 100 <= count <= 200
    assert own == count
    assert same == 0
