"""Tiers on real banks: a path that is cut into runs is the path of one pass, on both engines."""

import csv
import shutil
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from policy import codes
from policy.check import check

ROOT = Path(__file__).resolve().parents[2]
AS_OF = "2026-10-31"
FIRST, BEFORE_LAST, LAST = date(2026, 2, 28), date(2026, 8, 31), date(2026, 9, 30)
MARTS = (*(mart for mart, _ in codes.MARTS.values()), "fct_customer_tiers")


def rows_of(bank: Any, mart: str, schema: str, where: str = "true") -> list[dict[str, str]]:
    """Rows of a mart as `schema` has them, in the order of the key, without the run that made them."""
    rows = bank.rows(f"select * from {schema}.{mart} where {where} order by as_of_date, customer_id")
    return [{column: value for column, value in row.items() if column != "run_id"} for row in rows]


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
    at_once, in_steps = (rows_of(bank, mart, "history") for bank in in_one_pass_and_in_steps)
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


TIERS_FROM, CLASSES_FROM = date(2026, 7, 15), date(2026, 8, 15)
POLICY_FIRST, POLICY_STEP = date(2026, 5, 31), date(2026, 7, 31)


@pytest.fixture(scope="module")
def changing_policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dbt project whose policy changes on the way.

    The high value tier is easier to reach and moves are slower from July on; a fifth loyalty class stands
    above the others from August on.
    """
    root = tmp_path_factory.mktemp("changing_policy")
    project = root / "dbt_project"
    shutil.copytree(ROOT / "dbt_project", project, ignore=shutil.ignore_patterns("target", "logs"))
    value = {"policy_set": "cny", "scheme": "value_tier", "customer_kind": "personal"}
    slower = {
        "promote_after_snapshots": "2",
        "demote_after_snapshots": "2",
        "grace_days": "",
        "dwell_days": "0",
    }
    add_version(
        project, "policy_tier_stability", value, TIERS_FROM, "slower", lambda rows: [rows[0] | slower]
    )
    add_version(
        project, "policy_tiers", value, TIERS_FROM, "easier",
        lambda rows: [rows[0] | {"entry_bound": "90000.00", "exit_bound": "80000.00"}, *rows[1:]],
    )  # fmt: skip
    diamond = {"tier": "diamond", "tier_order": "1", "tier_en": "Diamond", "tier_zh": "钻石"}
    diamond |= {"entry_bound": "75.00", "exit_bound": "71.00"}
    add_version(
        project, "policy_tiers", value | {"scheme": "loyalty_class"}, CLASSES_FROM, "five",
        lambda rows: [
            rows[0] | diamond, *(row | {"tier_order": str(int(row["tier_order"]) + 1)} for row in rows)
        ],
    )  # fmt: skip
    assert check(project / "seeds") == []
    return root


def add_version(
    project: Path,
    seed: str,
    of: dict[str, str],
    effective_from: date,
    rule_version: str,
    change: Callable[[list[dict[str, str]]], list[dict[str, str]]],
) -> None:
    """A version of a seed's rows, made from those of today."""
    path = project / "seeds" / f"{seed}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        today = [row for row in csv.DictReader(file) if of.items() <= row.items()]
    named = {"rule_version": rule_version, "effective_from": str(effective_from)}
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.DictWriter(file, list(today[0]), lineterminator="\n").writerows(
            row | named for row in change(today)
        )


@pytest.fixture(scope="module")
def through_a_change(make_bank: Callable, changing_policy: Path) -> tuple[Any, Any]:
    """One bank by the changing policy in one pass, and again with a stop when one of two changes has come."""
    banks = make_bank("duckdb", "polpass"), make_bank("duckdb", "polstep")
    for bank in banks:
        bank.root = changing_policy
        bank.ingest(AS_OF)
    at_once, in_steps = banks
    at_once.bootstrap(AS_OF, since=POLICY_FIRST, until=LAST)
    in_steps.bootstrap(AS_OF, since=POLICY_FIRST, until=POLICY_STEP)
    in_steps.bootstrap(AS_OF, since=POLICY_FIRST, until=LAST)
    return at_once, in_steps


def test_a_policy_that_begins_on_the_way_gives_the_same_path_in_steps(
    through_a_change: tuple[Any, Any],
) -> None:
    at_once, in_steps = through_a_change
    for mart in MARTS:
        expected = rows_of(at_once, mart, "history")
        assert len({row["as_of_date"] for row in expected}) == 5
        assert rows_of(in_steps, mart, "history") == expected, mart


def test_a_change_of_policy_waits_for_its_day_and_then_shows(through_a_change: tuple[Any, Any]) -> None:
    """New versions are cited, pending moves go on over the stop, and the fifth class has customers."""
    _, in_steps = through_a_change
    personal = "customer_kind = 'personal'"
    values = rows_of(in_steps, "fct_customer_value_tiers", "history", personal)
    for row in values:
        is_new = row["as_of_date"] > str(TIERS_FROM)
        assert row["rule_version"].startswith("easier, slower") == is_new, row
    moved_over_the_stop = [
        row for row in values
        if row["as_of_date"] == "2026-08-31" == row["held_since_on"] and row["value_tier"] == "high"
    ]  # fmt: skip
    assert moved_over_the_stop

    classes = rows_of(in_steps, "fct_customer_loyalty_classes", "history", personal)
    days = {row["as_of_date"] for row in classes if row["loyalty_class"] == "diamond"}
    assert days == {"2026-08-31", "2026-09-30"}
    assert all(
        row["rule_version"].startswith("five, ") == (row["as_of_date"] > str(CLASSES_FROM)) for row in classes
    )
    crossed = in_steps.rows("select 1 from history.fct_tier_crosswalk where other_tier = 'diamond' limit 1")
    moves = in_steps.rows(
        "select 1 from history.fct_tier_migration where from_tier = 'platinum' and to_tier = 'diamond'"
    )
    assert crossed
    assert moves


def test_a_standing_day_rebuilt_is_what_it_was(through_a_change: tuple[Any, Any]) -> None:
    """Days that stand after it, and what the day itself once became, are not looked at."""
    _, in_steps = through_a_change
    run_id = in_steps.snapshot(str(BEFORE_LAST))
    for mart in MARTS:
        first = rows_of(in_steps, mart, "history", f"as_of_date = date '{BEFORE_LAST}'")
        assert len(first) > 300
        assert rows_of(in_steps, mart, run_id) == first, mart


def test_a_day_withdrawn_and_built_again_is_what_it_was(through_a_change: tuple[Any, Any]) -> None:
    _, in_steps = through_a_change
    in_steps.publish_day("2026-10-30")
    in_steps.publish_day(AS_OF)
    first = {mart: rows_of(in_steps, mart, "marts") for mart in MARTS}
    in_steps.shell(f"{sys.executable} -m warehouse rollback")
    assert not rows_of(in_steps, "fct_customer_tiers", "history", f"as_of_date = date '{AS_OF}'")
    run_id = in_steps.snapshot(AS_OF)
    for mart in MARTS:
        assert {row["as_of_date"] for row in first[mart]} == {AS_OF}
        assert rows_of(in_steps, mart, run_id) == first[mart], mart
