"""The bank is believable: who the customers are, what they hold, when and how they act, and the market.

Where a share is measured, its tolerance is four standard errors of that share, computed in the test.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import combinations

import duckdb
import numpy as np
import pytest

from simulator import means, people, portfolio
from simulator.calendar import SPRING_FESTIVALS, add_months, day_number, is_public_holiday, spring_festival
from simulator.folder import fill
from simulator.habits import PAY_DAYS, PENSION_DAY
from simulator.market import CITIES, SHELF, deposit_rates
from simulator.parameters import Parameters
from simulator.people import Customers, make_customers
from simulator.portfolio import EXTRAS, RULES, choose_extras, holding_shares, intend_accounts
from simulator.rhythm import day_weights
from simulator.schemas import SCHEMAS
from simulator.segments import SEGMENTS

BANK = Parameters(customers=12_000, seed=20)
LARGE = Parameters(customers=60_000, seed=21)
STANDARD_ERRORS = 4


def standard_error(share: float, count: int) -> float:
    """Of a share of `count` independent ones."""
    return float(np.sqrt(share * (1 - share) / count))


def assert_share(count: int, total: int, expected: float) -> None:
    assert total > 0
    tolerance = STANDARD_ERRORS * standard_error(expected, total)
    assert abs(count / total - expected) < tolerance, (count, total, expected, tolerance)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """One view an entity over all deliveries; `acts` are what customers did, `latest_*` the last version."""
    folder = tmp_path_factory.mktemp("realism") / "bank"
    fill(folder, folder.with_name("truth"), BANK)
    connection = duckdb.connect()
    for entity in SCHEMAS:
        files = f"{folder}/*/{entity}.parquet"
        connection.execute(f"create view {entity} as select * from read_parquet('{files}')")
    connection.execute(
        "create table latest_accounts as select distinct on (account_id) * from accounts"
        " join products using (product_id) order by account_id, accounts.valid_from desc"
    )
    connection.execute(
        "create table latest_customers as select distinct on (customer_id) * from customers"
        " order by customer_id, valid_from desc"
    )
    connection.execute(
        "create table owners as"
        " select account_id, customer_id from account_holders where holder_role = 'owner'"
    )
    connection.execute(
        """
        create table acts as
        select transactions.*, customer_id, customer_kind, birth_date
        from transactions join owners using (account_id) join latest_customers using (customer_id)
        where is_customer_initiated and reverses_transaction_id is null
        """
    )
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def customers() -> Customers:
    return make_customers(LARGE)


@pytest.fixture(scope="module")
def turnover(customers: Customers) -> np.ndarray:
    return means.draw_turnover(LARGE, customers)


@pytest.fixture(scope="module")
def extras(customers: Customers, turnover: np.ndarray) -> np.ndarray:
    return choose_extras(LARGE, customers, turnover)


def one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return row


# Who they are


def test_segments_have_their_shares_and_live_as_described(customers: Customers, turnover: np.ndarray) -> None:
    stock = np.arange(len(customers)) < LARGE.customers
    age = customers.age(LARGE.first_day)
    for code, segment in enumerate(SEGMENTS):
        of_kind = stock & (customers.is_business == segment.is_business)
        members = of_kind & (customers.segment == code)
        whole = sum(entry.stock_share for entry in SEGMENTS if entry.is_business == segment.is_business)
        assert_share(int(members.sum()), int(of_kind.sum()), segment.stock_share / whole)
        # A median of n log-normal values has the log-spread 1.25 s / sqrt(n).
        median, spread = segment.turnover
        deviation = np.log(np.median(turnover[members]) / (median * means.MEASURED_SHORTFALL))
        assert abs(deviation) < STANDARD_ERRORS * 1.2533 * spread / np.sqrt(members.sum()), segment.name
        assert age[members].mean() == pytest.approx(segment.age[0], abs=1), segment.name
        assert age[members].min() >= segment.age[2] - 0.01
    personal_births = np.bincount(customers.birth[stock & ~customers.is_business] - customers.birth.min())
    # Of 55,000 within some 25,000 days; a birthday that many share would be an age cut off.
    assert personal_births.max() < 25
    joined_at = (customers.opened - customers.birth) / 365.25
    assert joined_at[~customers.is_business].min() >= people.YOUNGEST_JOINER


def test_latent_traits_are_in_no_delivered_file() -> None:
    names = {field.name for schema in SCHEMAS.values() for field in schema}
    assert "customer_kind" in names
    assert not {name for name in names if "segment" in name or name in ("digital", "appetite", "turnover")}


def test_names_are_those_of_the_country_and_numbers_are_nobodys(bank: duckdb.DuckDBPyConnection) -> None:
    size, foreign, most_common = one(
        bank,
        "select count(*), count(*) filter (full_name ~ '^[A-Z]'), count(*) filter (full_name like '王%')"
        " from latest_customers where customer_kind = 'personal'",
    )
    assert_share(foreign, size, people.FOREIGN_SHARE)
    assert_share(
        most_common, size, (1 - people.FOREIGN_SHARE) * people.SURNAMES["王"] / sum(people.SURNAMES.values())
    )
    all_of_them, phones, mails, distinct_mails, ids = one(
        bank,
        """
        select count(*), count(*) filter (phone like '+86 100 %'),
            count(*) filter (email like '%@example.com'), count(distinct email),
            count(*) filter (national_id like '000000' || coalesce(strftime(birth_date, '%Y%m%d'), '') || '%')
        from latest_customers
        """,
    )
    assert {phones, mails, distinct_mails, ids} == {all_of_them}
    unnamed = one(
        bank,
        "select count(*) from latest_customers where customer_kind = 'small_business'"
        " and not regexp_matches(full_name, '(店|行|房|公司|工作室)$')",
    )
    assert unnamed == (0,)


def test_cities_differ_in_size_and_lie_in_all_regions(bank: duckdb.DuckDBPyConnection) -> None:
    sizes = dict(bank.execute("select city, count(*) from latest_customers group by 1").fetchall())
    assert set(sizes) == {city.name for city in CITIES}
    assert max(sizes.values()) > 3 * min(sizes.values())
    regions = bank.execute("select region, count(*) from branches group by 1").fetchall()
    assert {region for region, _ in regions} == {city.region for city in CITIES}
    assert sum(count for _, count in regions) == sum(city.branches for city in CITIES)
    in_own_city = one(
        bank,
        "select count(*) filter (latest_customers.city <> branches.city), count(*)"
        " from latest_customers join branches using (branch_id)",
    )
    assert in_own_city[0] == 0
    assert in_own_city[1] > BANK.customers


def test_income_statements_agree_with_the_pay_that_comes_in(bank: duckdb.DuckDBPyConnection) -> None:
    paid, agreeing, not_employed = one(
        bank,
        """
        with pay as (
            select customer_id, 12 * max(amount) as yearly_pay, count(*) as payments
            from transactions join owners using (account_id)
            where transaction_type in ('salary', 'pension') group by 1
        )
        select count(*), count(*) filter (annual_income_amount / yearly_pay between 0.7 and 1.45),
            count(*) filter (customer_kind <> 'personal' or occupation in ('student', 'self_employed'))
        from pay join latest_customers using (customer_id) where payments >= 12
        """,
    )
    assert paid > 5000
    assert not_employed == 0
    # The statement is log-normal around 1.05 times the usual pay with a spread of 0.1, and the highest pay is
    # some four per cent above the usual: both bounds are beyond three spreads. The three
    # per cent who cool for the whole time are paid elsewhere in part.
    assert agreeing / paid > 0.95


# What they hold


def test_planted_rules_are_in_the_account_files(bank: duckdb.DuckDBPyConnection) -> None:
    kinds = " ".join(
        f"when '{product.product_id}' then '{kind}'"
        for kind, chosen in (
            ("housing_loan", ("P09",)),
            ("consumer_loan", ("P08",)),
            ("dollar_savings", ("P04",)),
            ("term_deposit", ("P05", "P06", "P07")),
            ("wealth", ("P11", "P12")),
            ("card", ("P10",)),
            ("insurance", ("P13",)),
            ("savings", ("P03",)),
        )
        for product in SHELF
        if product.product_id in chosen
    )
    bank.execute(
        f"""
        create or replace table holdings as
        select distinct customer_id, case product_id {kinds} end as kind
        from latest_accounts join owners using (account_id) join latest_customers using (customer_id)
        where customer_kind = 'personal' and customer_id in (
            select customer_id from latest_accounts join owners using (account_id)
            where product_family = 'current' and latest_accounts.closed_on is null)
        """
    )
    # Of those who stay, for who leaves early may never come to open what was meant to be opened.
    everybody = one(bank, "select count(distinct customer_id) from holdings")[0]
    for rule in RULES:
        holders, both, others = one(
            bank,
            f"""
            with sides as (
                select customer_id, bool_or(kind = '{rule.antecedent}') as has_one,
                    bool_or(kind = '{rule.consequent}') as has_other
                from holdings group by 1
            )
            select count(*) filter (has_one), count(*) filter (has_one and has_other),
                count(*) filter (has_other) from sides
            """,
        )
        assert holders >= 80, rule
        assert_share(both, holders, rule.confidence)
        assert (both / holders) / (others / everybody) > 3, rule


def test_pairs_without_a_rule_are_independent_given_segment_wealth_and_tenure(
    customers: Customers, turnover: np.ndarray, extras: np.ndarray
) -> None:
    chances = holding_shares(LARGE, customers, turnover)
    consequents = {rule.consequent for rule in RULES}
    checked = 0
    for one_kind, other in combinations([kind for kind in EXTRAS if kind not in consequents], 2):
        chance = chances[:, EXTRAS.index(one_kind)] * chances[:, EXTRAS.index(other)]
        both = (extras[:, EXTRAS.index(one_kind)] & extras[:, EXTRAS.index(other)]).sum()
        error = np.sqrt((chance * (1 - chance)).sum())
        assert abs(both - chance.sum()) < STANDARD_ERRORS * error, (one_kind, other, both, chance.sum())
        checked += 1
    assert checked == 6
    # Wealth and segment alone make some pairs more frequent than chance, but far less than a rule does.
    personal = ~customers.is_business
    savings, housing = (
        extras[personal][:, EXTRAS.index(kind)].astype(float) for kind in ("savings", "housing_loan")
    )
    assert 0.8 < (savings * housing).mean() / (savings.mean() * housing.mean()) < 2


def test_no_product_is_the_consequent_of_two_rules_or_decided_after_it_was_used() -> None:
    consequents = [rule.consequent for rule in RULES]
    assert len(set(consequents)) == len(consequents) > 0
    for position, rule in enumerate(RULES):
        assert rule.antecedent not in consequents[position:]


def test_a_little_short_of_the_target_hold_two_families_or_more(bank: duckdb.DuckDBPyConnection) -> None:
    size, several = one(
        bank,
        f"""
        select count(*), count(*) filter (families > 1) from (
            select customer_id, count(distinct product_family) as families
            from latest_accounts join owners using (account_id)
            where closed_on is null or closed_on > date '{BANK.end}' group by 1)
        """,
    )
    tolerance = STANDARD_ERRORS * standard_error(0.285, size)
    assert 0.27 - tolerance < several / size < 0.30 + tolerance
    by_age = bank.execute(
        f"""
        select date_diff('year', birth_date, date '{BANK.end}') >= 45,
            avg((product_family in ('term_deposit', 'wealth'))::integer)
        from latest_accounts join owners using (account_id) join latest_customers using (customer_id)
        where customer_kind = 'personal' group by 1 order by 1
        """
    ).fetchall()
    assert by_age[1][1] > 2 * by_age[0][1]


def test_deposits_have_a_heavy_tail(bank: duckdb.DuckDBPyConnection) -> None:
    one_in_100, one_in_5 = one(
        bank,
        f"""
        with deposits as (
            select customer_id, sum(balance_amount)::double as deposit
            from month_end_balances join latest_accounts using (account_id) join owners using (account_id)
            where balance_on = date '{BANK.end}' and product_family in ('current', 'savings', 'term_deposit')
                and month_end_balances.currency_code = 'CNY'
            group by 1
        ),
        ranked as (
            select greatest(deposit, 0) as deposit, percent_rank() over (order by deposit desc) as rank
            from deposits
        )
        select sum(deposit) filter (rank < 0.01) / sum(deposit),
            sum(deposit) filter (rank < 0.2) / sum(deposit)
        from ranked
        """,
    )
    assert 0.08 < one_in_100 < 0.35
    assert 0.5 < one_in_5 < 0.85


def test_wealth_products_mostly_match_the_questionnaire(bank: duckdb.DuckDBPyConnection) -> None:
    (steady, steady_daring), (growth, growth_daring) = bank.execute(
        """
        select count(*), count(*) filter (risk_appetite in ('growth', 'aggressive'))
        from latest_accounts join owners using (account_id) join risk_questionnaires using (customer_id)
        where product_family = 'wealth' group by risk_level order by risk_level
        """
    ).fetchall()
    assert min(steady, growth) > 50
    assert growth_daring / growth > 0.65
    assert steady_daring / steady < 0.35


def test_arrears_of_thirty_sixty_and_ninety_days_exist_and_are_few(bank: duckdb.DuckDBPyConnection) -> None:
    loans, late_30, late_60, late_90, paid_after_30 = one(
        bank,
        f"""
        with instalments as (
            select loan_id, due_on, max(paid_on) as paid_on from loan_payments group by 1, 2
        ),
        month_ends as (select distinct balance_on as day from month_end_balances),
        overdue as (
            select loan_id, day, max(day - due_on) filter (paid_on is null or paid_on > day) as days
            from instalments cross join month_ends
            where due_on <= day and day > date '{BANK.end}' - 365 group by 1, 2
        )
        select count(*), count(*) filter (days >= 30), count(*) filter (days >= 60),
            count(*) filter (days >= 90),
            (select count(*) from instalments where paid_on - due_on >= 30)
        from overdue
        """,
    )
    assert loans > 3000
    assert loans * 0.05 > late_30 > late_60 > late_90 > 0
    assert paid_after_30 > 20


# When and how they act


def test_lunar_new_year_outside_the_table_is_right_to_within_a_day() -> None:
    published = {1996: (2, 19), 2000: (2, 5), 2008: (2, 7), 2014: (1, 31), 2036: (1, 28), 2040: (2, 12)}
    for year, (month, day) in published.items():
        assert year not in SPRING_FESTIVALS
        assert abs(spring_festival(year) - day_number(date(year, month, day))) <= 1, year
    inside = [year for year in SPRING_FESTIVALS if year + 19 in SPRING_FESTIVALS]
    assert inside == [2015, 2016]
    assert spring_festival(2026) == day_number(date(2026, 2, 17))


def test_public_holidays_of_a_year() -> None:
    days = np.arange(day_number(date(2026, 1, 1)), day_number(date(2027, 1, 1)))
    closed = [str(day) for day in days[is_public_holiday(days)].astype("datetime64[D]")]
    spring = [f"2026-02-{day}" for day in range(16, 24)]
    labour = [f"2026-05-0{day}" for day in range(1, 6)]
    national = [f"2026-10-0{day}" for day in range(1, 8)]
    assert closed == ["2026-01-01", *spring, "2026-04-05", *labour, *national]


@pytest.mark.parametrize("is_business", [False, True])
def test_day_weights_leave_the_year_as_it_is(is_business: bool) -> None:
    total = days = 0.0
    for year in (2025, 2026):
        for month in range(1, 13):
            first = day_number(date(year, month, 1))
            last = int(add_months(np.array([first]), np.array([1]))[0]) - 1
            weights = day_weights(first, last, is_business=is_business)
            assert len(weights) == last - first + 1
            total, days = total + weights.sum(), days + len(weights)
    assert total / days == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(
    ("kind", "from_day", "to_day"),
    [
        ("personal", date(2025, 11, 11), date(2025, 11, 11)),
        ("personal", date(2026, 6, 18), date(2026, 6, 18)),
        ("personal", date(2025, 10, 1), date(2025, 10, 7)),
        ("personal", date(2026, 2, 16), date(2026, 2, 23)),
        ("personal", date(2026, 2, 3), date(2026, 2, 15)),
        ("small_business", date(2025, 10, 1), date(2025, 10, 7)),
    ],
)
def test_festivals_and_holidays_show_in_the_files(
    bank: duckdb.DuckDBPyConnection, kind: str, from_day: date, to_day: date
) -> None:
    first = day_number(from_day.replace(day=1))
    last = int(add_months(np.array([first]), np.array([1]))[0]) - 1
    weights = day_weights(first, last, is_business=kind == "small_business")
    chosen = weights[day_number(from_day) - first : day_number(to_day) - first + 1].sum()
    month, during = one(
        bank,
        f"""
        select count(*), count(*) filter (booked_on between date '{from_day}' and date '{to_day}')
        from acts where customer_kind = '{kind}'
            and transaction_type in ('card_payment', 'cash_withdrawal', 'cash_deposit')
            and date_trunc('month', booked_on) = date_trunc('month', date '{from_day}')
        """,
    )
    assert month > 1000
    assert_share(during, month, chosen / weights.sum())
    # And the days do differ from ordinary ones.
    ordinary = (day_number(to_day) - day_number(from_day) + 1) / len(weights)
    assert abs(chosen / weights.sum() / ordinary - 1) > 0.1


def test_businesses_are_busiest_at_the_end_of_the_year(bank: duckdb.DuckDBPyConnection) -> None:
    december, year = one(
        bank,
        "select count(*) filter (month(booked_on) = 12), count(*) from acts"
        " where customer_kind = 'small_business' and year(booked_on) = 2025",
    )
    assert december / year > 1 / 12 + STANDARD_ERRORS * standard_error(1 / 12, year)


def test_pay_comes_on_pay_days_and_rents_leave_at_the_start_of_the_month(
    bank: duckdb.DuckDBPyConnection,
) -> None:
    days = bank.execute(
        "select transaction_type, day(booked_on), count(*) from transactions"
        " where transaction_type in ('salary', 'pension') group by all"
    ).fetchall()
    assert {day for kind, day, _ in days if kind == "pension"} == {PENSION_DAY}
    assert {day for kind, day, _ in days if kind == "salary"} == set(PAY_DAYS)
    # Cards are settled on the 20th and savings swept on the last day, by standing order as well.
    on_the_first, in_between = one(
        bank,
        "select count(*) filter (day(booked_on) = 1), count(*) filter (day(booked_on) between 2 and 19)"
        " from transactions where transaction_type = 'standing_order'",
    )
    assert on_the_first > in_between > 0


def test_branches_stand_empty_on_public_holidays(bank: duckdb.DuckDBPyConnection) -> None:
    days = np.arange(BANK.first_day, BANK.last_day + 1)
    holidays = ", ".join(f"date '{day}'" for day in days[is_public_holiday(days)].astype("datetime64[D]"))
    closed, usual = one(
        bank,
        f"""
        select avg((channel = 'branch')::integer) filter (booked_on in ({holidays})),
            avg((channel = 'branch')::integer) filter (booked_on not in ({holidays}))
        from acts where transaction_type in ('cash_withdrawal', 'cash_deposit')
        """,
    )
    assert closed < 0.25 * usual


def test_the_young_act_digitally_and_everybody_more_so_by_the_year(bank: duckdb.DuckDBPyConnection) -> None:
    young, old, count_before, before, count_after, after = one(
        bank,
        f"""
        with transfers as (
            select booked_on, channel in ('mobile', 'web') as is_digital,
                date_diff('year', birth_date, date '{BANK.end}') as age
            from acts where customer_kind = 'personal' and transaction_type = 'transfer_out'
        )
        select avg(is_digital::integer) filter (age < 35), avg(is_digital::integer) filter (age >= 60),
            count(*) filter (booked_on < date '2024-12-31'),
            avg(is_digital::integer) filter (booked_on < date '2024-12-31'),
            count(*) filter (booked_on >= date '2026-09-01'),
            avg(is_digital::integer) filter (booked_on >= date '2026-09-01')
        from transfers
        """,
    )
    assert young > old + 0.2
    error = np.hypot(standard_error(before, count_before), standard_error(after, count_after))
    assert after - before > STANDARD_ERRORS * error


def test_postings_fill_the_plans_bank_with_sixty_to_eighty_millions(bank: duckdb.DuckDBPyConnection) -> None:
    (count,) = one(bank, "select count(*) from transactions")
    assert 60e6 < count / BANK.customers * 550_000 < 80e6


# The market around them


@pytest.mark.parametrize("seed", range(12))
def test_offers_of_competitors_open_and_close_a_rate_gap(seed: int) -> None:
    parameters = Parameters(seed=seed)
    rates = deposit_rates(parameters)
    assert len(rates.days) == parameters.months + 12
    assert rates.days[12] == parameters.first_day
    gap = rates.gap[12:]
    assert gap.min() >= 0
    assert gap.max() <= 0.0125
    # Below 0.25 points is what always lies between banks, above 0.6 an offer at its height.
    assert (gap <= 0.0025).sum() >= 4
    assert (gap >= 0.006).sum() >= 4
    is_open = gap > 0.0025
    assert 2 <= (is_open[1:] != is_open[:-1]).sum() <= 12
    moves = np.diff(rates.policy) / 0.001
    assert np.allclose(moves, np.rint(moves))
    assert rates.gap_on(rates.days - 1)[1:] == pytest.approx(rates.gap[:-1])


def test_savings_earn_the_deposit_rate_that_the_market_file_tells(bank: duckdb.DuckDBPyConnection) -> None:
    count, rates, wrong = one(
        bank,
        """
        with interest as (
            select account_id, booked_on, amount from transactions where transaction_type = 'interest'
        )
        select count(*), count(distinct own_deposit_rate),
            count(*) filter (abs(amount - balance_amount * own_deposit_rate / 12) > 0.01)
        from interest join latest_accounts using (account_id)
        join month_end_balances on month_end_balances.account_id = interest.account_id
            and balance_on = date_trunc('month', booked_on)::date - 1
        join market_environment on market_on = date_trunc('month', booked_on)
        where product_id = 'P03'
        """,
    )
    assert count > 10_000
    assert rates > 1
    assert wrong == 0


def test_fewer_deposits_are_renewed_the_larger_the_gap(customers: Customers, extras: np.ndarray) -> None:
    rates = deposit_rates(LARGE)
    intended = intend_accounts(LARGE, customers, extras)
    rows = np.flatnonzero(intended.kind == 1 + EXTRAS.index("term_deposit"))
    gaps, ended = [], []
    for number in range(1, 200):
        matures = add_months(intended.opened[rows], intended.term[rows] * number)
        decides = (matures >= LARGE.first_day) & (matures <= LARGE.last_day)
        decides &= intended.matured[rows] >= matures
        gaps.append(rates.gap_on(matures[decides]))
        ended.append((intended.matured[rows] == matures)[decides])
    gap, ends = np.concatenate(gaps), np.concatenate(ended)
    for chosen in (gap < 0.003, gap > 0.006):
        assert chosen.sum() > 300
        expected = portfolio.NOT_RENEWED + portfolio.NOT_RENEWED_FOR_A_POINT * 100 * gap[chosen].mean()
        assert_share(int(ends[chosen].sum()), int(chosen.sum()), float(expected))
