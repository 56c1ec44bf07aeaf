"""The schemes beside value and assets: recounted by hand from raw, and their totality tests seen to fail."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest

from warehouse import open_warehouse

AS_OF = "2026-10-31"
DAY = date(2026, 10, 31)
# Rows known later than the landing lag of one day are not seen by the snapshot.
KNOWN_BEFORE = "2026-11-02"
BOLDEST_FIRST = ("aggressive", "growth", "balanced", "steady", "conservative")
Row = dict[str, Any]


@dataclass
class Snapshot:
    """One day of a small bank; marts by customer, values as text."""

    bank: Any
    run_id: str

    def mart(self, name: str) -> dict[str, dict[str, str]]:
        return {
            row["customer_id"]: row
            for row in self.bank.rows(f"select * from {self.run_id}.fct_customer_{name}")
        }

    def customers(self) -> dict[str, dict[str, str]]:
        rows = self.bank.rows(f"select * from {self.run_id}.int_customers_at")
        return {row["customer_id"]: row for row in rows}

    def raw(self, sql: str) -> list[Row]:
        with open_warehouse(self.bank.settings) as warehouse:
            rows: list[Row] = warehouse.query(sql).to_pylist()
        return rows


@pytest.fixture(scope="module")
def snapshot(make_bank: Callable) -> Snapshot:
    bank = make_bank("duckdb", "schemes")
    bank.ingest(AS_OF)
    return Snapshot(bank, bank.snapshot(AS_OF))


def rounded(value: Fraction) -> Decimal:
    """Four decimals, half away from zero."""
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(Decimal("0.0001"), rounding=ROUND_HALF_UP)


def share_in_full(value: int, full_at: int) -> Decimal:
    return rounded(100 * Fraction(min(value, full_at), full_at))


def weighted(scores: dict[str, Decimal], weights: dict[str, str]) -> Decimal:
    return sum((scores[name] * Decimal(weight) for name, weight in weights.items()), Decimal(0)).quantize(
        Decimal("0.0001"), rounding=ROUND_HALF_UP
    )


def test_risk_appetites_agree_with_the_questionnaires(snapshot: Snapshot) -> None:
    answers: dict[str, list[Row]] = {}
    for row in snapshot.raw(
        "select * from raw.risk_questionnaires "
        f"where answered_on <= date '{AS_OF}' and known_at < timestamp '{KNOWN_BEFORE} 00:00:00'"
    ):
        answers.setdefault(row["customer_id"], []).append(row)
    found: dict[str, int] = {}
    for customer, row in snapshot.mart("risk_appetites").items():
        expected = "unknown"
        if customer in answers:
            last_day = max(answer["answered_on"] for answer in answers[customer])
            last = max(
                (answer for answer in answers[customer] if answer["answered_on"] == last_day),
                key=lambda answer: (
                    BOLDEST_FIRST.index(answer["risk_appetite"]),
                    -(answer["experience_years"] or 0),
                ),
            )
            years = last["experience_years"] or 0
            cap = "aggressive" if years >= 5 else "growth" if years >= 2 else "balanced"
            if last_day + timedelta(days=365) > DAY:
                expected = max(last["risk_appetite"], cap, key=BOLDEST_FIRST.index)
            assert row["questionnaire_appetite"] == last["risk_appetite"]
        assert row["raw_tier"] == expected, row
        found[expected] = found.get(expected, 0) + 1
    assert found["unknown"] > 100
    assert len(found) == 6, "every appetite occurs, so each was tried"


def test_loyalty_scores_agree_with_a_count_by_hand(snapshot: Snapshot) -> None:
    customers, activity = snapshot.customers(), snapshot.mart("activity")
    referrals: dict[str, int] = {}
    points: dict[str, int] = {}
    for event in snapshot.raw(
        f"select * from raw.loyalty_events where booked_on <= date '{AS_OF}' "
        f"and booked_on > date '{AS_OF}' - 365 and known_at < timestamp '{KNOWN_BEFORE} 00:00:00'"
    ):
        customer = event["customer_id"]
        if event["event_type"] == "referral":
            referrals[customer] = referrals.get(customer, 0) + 1
        if event["event_type"] == "points_earned":
            points[customer] = points.get(customer, 0) + event["points"]
    assert len(points) > 50
    personal = {
        "tenure": "0.25",
        "products": "0.25",
        "activity": "0.25",
        "referrals": "0.10",
        "points": "0.15",
    }
    business = {"tenure": "0.35", "products": "0.30", "activity": "0.35"}
    for customer, row in snapshot.mart("loyalty_classes").items():
        is_person = customers[customer]["customer_kind"] == "personal"
        tenure = int(customers[customer]["tenure_days"]) if row["relationship_status"] == "open" else 0
        scores = {
            "tenure": share_in_full(tenure, 3650),
            "products": share_in_full(int(customers[customer]["count_product_families"]), 4),
            "activity": share_in_full(
                int(activity[customer]["count_active_days_365d"]), 52 if is_person else 104
            ),
            "referrals": share_in_full(referrals.get(customer, 0), 2),
            "points": share_in_full(points.get(customer, 0), 3000),
        }
        assert Decimal(row["metric_score"]) == weighted(scores, personal if is_person else business), row


def test_pyramid_ranks_agree_with_a_count_by_hand(snapshot: Snapshot) -> None:
    customers, activity = snapshot.customers(), snapshot.mart("activity")
    loyalty = snapshot.mart("loyalty_classes")
    weights = {"assets": "0.40", "transactions": "0.25", "products": "0.15", "loyalty": "0.20"}
    values = {
        customer: {
            "assets": Decimal(activity[customer]["closing_assets"] or 0),
            "transactions": Decimal(activity[customer]["sum_amount_365d"]),
            "products": Decimal(row["count_product_families"]),
            "loyalty": Decimal(loyalty[customer]["metric_score"]),
        }
        for customer, row in customers.items()
    }
    found = set()
    for customer, row in snapshot.mart("pyramid_tiers").items():
        alike = [
            values[other]
            for other, about in customers.items()
            if about["customer_kind"] == row["customer_kind"] and about["relationship_status"] == "open"
        ]
        ranks = {
            name: rounded(
                100 * Fraction(sum(value[name] <= values[customer][name] for value in alike), len(alike))
            )
            if values[customer][name] > 0
            else Decimal(0)
            for name in weights
        }
        assert {name: Decimal(row[f"{name}_score"]) for name in weights} == ranks
        score = weighted(ranks, weights)
        assert Decimal(row["metric_score"]) == score
        is_little = int(row["count_active_days_90d"]) <= (7 if row["customer_kind"] == "personal" else 24)
        is_able = Decimal(row["annual_income_amount"] or 0) >= (
            30_000 if row["customer_kind"] == "personal" else 150_000
        )
        could_be_more = row["relationship_status"] == "no_account" or (
            row["relationship_status"] == "open"
            and is_little
            and is_able
            and int(row["count_product_families"]) <= 1
        )
        # Who could still keep a better tier is not yet one who could be more: exit bound 71.
        lowest = "potential" if could_be_more and score < 71 else "ordinary"
        assert row["raw_tier"] == ("vip" if score >= 90 else "important" if score >= 75 else lowest), row
        found.add(row["raw_tier"])
    assert found == {"vip", "important", "ordinary", "potential"}


def test_loan_records_agree_with_the_payments(snapshot: Snapshot) -> None:
    """Poor: an instalment of the last 730 days was 30 days late or more; then the grade is `risk`."""
    payments = snapshot.raw(
        f"""
        select holders.customer_id, payments.loan_id, payments.due_on, payments.paid_on,
            payments.valid_from, payments.known_at
        from raw.loan_payments as payments
        inner join raw.loans as loans on payments.loan_id = loans.loan_id
        inner join raw.account_holders as holders
            on loans.account_id = holders.account_id and holders.holder_role = 'owner'
        where payments.due_on <= date '{AS_OF}' and payments.due_on > date '{AS_OF}' - 730
            and payments.known_at < timestamp '{KNOWN_BEFORE} 00:00:00'
        """
    )
    newest: dict[tuple[str, date], Row] = {}
    for payment in payments:
        key = (payment["loan_id"], payment["due_on"])
        told = (payment["valid_from"] or payment["known_at"].date(), payment["known_at"])
        if key not in newest or told >= newest[key]["told"]:
            newest[key] = {**payment, "told": told}
    late: dict[str, int] = {}
    for payment in newest.values():
        paid_on = payment["paid_on"]
        until = paid_on if paid_on is not None and paid_on <= DAY else DAY
        days = max(0, (until - payment["due_on"]).days)
        late[payment["customer_id"]] = max(late.get(payment["customer_id"], 0), days)
    borrowers = {
        row["customer_id"]
        for row in snapshot.raw(
            f"""
            select holders.customer_id
            from raw.loans as loans
            inner join raw.account_holders as holders
                on loans.account_id = holders.account_id and holders.holder_role = 'owner'
            where loans.granted_on <= date '{AS_OF}'
            """
        )
    }
    found: dict[str, int] = {}
    for customer, row in snapshot.mart("savings_grades").items():
        expected = "poor" if late.get(customer, 0) >= 30 else "sound" if customer in borrowers else "none"
        assert row["loan_record"] == expected, row
        assert (row["raw_tier"] == "risk") == (expected == "poor")
        found[expected] = found.get(expected, 0) + 1
    assert found["sound"] > 10


# A hole, an overlap or a gap in each policy, and the test that tells of it.
PLANTED = {
    "assert_savings_rules_grade_every_customer": (
        "update policy.policy_savings_grades set min_deposit_amount = 1 where precedence = 7"
    ),
    "assert_risk_appetites_cover_every_answer": (
        "delete from policy.policy_risk_caps where min_experience_years = 0"
    ),
    "assert_lifecycle_stages_are_total_and_exclusive": (
        "update policy.policy_lifecycle set exploration_days = null where policy_set = 'cny'"
    ),
    "assert_pyramid_has_one_tier_for_every_customer": (
        "delete from {run}.int_tier_policy where scheme = 'pyramid_tier' and tier = 'ordinary'"
    ),
    "assert_loyalty_scores_run_from_0_to_100": (
        "update policy.policy_tier_weights set weight = 0.5 where component = 'tenure'"
    ),
    "assert_rfm_cuts_score_every_value": (
        "delete from policy.policy_rfm_cuts where measure = 'm' and score = 4"
    ),
    "assert_rfm_segments_cover_every_cell": (
        "update policy.policy_rfm_segments set fm_to = 5 where segment = 'loyal'"
    ),
    "assert_scheme_policies_are_in_force_for_both_kinds": (
        "delete from policy.policy_potential where customer_kind = 'small_business'"
    ),
}


def test_a_policy_with_a_hole_fails_its_test(snapshot: Snapshot) -> None:
    """Last in this file: it leaves the policies of this bank broken."""
    bank = snapshot.bank
    with open_warehouse(bank.settings) as warehouse:
        for sql in PLANTED.values():
            assert warehouse.execute(sql.format(run=snapshot.run_id)) != 0
    with pytest.raises(AssertionError) as failed:
        bank.shell(
            f"""eval "$(.venv/bin/python -m warehouse dbt-environment)"
            PATH="$PWD/.venv/bin:$PATH" dbt test --select {" ".join(PLANTED)} --project-dir dbt_project \
                --profiles-dir dbt_project --target {bank.settings.target} \
                --target-path {bank.settings.dbt_dir}/planted --log-path {bank.settings.dbt_dir}/planted \
                --vars '{{run_id: {snapshot.run_id}}}'"""
        )
    silent = [name for name in PLANTED if f"Failure in test {name} " not in str(failed.value)]
    assert not silent, f"no failure of {silent}\n{failed.value}"
