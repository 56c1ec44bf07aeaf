"""Tiers on real banks: a path that is cut into runs is the path of one pass, on both engines."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

AS_OF = "2026-10-31"
FIRST, BEFORE_LAST, LAST = date(2026, 2, 28), date(2026, 8, 31), date(2026, 9, 30)
MARTS = (
    "fct_customer_value_tiers",
    "fct_customer_asset_tiers",
    "fct_customer_pyramid_tiers",
    "fct_customer_savings_grades",
    "fct_customer_risk_appetites",
    "fct_customer_lifecycle_stages",
    "fct_customer_loyalty_classes",
    "fct_customer_rfm",
    "fct_customer_tiers",
)


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def in_one_pass_and_in_steps(request: pytest.FixtureRequest, make_bank: Callable) -> tuple[Any, Any]:
    """One bank with its month-ends built in one pass, and again in three runs, the last two of a day each."""
    at_once = make_bank(request.param, f"pass{request.param[0]}")
    at_once.ingest(AS_OF)
    at_once.bootstrap(AS_OF, since=FIRST, until=LAST)
    in_steps = make_bank(request.param, f"step{request.param[0]}")
    in_steps.ingest(AS_OF)
    in_steps.bootstrap(AS_OF, since=FIRST, until=date(2026, 7, 31))
    in_steps.bootstrap(AS_OF, since=FIRST, until=BEFORE_LAST)
    in_steps.bootstrap(AS_OF, since=FIRST, until=LAST)
    return at_once, in_steps


@pytest.mark.parametrize("mart", MARTS)
def test_a_path_in_steps_is_the_path_of_one_pass(
    in_one_pass_and_in_steps: tuple[Any, Any], mart: str
) -> None:
    sql = f"select * from history.{mart} order by as_of_date, customer_id"
    at_once, in_steps = (bank.rows(sql) for bank in in_one_pass_and_in_steps)
    assert len({row["as_of_date"] for row in at_once}) == 8
    different = [(ours, theirs) for ours, theirs in zip(in_steps, at_once, strict=True) if ours != theirs]
    assert not different, f"{len(different)} rows differ, the first: {different[0]}"


def test_the_path_has_something_to_tell(in_one_pass_and_in_steps: tuple[Any, Any]) -> None:
    """Tiers moved, waited and were kept on the days that the second warehouse took in steps."""
    _, in_steps = in_one_pass_and_in_steps
    (found,) = in_steps.rows(
        f"""
        select
            count(case when held_since_on > date '{FIRST}' then 1 end) as moved,
            count(case when pending_since_on < as_of_date then 1 end) as waiting,
            count(case when pending_since_on is null and raw_tier <> earned_tier then 1 end) as kept
        from history.fct_customer_value_tiers
        where as_of_date >= date '{BEFORE_LAST}'
        """
    )
    assert min(int(count) for count in found.values()) > 0, found
