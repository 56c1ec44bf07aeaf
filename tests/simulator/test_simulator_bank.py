"""The bank behaves as planned: books balance, tiers and churn have their shares, leavers show."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from simulator.folder import fill
from simulator.market import SHELF
from simulator.parameters import Parameters

LAST = "date '2026-10-31'"
STANDARD_ERRORS = 3.5


@pytest.fixture(scope="module")
def planned(files: duckdb.DuckDBPyConnection, truth_folder: Path) -> duckdb.DuckDBPyConnection:
    """The files with the table `plan` of the truth folder beside them, one row a customer."""
    files.execute(f"create or replace table plan as from read_parquet('{truth_folder}/customers.parquet')")
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
            is_open or closing.closed_on <> left_on or (closing.reason = 'customer_request') <> is_voluntary)
        from plan join closing using (customer_id) where form = 'account_closure' and left_on <= {LAST}
        """
    ).fetchone() or (0, 1)
    assert count > 150
    assert wrong == 0
    # Nobody else loses the current account.
    others = planned.execute(
        "select count(*) from latest_accounts join owners using (account_id) join plan using (customer_id)"
        " where product_id in ('P01', 'P02') and closed_on is not null"
        " and form is distinct from 'account_closure'"
    ).fetchone()
    assert others == (0,)


def test_the_silent_do_nothing_from_the_planned_day_on(planned: duckdb.DuckDBPyConnection) -> None:
    count, off, miscounted = planned.execute(
        f"""
        with last_acts as (
            select customer_id, max(booked_on) as last_on
            from good_transactions join owners using (account_id) where is_customer_initiated group by 1
        )
        select count(*), count(*) filter (last_on <> left_on - 1),
            count(*) filter (churned_on <> last_on + 180)
        from plan join last_acts using (customer_id)
        where form = 'silence' and left_on > date '2024-11-01' and left_on <= {LAST}
        """
    ).fetchone() or (0, 1, 1)
    assert count > 20
    assert off == miscounted == 0


def test_drains_hold_in_the_files_from_about_the_planned_day(deposits: duckdb.DuckDBPyConnection) -> None:
    count, found, middle, far, stayed = deposits.execute(
        f"""
        with means as (
            select customer_id, day, balance,
                avg(balance) over (partition by customer_id order by day
                    range between interval 89 days preceding and current row) as last_mean,
                avg(balance) over (partition by customer_id order by day
                    range between interval 179 days preceding and interval 90 days preceding) as base_mean
            from deposits semi join (select * from plan where form = 'balance_drain') as draining
                using (customer_id)
        ),
        drains as (
            select customer_id, left_on, churned_on, min(day) filter (
                day >= left_on and last_mean < 0.6 * base_mean) as drained_on,
                avg(balance) filter (day > {LAST} - 30) / avg(balance) filter (
                    day < left_on and day >= left_on - 90) as kept
            from means join plan using (customer_id)
            where form = 'balance_drain' and left_on > date '2025-05-01' and churned_on < {LAST} - 60
            group by all
        )
        select count(*), avg((abs(drained_on - churned_on) < 30)::integer),
            median(drained_on - churned_on), quantile_cont(abs(drained_on - churned_on), 0.9),
            avg((kept < 0.6)::integer)
        from drains
        """
    ).fetchone() or (0, 0, 0, 0, 0)
    assert count > 80
    assert found > 0.95
    # Planned on the usual balance; what chance does to the real one moves the day by a week or two.
    assert abs(middle) <= 5
    assert far <= 16
    assert stayed > 0.95


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
        where opened_on <= date '{as_of}' - 90 and (left_on is null or left_on > date '{as_of}' + 90)
        """
    ).fetchone() or (0, 1)
    assert count > 3500
    assert share < 0.0025


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
        "select avg((score >= 4)::integer), avg((score >= 4)::integer) filter (answered_on >= left_on)"
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


@pytest.fixture(scope="module")
def years_of_versions(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """`customers` and `account_holders` of a bank that arrived month by month for nearly two years."""
    folder = tmp_path_factory.mktemp("versions") / "bank"
    fill(folder, folder.with_name("truth"), Parameters(customers=12_000, seed=5, every="month"))
    connection = duckdb.connect()
    for entity in ("customers", "account_holders"):
        connection.execute(f"create table {entity} as from read_parquet('{folder}/*/{entity}.parquet')")
    connection.execute(
        "create table relationships as select customer_id, any_value(opened_on) as opened_on,"
        " max(closed_on) as closed_on from customers group by 1"
    )
    return connection


@pytest.mark.parametrize(
    "with_trait",
    [
        # The first change of each customer; the month's delivery shows nothing of a closing yet.
        "select customer_id, min(valid_from) as since from customers"
        " where valid_from > opened_on and closed_on is null group by 1",
        "select customer_id, min(valid_from) as since from account_holders"
        " where holder_role <> 'owner' group by 1",
    ],
    ids=["changed", "second_holder"],
)
def test_who_has_changed_or_holds_another_s_account_closes_as_often_as_everybody(
    with_trait: str, years_of_versions: duckdb.DuckDBPyConnection
) -> None:
    # Expected is the share of the customers of that month end who have closed all by the end of the data.
    count, closed, expected, error = years_of_versions.execute(
        f"""
        with chosen as (
            select customer_id, greatest(last_day(since), date '2024-12-31') as month_end from ({with_trait})
        ),
        month_ends as (
            select month_end, avg((closed_on is not null)::integer) as share
            from (select distinct month_end from chosen) join relationships
                on opened_on <= date '2024-12-31' and (closed_on is null or closed_on > month_end)
            group by 1
        )
        select count(*), count(closed_on), sum(share), sqrt(sum(share * (1 - share)))
        from chosen join month_ends using (month_end) join relationships using (customer_id)
        where closed_on is null or closed_on > month_end
        """
    ).fetchone() or (0, 0, 0, 0)
    assert count > 100
    assert expected > STANDARD_ERRORS * error, "too few to tell nobody from everybody"
    assert abs(closed - expected) < STANDARD_ERRORS * error, (count, closed, expected, error)


def test_changes_fall_on_customers_everywhere(years_of_versions: duckdb.DuckDBPyConnection) -> None:
    numbers = years_of_versions.execute(
        "select distinct substr(customer_id, 2)::integer as number from customers"
        " where valid_from > opened_on and closed_on is null"
    ).fetchnumpy()["number"]
    assert len(numbers) > 5_000
    # By tenth of the stock: equal chances, so a binomial count in each.
    of_stock = numbers[numbers <= 12_000] - 1
    counts, expected = np.bincount(of_stock // 1_200, minlength=10), len(of_stock) / 10
    assert (np.abs(counts - expected) < STANDARD_ERRORS * np.sqrt(0.9 * expected)).all(), counts


def test_who_closes_everything_gives_up_the_accounts_of_others_that_day(
    years_of_versions: duckdb.DuckDBPyConnection,
) -> None:
    ended, wrong, living_on = years_of_versions.execute(
        """
        with latest as (
            select distinct on (account_id, customer_id) * from account_holders
            order by account_id, customer_id, valid_from desc
        ),
        accounts_of as (
            select account_id, closed_on from account_holders join relationships using (customer_id)
            where holder_role = 'owner'
        )
        select count(valid_to), count(*) filter (valid_to <> holder.closed_on or holder.closed_on is null
                and valid_to is not null),
            count(*) filter (valid_to is null and holder.closed_on is not null
                and (accounts_of.closed_on is null or accounts_of.closed_on > holder.closed_on))
        from latest join relationships as holder using (customer_id) join accounts_of using (account_id)
        where holder_role <> 'owner'
        """
    ).fetchone() or (0, 1, 1)
    assert ended >= 5
    assert wrong == living_on == 0
    # After history a version of its own, valid from the day on which the role ends.
    off = years_of_versions.execute(
        "select count(*) from account_holders where valid_to > date '2024-12-31' and valid_from <> valid_to"
    ).fetchone()
    assert off == (0,)
