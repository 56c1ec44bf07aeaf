"""What every model must have, read from dbt's own manifest."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from policy.codes import MARTS
from warehouse.publish import PUBLIC_MARTS

ROOT = Path(__file__).resolve().parents[2]
# Marts that are no one's to read but training's.
INTERNAL_MARTS = {"churn_panel", "fct_customer_features"}


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The project as dbt parses it."""
    target = tmp_path_factory.mktemp("dbt")
    subprocess.run(
        [
            Path(sys.executable).with_name("dbt"), "--quiet", "parse", "--no-partial-parse",
            "--target", "duckdb",
            "--project-dir", ROOT / "dbt_project", "--profiles-dir", ROOT / "dbt_project",
            "--target-path", target, "--log-path", target,
        ],
        check=True, cwd=ROOT,
    )  # fmt: skip
    return json.loads((target / "manifest.json").read_text())


@pytest.fixture(scope="session")
def models(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}
    assert len(found) > 25
    return found


def layer(node: dict[str, Any]) -> str:
    return str(node["path"].split("/")[0])


def test_only_staging_reads_raw(models: dict[str, dict[str, Any]]) -> None:
    readers = {
        name for name, node in models.items() for source in node["sources"] if source[0] in {"raw", "scores"}
    }
    assert readers
    assert {layer(models[name]) for name in readers} == {"staging"}


def test_each_layer_reads_only_what_it_may(models: dict[str, dict[str, Any]]) -> None:
    may_read = {
        "staging": {"staging"},
        "core": {"staging", "core"},
        "intermediate": {"staging", "core", "intermediate", "marts"},
        "marts": {"staging", "core", "intermediate", "marts"},
    }
    edges = [
        (name, reference["name"])
        for name, node in models.items()
        for reference in node["refs"]
        if reference["name"] in models
    ]
    assert len(edges) > 40
    for name, parent in edges:
        assert layer(models[parent]) in may_read[layer(models[name])], f"{name} may not read {parent}"


def test_the_grain_is_the_first_sentence(models: dict[str, dict[str, Any]]) -> None:
    for name, node in models.items():
        assert node["description"].startswith("One row per "), name


def test_every_key_is_tested(manifest: dict[str, Any], models: dict[str, dict[str, Any]]) -> None:
    tested = {
        parent.split(".")[-1]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and (node.get("test_metadata") or {}).get("name") == "grain"
        for parent in node["depends_on"]["nodes"]
    }
    expected = {name for name, node in models.items() if layer(node) in {"core", "marts"}}
    assert len(expected) >= len(PUBLIC_MARTS)
    assert expected <= tested


def test_a_what_if_tries_every_policy_of_a_tier(manifest: dict[str, Any], tmp_path: Path) -> None:
    """From its first reader to the mart, each model that carries a policy to a tier is built anew.

    One left out would be read from the published run, and the change would move nobody. Churn windows are
    not tried: they change facts and labels.
    """
    listed = subprocess.run(
        [
            Path(sys.executable).with_name("dbt"), "--quiet", "ls", "--selector", "what_if",
            "--resource-type", "model", "--output", "name", "--target", "duckdb",
            "--project-dir", ROOT / "dbt_project", "--profiles-dir", ROOT / "dbt_project",
            "--target-path", tmp_path, "--log-path", tmp_path,
        ],
        check=True, cwd=ROOT, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    marts = {f"model.keepwell.{mart}" for mart, _ in MARTS.values()}
    made_of = closure(marts, manifest["parent_map"]) | marts
    policies = {node for node in made_of if node.startswith("seed.")} - {"seed.keepwell.policy_churn"}
    assert len(policies) > 10
    carried = made_of & closure(policies, manifest["child_map"])
    assert marts <= carried
    assert {node.split(".")[-1] for node in carried} <= set(listed)


def closure(nodes: set[str], neighbours: dict[str, list[str]]) -> set[str]:
    """All that is reached from the nodes, themselves left out."""
    found: set[str] = set()
    ahead = list(nodes)
    while ahead:
        new = set(neighbours[ahead.pop()]) - found
        found |= new
        ahead.extend(new)
    return found


def test_public_marts_have_contracts_and_describe_every_column(models: dict[str, dict[str, Any]]) -> None:
    marts = {name for name, node in models.items() if layer(node) == "marts"} - INTERNAL_MARTS
    assert marts == set(PUBLIC_MARTS), "a mart is published when warehouse/publish.py PUBLIC_MARTS names it"
    for name in PUBLIC_MARTS:
        node = models[name]
        assert node["config"]["contract"]["enforced"], name
        assert node["config"]["access"] == "public", name
        assert node["columns"], name
        undescribed = [
            column for column, about in node["columns"].items() if not about["description"].strip()
        ]
        assert not undescribed, f"{name}: {undescribed}"


def test_no_mart_carries_personal_columns(models: dict[str, dict[str, Any]]) -> None:
    personal = {"full_name", "phone", "email", "national_id", "birth_date"}
    columns = {(name, column) for name, node in models.items() for column in node["columns"]}
    assert len(columns) > 80
    assert not [(name, column) for name, column in columns if column in personal]


def test_no_sql_reads_the_clock() -> None:
    files = list((ROOT / "dbt_project").rglob("*.sql"))
    assert len(files) > 30
    for path in files:
        text = path.read_text().lower()
        for clock in ("now()", "current_date", "current_timestamp", "getdate", "today()"):
            assert clock not in text, f"{path.name} reads the clock with {clock}"
