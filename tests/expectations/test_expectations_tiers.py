"""What the gate of tiers rests on: the table of schemes, rules that some may break, the snapshot before."""

from __future__ import annotations

import pytest

from expectations import runner, tiers
from expectations.asset import Rule, every_row
from expectations.tiers import SCHEMES
from tests.expectations import planted_tiers
from warehouse import Settings, Warehouse, open_warehouse
from warehouse.publish import PUBLIC_MARTS
from warehouse.runs import read_run

RUN = "run_20261031_01"


def test_every_scheme_of_the_policy_is_looked_at_in_a_public_mart() -> None:
    assert {scheme.code for scheme in SCHEMES} == {row["scheme"] for row in planted_tiers.policy_tiers()}
    assert {scheme.code for scheme in SCHEMES if scheme.has_cuts} == {
        row["scheme"] for row in planted_tiers.policy_tiers() if row["entry_bound"]
    }
    assert {scheme.mart for scheme in SCHEMES} < set(PUBLIC_MARTS)


@pytest.mark.parametrize(("broken", "status"), [(1, "pass"), (2, "warn")])
def test_a_share_may_break_a_rule_that_allows_it_and_no_more(
    duckdb_bank: Settings, broken: int, status: str
) -> None:
    asset = every_row(
        relation="numbers",
        columns="number",
        source="range(20) as numbers(number)",
        rules=[Rule("nearly_all_are_large", f"number < {broken}", allowed_share=0.05)],
        reads=(),
    )
    with open_warehouse(duckdb_bank) as wh:
        (result,) = runner.run_suite(wh, [asset])
    assert (result.status, result.failures) == (status, 0 if status == "pass" else broken)


def test_tiers_are_compared_with_the_newest_standing_snapshot_that_has_them(duckdb_bank: Settings) -> None:
    def before(wh: Warehouse) -> str | None:
        found = tiers.snapshot_before(wh, run, run.as_of_date)
        return str(found[1]) if found else None

    with open_warehouse(duckdb_bank) as wh:
        run = read_run(wh, RUN)
        assert before(wh) == "2026-10-30"
        # Published before there were tiers: nothing to compare with, and nothing wrong.
        wh.execute("delete from ops.archived_days where mart = 'fct_customer_tiers'")
        assert before(wh) is None
        results = runner.run_suite(wh, [tiers.shape(RUN, run.as_of_date, None)])
        assert {result.status for result in results} == {"pass"}
