"""The contracts: what the other rooms count on, and faults that name file and field."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from ingest.contracts import CONTRACTS_FOLDER, load_contracts
from ingest.errors import ContractError
from ingest.sources import load_source, source_names
from warehouse.settings import PROJECT_ROOT

ENTITY_ROW = re.compile(r"^\| (\w+)( \(required\))? \| (event|version), ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def without_parentheses(text: str) -> str:
    return re.sub(r"\([^()]*\)", "", text)


def test_contracts_hold_the_entities_and_columns_of_the_interfaces() -> None:
    declared = {}
    for entity, required, kind, key_and_date, columns in ENTITY_ROW.findall(
        (PROJECT_ROOT / "docs" / "interfaces.md").read_text(encoding="utf-8")
    ):
        names = [part.split()[0] for part in without_parentheses(columns).split(",")]
        composite = re.match(r"\(([^)]*)\)", key_and_date)
        key = composite.group(1).split(", ") if composite else [key_and_date.split(",")[0].strip()]
        declared[entity] = (
            kind,
            bool(required),
            key,
            [name.rstrip("*") for name in names],
            [name.rstrip("*") for name in names if name.endswith("*")],
        )
    assert len(declared) == 20
    assert declared == {
        contract.entity: (
            contract.kind,
            contract.is_required_in_history,
            list(contract.key),
            list(contract.column_names),
            [column.name for column in contract.columns if column.is_required],
        )
        for contract in load_contracts().values()
    }


def test_personal_columns_are_those_of_customers_and_leave_only_the_birth_year() -> None:
    contracts = load_contracts()
    assert [contract.entity for contract in contracts.values() if contract.has_personal] == ["customers"]
    customers = contracts["customers"]
    personal = {column.name for column in customers.columns if column.is_personal}
    assert personal == {"full_name", "phone", "email", "national_id", "birth_date"}
    assert personal.isdisjoint(customers.raw_schema.names)
    assert "birth_year" in customers.raw_schema.names
    assert personal < set(customers.restricted_schema.names)


def test_events_keep_no_hash_and_hold_no_personal_column(tmp_path: Path) -> None:
    for contract in load_contracts().values():
        keeps_hash = contract.kind == "version" and not contract.has_personal
        assert ("row_hash" in contract.raw_schema.names) == keeps_hash, contract.entity
    folder = shutil.copytree(CONTRACTS_FOLDER, tmp_path / "contracts")
    path = folder / "customers.yaml"
    path.write_text(path.read_text("utf-8").replace("value: version", "value: event", 1), "utf-8")
    with pytest.raises(ContractError, match=r"customers.yaml: customProperties.entityKind: .* a version"):
        load_contracts(folder)


def test_parents_come_before_children() -> None:
    order = list(load_contracts())
    for contract in load_contracts().values():
        for parent in contract.parents.values():
            assert order.index(parent) < order.index(contract.entity)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: DataContract", "kind: Table", "kind: 'Table' is not one of DataContract"),
        ("apiVersion: v3.1.0", "apiVersion: v2.0.0", "apiVersion: expected v3.1.x"),
        ("name: accounts\nversion", "name: konten\nversion", "name: 'konten' differs"),
        ("version: 1.0.0", "versions: 1", "version: missing"),
        ("value: version", "value: fact", "customProperties.entityKind: 'fact' is not one of event, version"),
        ("value: opened_on", "value: opened", "customProperties.businessDate: 'opened' is not a date column"),
        ("physicalType: date", "physicalType: day", "opened_on: physicalType: 'day' is not one of"),
        ("logicalType: date", "logicalType: time", "opened_on: logicalType: 'time' is not one of date"),
        (
            "required: true",
            "required: yes please",
            "account_id: required: 'yes please' is not of the expected",
        ),
        ("primaryKey: true", "primaryKey: false", "schema[0].properties: no column is primaryKey"),
        (
            "to: products.yaml#",
            "to: wares.yaml#",
            "product_id: relationships: 'wares.yaml#products.product_id'",
        ),
        (
            "[customer_request,",
            "[1,",
            "closure_reason: quality[0].arguments.validValues: every value must be text",
        ),
        (
            "metric: invalidValues",
            "metric: rowCount",
            "closure_reason: quality[0].metric: 'rowCount' is not one",
        ),
        ("- name: branch_id", "- name: product_id", "schema[0].properties: a column is declared twice"),
        ("schema:", "schema: [", "not YAML"),
    ],
)
def test_a_broken_contract_names_file_and_field(tmp_path: Path, old: str, new: str, message: str) -> None:
    folder = shutil.copytree(CONTRACTS_FOLDER, tmp_path / "contracts")
    path = folder / "accounts.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ContractError, match=re.escape(f"accounts.yaml: {message}")):
        load_contracts(folder)


def test_a_missing_parent_contract_is_named(tmp_path: Path) -> None:
    folder = shutil.copytree(CONTRACTS_FOLDER, tmp_path / "contracts")
    (folder / "products.yaml").unlink()
    with pytest.raises(
        ContractError, match=r"accounts.yaml: product_id: relationships: no contract products.yaml"
    ):
        load_contracts(folder)


def test_sources_declare_policy_and_lag() -> None:
    assert source_names() == ["berka", "canonical", "demo"]
    declared = {name: load_source(name) for name in source_names()}
    assert {name: source.policy_set for name, source in declared.items()} == {
        "berka": "czk",
        "canonical": "cny",
        "demo": "cny",
    }
    assert {name: source.landing_lag_days for name, source in declared.items()} == {
        "berka": 0,
        "canonical": 1,
        "demo": 1,
    }
    with pytest.raises(ContractError, match="choose one of berka, canonical, demo"):
        load_source("moon")
