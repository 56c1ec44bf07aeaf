"""The risk index of a small real bank, recounted in exact fractions, and its reference fitted anew."""

import csv
import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from policy import risk_reference
from policy.check import check
from policy.codes import PROTECTED_INDICATORS, RISK_INDICATORS
from policy.faults import PolicyError
from policy.risk_fitting import GRADE_SHARES
from warehouse import open_warehouse

ROOT = Path(__file__).resolve().parents[2]
AS_OF = date(2026, 10, 31)
MART = "fct_customer_risk_index"
SELECTED = "policy_risk_indicators policy_risk_index policy_risk_grades int_risk_indicators"
Row = dict[str, str]

pytestmark = pytest.mark.slow


@dataclass
class Indexed:
    """A bank with one snapshot that is still open, and the marts of it."""

    bank: Any
    run_id: str

    def mart(self, name: str) -> dict[str, Row]:
        return {row["customer_id"]: row for row in self.bank.rows(f"select * from {self.run_id}.{name}")}


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def indexed(request: pytest.FixtureRequest, make_bank: Callable) -> Indexed:
    bank = make_bank(request.param, f"risk{request.param[0]}")
    bank.ingest(AS_OF.isoformat())
    return Indexed(bank, bank.snapshot(AS_OF.isoformat()))


def policy(name: str) -> list[Row]:
    with (ROOT / "dbt_project" / "seeds" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["policy_set"] == "cny"]


def rounded(value: Fraction) -> Fraction:
    """To four decimals, half away from zero."""
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return Fraction(exact.quantize(Decimal("0.0001"), rounding=ROUND_HALF_UP))


def place(value: str, row: Row) -> Fraction:
    """Where a value stands on the scale of an indicator, 0 to 100; 50 when it is unknown."""
    if not value:
        return Fraction(50)
    x, lower, middle, upper = (
        Fraction(text) for text in (value, row["lower_value"], row["middle_value"], row["upper_value"])
    )
    x = min(max(x, lower), upper)
    half = middle - lower if x < middle else upper - middle
    size = rounded(50 * abs(x - middle) / half)
    sign = (1 if x > middle else -1) * int(row["direction"])
    return 50 + sign * size


def test_every_index_is_the_weighted_sum_of_its_places(indexed: Indexed) -> None:
    indicators = {(row["customer_kind"], row["indicator"]): row for row in policy("policy_risk_indicators")}
    rows = indexed.mart(MART)
    assert len(rows) > 300
    for row in rows.values():
        points = {}
        for indicator in RISK_INDICATORS[row["customer_kind"]]:  # type: ignore[index]
            reference = indicators[row["customer_kind"], indicator]
            there = place(row[f"value_{indicator}"], reference)
            points[indicator] = rounded(there * Fraction(reference["expert_weight"]))
            assert Fraction(row[f"points_{indicator}"]) == points[indicator], (row, indicator)
        assert Fraction(row["index_score"]) == sum(points.values()) == Fraction(row["expert_score"])
        component = sum(
            rounded(place(row[f"value_{name}"], indicators[row["customer_kind"], name])
                    * Fraction(indicators[row["customer_kind"], name]["pca_weight"]))
            for name in points
        )  # fmt: skip
        assert Fraction(row["pca_score"]) == component
    assert {row["customer_kind"] for row in rows.values()} == {"personal", "small_business"}
    assert {row["risk_grade"] for row in rows.values()} >= {"A", "B", "C", "D"}
    assert not {row["main_indicator"] for row in rows.values()} & set(PROTECTED_INDICATORS)


def test_values_are_those_of_the_other_marts(indexed: Indexed) -> None:
    rows, customers = indexed.mart(MART), indexed.mart("dim_customers")
    activity, pyramid = indexed.mart("fct_customer_activity"), indexed.mart("fct_customer_pyramid_tiers")
    assert rows.keys() == {
        customer for customer, row in customers.items() if row["relationship_status"] == "open"
    }
    levels = {row["education"]: row["education_level"] for row in policy("policy_education_levels")}
    for customer, row in rows.items():
        known = customers[customer], activity[customer], pyramid[customer]
        assert Decimal(row["value_products"]) == Decimal(known[0]["count_product_families"])
        assert Decimal(row["value_transactions"]) == Decimal(known[1]["count_transactions_90d"])
        assert row["value_assets"] == known[1]["closing_assets"]
        assert row["value_income"] == known[2]["annual_income_amount"]
        level = levels.get(known[0]["education"], "")
        assert row["value_education"] == (f"{level}.00" if level else "")
        amounts = known[1]["closing_debts"], known[1]["closing_assets"]
        if "" in amounts:
            assert row["value_credit_use"] == ""
            continue
        debts, assets = map(Fraction, amounts)
        lent, held = debts + max(-assets, Fraction(0)), max(assets, Fraction(0))
        share = 100 * lent / (lent + held) if lent + held else Fraction(0)
        assert abs(Fraction(row["value_credit_use"]) - share) <= Fraction(1, 200)
    gap = {row["value_rate_gap"] for row in rows.values()}
    assert len(gap) == 2
    assert "0.00" in gap
    assert len({row["value_policy_rate"] for row in rows.values()}) == 1


def test_a_reference_needs_a_published_day(indexed: Indexed) -> None:
    with (
        open_warehouse(indexed.bank.settings) as wh,
        pytest.raises(PolicyError, match=r"no risk index is published yet|no published snapshot"),
    ):
        risk_reference.fit(wh, as_of=date(2026, 9, 30), effective_from=AS_OF)


def test_a_reference_fitted_anew_grades_its_day_as_stated(indexed: Indexed, tmp_path: Path) -> None:
    """Its rows are sound, and by the weights of the component they give each grade its share."""
    bank, run_id = indexed.bank, indexed.run_id
    with open_warehouse(bank.settings) as wh:
        if not wh.exists(f"history.{MART}"):
            # What publication would show, while the run stays open to be built anew.
            wh.execute(f"create view history.{MART} as select * from {run_id}.{MART}")
    seeds = tmp_path / "dbt_project" / "seeds"
    shutil.copytree(ROOT / "dbt_project", seeds.parent, ignore=shutil.ignore_patterns("target", "logs"))
    put_component_in_force(seeds)
    with open_warehouse(bank.settings) as wh:
        reference = risk_reference.fit(
            wh, as_of=AS_OF, effective_from=AS_OF, min_explained=Decimal("0.25"), seeds=seeds
        )
    assert next(note for note in reference.notes if "explains" in note).startswith("personal: the first")
    out = io.StringIO()
    risk_reference.write_rows(reference, out, seeds)
    for block in out.getvalue().split("# ")[1:]:
        name, _, rows = block.partition("\n")
        with (seeds / name).open("a", encoding="utf-8") as file:
            file.write(rows)
    assert check(seeds) == []

    before = bank.rows(f"select * from {run_id}.{MART} order by customer_id")
    bank.root = tmp_path
    try:
        bank.shell(
            f"""eval "$({ROOT}/.venv/bin/python -m warehouse dbt-environment)"
            {ROOT}/.venv/bin/dbt build --select {SELECTED} {MART} --exclude-resource-type unit_test \
                --project-dir dbt_project --profiles-dir dbt_project --target {bank.settings.target} \
                --target-path {tmp_path}/target --log-path {tmp_path}/target --vars '{{run_id: {run_id}}}'"""
        )
    finally:
        bank.root = ROOT
    after = bank.rows(f"select * from {run_id}.{MART} order by customer_id")
    assert [row["value_assets"] for row in after] == [row["value_assets"] for row in before]
    assert {row["weights"] for row in after} == {"pca"}
    assert all(row["index_score"] == row["pca_score"] for row in after)
    assert [row["expert_score"] for row in after] != [row["expert_score"] for row in before]
    persons = [row["risk_grade"] for row in after if row["customer_kind"] == "personal"]
    for grade, share in zip("ABCDE", GRADE_SHARES, strict=True):
        assert abs(persons.count(grade) / len(persons) - share) < 0.02, grade


def put_component_in_force(seeds: Path) -> None:
    path = seeds / "policy_risk_index.csv"
    text = path.read_text(encoding="utf-8")
    assert text.count("cny,personal,expert,") == 1
    text = text.replace("cny,personal,expert,", "cny,personal,pca,")
    path.write_text(text.replace("cny,small_business,expert,", "cny,small_business,pca,"), encoding="utf-8")
