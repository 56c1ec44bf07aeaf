"""Behaviour, profit and concentration recounted in plain Python, from raw and from policy, row by row."""

import csv
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from warehouse import open_warehouse

AS_OF = date(2026, 10, 31)
SEEDS = Path(__file__).resolve().parents[2] / "dbt_project" / "seeds"
CHANNELS = ["branch", "phone", "mobile", "web", "atm", "pos"]
WEEK = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
THIRDS = ["first", "second", "last"]
PARTS_OF_DAY = ["night", "morning", "afternoon", "evening"]
FAMILIES = ["current", "savings", "term_deposit", "wealth", "loan", "card"]
Row = dict[str, str]


@dataclass
class Valued:
    """A bank with one snapshot, and what raw knew of its customers by then."""

    bank: Any
    run_id: str
    acts: dict[str, list[dict[str, Any]]]
    postings: Counter[str]
    fees: dict[str, Decimal]
    spending: dict[str, Decimal]
    foreign: set[str]

    def mart(self, name: str) -> dict[str, Row]:
        return {row["customer_id"]: row for row in self.bank.rows(f"select * from {self.run_id}.{name}")}


def rounded(value: Fraction, places: int) -> Decimal:
    """Half away from zero, as everywhere in the warehouse."""
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def policy(name: str, key: str, value: str) -> dict[tuple[str, str], Fraction]:
    """Values of the CNY rows of a policy seed, by kind of customer and key."""
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return {
            (row["customer_kind"], row[key]): Fraction(row[value])
            for row in csv.DictReader(file)
            if row["policy_set"] == "cny" and row["effective_from"] <= AS_OF.isoformat()
        }


@pytest.fixture(scope="module")
def valued(make_bank: Callable) -> Valued:
    bank = make_bank("duckdb", "value")
    bank.ingest(AS_OF.isoformat())
    run_id = bank.snapshot(AS_OF.isoformat())
    with open_warehouse(bank.settings) as warehouse:
        owners = warehouse.query(
            "select account_id, customer_id from raw.account_holders where holder_role = 'owner'"
        )
        owner = dict(zip(owners["account_id"].to_pylist(), owners["customer_id"].to_pylist(), strict=True))
        transactions = warehouse.query(
            """
            select *, reverses_transaction_id is not null as is_reversal
            from raw.transactions
            where booked_on > date '2025-10-31' and booked_on <= date '2026-10-31'
                and known_at < timestamp '2026-11-02 00:00:00'
            """
        ).to_pylist()
    found = Valued(bank, run_id, defaultdict(list), Counter(), Counter(), Counter(), set())
    for row in transactions:
        customer = owner[row["account_id"]]
        if row["currency_code"] != "CNY":
            found.foreign.add(customer)
        is_recent = row["booked_on"] > AS_OF - timedelta(days=90)
        found.postings[customer] += is_recent
        signed = row["amount"] if row["direction"] == "debit" else -row["amount"]
        if row["transaction_type"] in ("fee", "penalty") and is_recent:
            found.fees[customer] += signed
        if row["is_customer_initiated"] and row["is_reversal"] == (row["direction"] == "credit"):
            found.spending[customer] += signed
        if row["is_customer_initiated"] and not row["is_reversal"]:
            found.acts[customer].append(row)
    return found


def preferred(found: list[str], order: list[str]) -> tuple[str, str]:
    """The most frequent, at a tie the first of the order, with its share."""
    if not found:
        return "none", ""
    counts = Counter(found)
    best = max(order, key=lambda name: (counts[name], -order.index(name)))
    return best, str(rounded(Fraction(counts[best], len(found)), 4))


def test_behaviour_agrees_with_a_count_by_hand(valued: Valued) -> None:
    behaviour = valued.mart("fct_customer_behaviour")
    assert len(behaviour) > 300
    hours_known = 0
    for customer, row in behaviour.items():
        acts = valued.acts[customer]
        recent = [act for act in acts if act["booked_on"] > AS_OF - timedelta(days=90)]
        days = {act["booked_on"] for act in recent}
        hours_known += sum(act["booked_hour"] is not None for act in acts)
        habits = {
            "channel": ([act["channel"] or "unknown" for act in acts], [*CHANNELS, "unknown"]),
            "day_of_week": ([WEEK[act["booked_on"].weekday()] for act in acts], WEEK),
            "third_of_month": ([THIRDS[min((act["booked_on"].day - 1) // 10, 2)] for act in acts], THIRDS),
            "part_of_day": (
                [
                    "unknown" if act["booked_hour"] is None else PARTS_OF_DAY[act["booked_hour"] // 6]
                    for act in acts
                ],
                [*PARTS_OF_DAY, "unknown"],
            ),
        }
        for habit, (found, order) in habits.items():
            expected = preferred(found, order)
            assert (row[f"preferred_{habit}"], row[f"preferred_{habit}_share"]) == expected, (customer, habit)
        assert int(row["count_transactions_365d"]) == len(acts)
        assert Decimal(row["transactions_per_month_90d"]) == rounded(Fraction(len(recent), 3), 2)
        assert Decimal(row["active_days_per_month_90d"]) == rounded(Fraction(len(days), 3), 2)
        assert row["is_active"] == ("true" if days else "false")
    assert hours_known > 10_000, "the simulated bank tells the hour"


def test_spending_agrees_with_a_sum_by_hand(valued: Valued) -> None:
    activity = valued.mart("fct_customer_activity")
    checked = [customer for customer in activity if customer not in valued.foreign]
    assert len(checked) > 300
    for customer in checked:
        expected = valued.spending.get(customer, Decimal(0))
        assert Decimal(activity[customer]["sum_spending_365d"]) == expected


def test_profit_agrees_with_a_sum_by_hand(valued: Valued) -> None:
    spreads = policy("policy_margins", "product_family", "ftp_spread_annual")
    costs = policy("policy_service_costs", "channel", "cost_amount")
    defaults = policy("policy_credit_losses", "from_days", "pd_annual")
    losses = policy("policy_credit_losses", "from_days", "lgd")
    balances = valued.mart("int_customer_balances")
    profits = valued.mart("fct_customer_profit")
    checked = [customer for customer in profits if customer not in valued.foreign]
    assert len(checked) > 300
    for customer in checked:
        row, kind = profits[customer], profits[customer]["customer_kind"]
        recent = [
            act["channel"] or "unknown"
            for act in valued.acts[customer]
            if act["booked_on"] > AS_OF - timedelta(days=90)
        ]
        margin = sum(
            Fraction(balances[customer][f"mean_balance_90d_of_{family}_amount"]) * spreads[kind, family]
            for family in FAMILIES
        )
        cost = sum(costs[kind, channel] for channel in recent)
        cost += (valued.postings[customer] - len(recent)) * costs[kind, "system"]
        band = max(
            (
                days
                for of_kind, days in defaults
                if of_kind == kind and int(days) <= int(row["days_past_due"])
            ),
            key=int,
        )
        debt = Fraction(balances[customer]["mean_loan_90d_amount"])
        loss = debt * defaults[kind, band] * losses[kind, band]
        expected = {
            "interest_margin_90d": rounded(margin * 90 / 365, 2),
            "fees_90d": valued.fees.get(customer, Decimal(0)),
            "service_cost_90d": rounded(cost, 2),
            "expected_credit_loss_90d": rounded(loss * 90 / 365, 2),
        }
        assert {name: Decimal(row[name]) for name in expected} == expected, customer
        assert Decimal(row["net_profit_90d"]) == (
            expected["interest_margin_90d"]
            + expected["fees_90d"]
            - expected["service_cost_90d"]
            - expected["expected_credit_loss_90d"]
        )


def test_days_past_due_are_those_of_the_oldest_unpaid_instalment(valued: Valued) -> None:
    with open_warehouse(valued.bank.settings) as warehouse:
        owed = warehouse.query(
            """
            select holders.customer_id, payments.loan_id, payments.due_on, payments.paid_on
            from (
                select *, row_number() over (
                    partition by loan_id, due_on order by valid_from desc, known_at desc, batch_no desc
                ) as recency_rank
                from raw.loan_payments
                where valid_from <= date '2026-10-31' and known_at < timestamp '2026-11-02 00:00:00'
            ) as payments
            inner join raw.loans as loans on payments.loan_id = loans.loan_id
            inner join raw.account_holders as holders
                on loans.account_id = holders.account_id and holders.holder_role = 'owner'
            where payments.recency_rank = 1
            """
        ).to_pylist()
    oldest: dict[str, int] = {}
    for payment in owed:
        is_open = payment["paid_on"] is None or payment["paid_on"] > AS_OF
        if payment["due_on"] <= AS_OF and is_open:
            days = (AS_OF - payment["due_on"]).days
            oldest[payment["customer_id"]] = max(days, oldest.get(payment["customer_id"], 0))
    assert oldest, "somebody is late"
    for customer, row in valued.mart("fct_customer_profit").items():
        assert int(row["days_past_due"]) == oldest.get(customer, 0)


def lorenz(values: list[int], share: Fraction) -> Fraction:
    """Share of the sum that the poorest `share` of the values have, straight within equal values."""
    ordered, total = sorted(values), sum(values)
    whole, rest = divmod(share * len(ordered), 1)
    part = sum(ordered[: int(whole)]) + (rest * ordered[int(whole)] if rest else 0)
    return Fraction(part) / total


def test_concentration_agrees_with_a_count_by_hand(valued: Valued) -> None:
    profits, activity = valued.mart("fct_customer_profit"), valued.mart("fct_customer_activity")
    found = valued.bank.rows(f"select * from {valued.run_id}.fct_value_concentration")
    curves = valued.bank.rows(f"select * from {valued.run_id}.fct_value_lorenz")
    assert len(found) == 6
    for row in found:
        texts = [
            profits[customer]["net_profit_90d"]
            if row["basis"] == "profit"
            else activity[customer]["closing_assets"]
            for customer, profit in profits.items()
            if profit["relationship_status"] == "open"
            and row["customer_kind"] in ("all", profit["customer_kind"])
        ]
        signed = [int(Decimal(text) * 100) for text in texts if text]
        values = [max(value, 0) for value in signed]
        total, count = sum(values), len(values)
        assert count >= 20
        descending = sorted(signed, reverse=True)
        last_of_fifth = descending[-(-count // 5) - 1]
        fifth = [value for value in descending if value >= last_of_fifth]
        needed, reached = 0, 0
        while 5 * reached < 4 * total:
            reached += max(descending[needed], 0)
            needed += 1
        gaps = sum(abs(one - other) for one in values for other in values)
        expected = {
            "count_customers": len(texts),
            "count_unknown": len(texts) - count,
            "count_negative": sum(value < 0 for value in signed),
            "sum_value": Decimal(sum(signed)) / 100,
            "count_top_20": len(fifth),
            "top_20_share": rounded(Fraction(sum(max(value, 0) for value in fifth), total), 6),
            "count_customers_80": needed,
            "share_customers_80": rounded(Fraction(needed, count), 6),
            "gini": rounded(Fraction(gaps, 2 * count * total), 6),
        }
        assert {name: Decimal(row[name]) for name in expected} == expected
        for point in curves:
            if (point["basis"], point["customer_kind"]) == (row["basis"], row["customer_kind"]):
                share = Fraction(int(point["point_no"]), 100)
                assert Decimal(point["share_value"]) == rounded(lorenz(values, share), 6)


def test_facts_without_a_new_column_are_rebuilt_on_request_only(make_bank: Callable) -> None:
    """A warehouse of before: the build stops and names the command; with it, the fact is whole again."""
    bank = make_bank("duckdb", "upgraded")
    bank.ingest("2026-10-27")
    bank.build(bank.start("daily", "2026-10-27"), "facts")
    fees = bank.rows("select sum(sum_fees) as fees from core.fct_customer_activity_daily")
    with open_warehouse(bank.settings) as warehouse:
        warehouse.execute("alter table core.fct_customer_activity_daily drop column sum_fees")
    run_id = bank.start("daily", "2026-10-27")
    with pytest.raises(
        AssertionError, match=r"(?s)sum_fees.*dbt build --full-refresh --select path:models/core"
    ):
        bank.build(run_id, "facts")
    bank.shell(
        f"""eval "$(.venv/bin/python -m warehouse dbt-environment)"
        PATH="$PWD/.venv/bin:$PATH" dbt build --full-refresh --select path:models/core \
            --project-dir dbt_project --profiles-dir dbt_project --target duckdb \
            --target-path {bank.settings.dbt_dir} --log-path {bank.settings.dbt_dir} \
            --vars '{{run_id: {run_id}}}'"""
    )
    assert bank.rows("select sum(sum_fees) as fees from core.fct_customer_activity_daily") == fees
