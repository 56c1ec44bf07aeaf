"""The catalogue, the mart, its description, the page and the reasons say the same of every feature."""

import csv
from pathlib import Path
from typing import Any

import pytest
import yaml

from ml.churn.__main__ import main
from ml.churn.catalogue import as_markdown
from ml.churn.params import Feature, Params

ROOT = Path(__file__).resolve().parents[2]
# What the mart carries beside features: keys, who is scored, and what figures are given for.
SEGMENTS = {"sex", "age_band", "is_disabled"}
NO_FEATURES = {"as_of_date", "customer_id", "is_eligible", "risk_index_score"} | SEGMENTS


@pytest.fixture(scope="module")
def columns() -> dict[str, dict[str, Any]]:
    """The mart's columns by its contract, which dbt holds against the SQL at every build."""
    text = (ROOT / "dbt_project/models/marts/churn/_churn__models.yml").read_text(encoding="utf-8")
    model = next(
        model for model in yaml.safe_load(text)["models"] if model["name"] == "fct_customer_features"
    )
    return {column["name"]: column for column in model["columns"]}


def test_there_are_enough_features_and_none_is_protected(params: Params) -> None:
    assert len(params.features) >= 60
    assert {"sex", "age_band", "is_elderly", "is_disabled", "age_years"} <= set(params.excluded)
    assert not set(params.excluded) & set(params.feature_names)


def test_the_mart_has_the_features_of_the_catalogue_and_no_others(
    params: Params, columns: dict[str, dict[str, Any]]
) -> None:
    assert set(columns) - NO_FEATURES == set(params.feature_names)


def test_the_mart_describes_each_feature_as_the_catalogue_does(
    params: Params, columns: dict[str, dict[str, Any]]
) -> None:
    different = [
        feature.name
        for feature in params.features
        if columns[feature.name]["description"] != feature.meaning
        or columns[feature.name]["data_type"] != ("text" if feature.is_category else "double precision")
    ]
    assert different == []


def test_every_feature_is_told_in_full(params: Params) -> None:
    contracts = {path.stem for path in (ROOT / "ingest/contracts").glob("*.yaml")}
    assert "transactions" in contracts
    for feature in params.features:
        assert feature.meaning.endswith("."), feature.name
        assert feature.meaning != feature.name.replace("_", " "), feature.name
        assert feature.source, feature.name
        assert set(feature.source) <= contracts, feature.name
        # A name that tells a window tells the one of the catalogue, or the shorter one of two compared.
        told = [int(part[:-1]) for part in feature.name.split("_") if part[:-1].isdigit() and part[-1] == "d"]
        assert not told or (feature.window is not None and max(told) <= feature.window), feature.name


@pytest.mark.parametrize("policy_set", ["cny", "czk"])
def test_every_feature_has_a_reason_of_the_policy(params: Params, policy_set: str) -> None:
    with (ROOT / "dbt_project/seeds/policy_churn_reasons.csv").open(encoding="utf-8") as file:
        codes = {row["reason_code"] for row in csv.DictReader(file) if row["policy_set"] == policy_set}
    assert len(codes) > 10
    assert {feature.reason for feature in params.features} <= codes


def test_the_page_is_current(params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalogue"]) == 0
    page = (ROOT / "docs/features.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out == page, "python -m ml.churn catalogue > docs/features.md"
    assert page.count("\n| `") == len(params.features)


def test_a_page_lists_each_feature_under_its_reason() -> None:
    features = [
        Feature("a", "count", "acts", 30, -1, "Acts.", ("transactions",), "low_activity"),
        Feature("b", "days", "days", None, 1, "Age.", ("accounts", "products"), "new_relationship"),
        Feature("c", "ratio", "ratio", 90, 0, "Trend.", ("transactions",), "low_activity"),
    ]
    page = as_markdown(features)
    low, new = page.split("## low_activity")[1].split("## new_relationship")
    assert "| `a` | Acts. | acts | 30 days | - | transactions |" in low
    assert "| `c` | Trend. | ratio | 90 days | ? | transactions |" in low
    assert "| `b` | Age. | days | at D | + | accounts, products |" in new
