"""Churn on real banks: spells cut into runs are the spells of one pass, on both engines."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

AS_OF = "2026-10-31"
# More than the 90 days of a churn period lie between the first day and the last.
FIRST, BEFORE_LAST, LAST = date(2026, 4, 30), date(2026, 8, 31), date(2026, 9, 30)
KEYS = {
    "fct_churn_spells": "customer_id, spell_no",
    "fct_churn_rates": "period, dimension, member, churn_form, choice",
    "fct_churn_reasons": "period, churn_form, reason_code, destination",
    "fct_tier_migration": "period, scheme, customer_kind, from_state, from_tier, to_state, to_tier",
}


def rows_of(bank: Any, mart: str) -> list[dict[str, str]]:
    """Rows of a mart's history in the order of its key, without the run that made them."""
    rows = bank.rows(f"select * from history.{mart} order by as_of_date, {KEYS[mart]}")
    return [{column: value for column, value in row.items() if column != "run_id"} for row in rows]


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def in_one_pass_and_in_steps(request: pytest.FixtureRequest, make_bank: Callable) -> tuple[Any, Any]:
    """One bank with its month-ends built in one pass, and again in three runs, two of them of a day."""
    at_once = make_bank(request.param, f"churn1{request.param[0]}")
    at_once.ingest(AS_OF)
    at_once.bootstrap(AS_OF, since=FIRST, until=LAST)
    in_steps = make_bank(request.param, f"churn3{request.param[0]}")
    in_steps.ingest(AS_OF)
    for until in (FIRST, BEFORE_LAST, LAST):
        in_steps.bootstrap(AS_OF, since=FIRST, until=until)
    return at_once, in_steps


@pytest.fixture(scope="module")
def in_steps(in_one_pass_and_in_steps: tuple[Any, Any]) -> Any:
    return in_one_pass_and_in_steps[1]


@pytest.mark.parametrize("mart", KEYS)
def test_spells_in_steps_are_the_spells_of_one_pass(
    in_one_pass_and_in_steps: tuple[Any, Any], mart: str
) -> None:
    at_once, in_steps = (rows_of(bank, mart) for bank in in_one_pass_and_in_steps)
    assert len({row["as_of_date"] for row in at_once}) >= 5
    different = [(ours, theirs) for ours, theirs in zip(in_steps, at_once, strict=True) if ours != theirs]
    assert not different, f"{len(different)} rows differ, the first: {different[0]}"


def test_the_spells_have_something_to_tell(in_steps: Any) -> None:
    """Every counted form began a spell, spells ended, and reasons and places are known of some."""
    (found,) = in_steps.rows(
        f"""
        select
            count(case when churn_form = 'account_closure' then 1 end) as closures,
            count(case when churn_form = 'balance_drain' then 1 end) as drains,
            count(case when churn_form = 'silence' then 1 end) as silences,
            count(case when ended_on is not null then 1 end) as ended,
            count(case when not is_voluntary then 1 end) as passive,
            count(destination) as went_somewhere,
            count(case when started_on > date '{FIRST}' and value_tier is not null then 1 end) as with_traits
        from history.fct_churn_spells
        where as_of_date = date '{LAST}'
        """
    )
    assert min(int(count) for count in found.values()) > 0, found


def test_a_drain_is_not_forgotten(in_steps: Any) -> None:
    """A drain holds while the balance is below 60 % of what it was before it, for longer than 90 days too."""
    rows = in_steps.rows(
        """
        select
            spells.drain_base_amount as base_amount,
            activity.mean_balance_90d as balance,
            spells.as_of_date - spells.started_on as count_days
        from history.fct_churn_spells as spells
        inner join history.fct_customer_activity as activity
            on spells.customer_id = activity.customer_id and spells.as_of_date = activity.as_of_date
        where spells.is_open_spell and spells.drain_base_amount is not null
        """
    )
    assert rows
    assert all(float(row["balance"]) < 0.6 * float(row["base_amount"]) for row in rows if row["balance"])
    assert any(int(row["count_days"]) > 90 for row in rows)


def test_who_is_in_a_spell_is_not_eligible_and_churns_in_no_period(in_steps: Any) -> None:
    (found,) = in_steps.rows(
        """
        select
            count(case when features.is_eligible then 1 end) as eligible,
            count(*) as in_spells
        from history.fct_churn_spells as spells
        inner join history.fct_customer_features as features
            on spells.customer_id = features.customer_id and spells.as_of_date = features.as_of_date
        where spells.is_open_spell
        """
    )
    assert found["eligible"] == "0"
    assert int(found["in_spells"]) > 0
    twice = in_steps.rows(
        f"""
        select later.customer_id
        from history.fct_churn_spells as later
        inner join history.fct_churn_spells as earlier
            on
                later.customer_id = earlier.customer_id
                and later.as_of_date = earlier.as_of_date
                and earlier.spell_no = later.spell_no - 1
        where
            later.as_of_date = date '{LAST}'
            and (earlier.ended_on is null or later.started_on < earlier.ended_on)
        """
    )
    assert twice == []
