"""The declared contract of each entity (Open Data Contract Standard 3.1), loaded and validated.

`contracts/<entity>.yaml` says which columns a file may hold, their types and rules, the key, the parents, and
what is personal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import yaml

from ingest.errors import ContractError
from warehouse.relations import MANY_VALUES

CONTRACTS_FOLDER = Path(__file__).parent / "contracts"

ARROW_TYPES: dict[str, pa.DataType] = {
    "varchar": pa.string(),
    "numeric(18,2)": pa.decimal128(18, 2),
    "numeric(12,6)": pa.decimal128(12, 6),
    "integer": pa.int32(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
}
LOGICAL_TYPES = {
    "varchar": "string",
    "numeric(18,2)": "number",
    "numeric(12,6)": "number",
    "integer": "integer",
    "boolean": "boolean",
    "date": "date",
}

# The columns that the tables of versions end with; events have no row_hash. A file may bring known_at itself.
TECHNICAL_FIELDS = [
    pa.field("row_hash", pa.string()),
    pa.field("batch_id", pa.string()),
    pa.field("batch_no", pa.int32()),
    pa.field("loaded_at", pa.timestamp("us")),
    pa.field("known_at", pa.timestamp("us")),
    pa.field("is_known_at_assumed", pa.bool_()),
]


@dataclass(frozen=True)
class Column:
    """One column of an entity and the rules for its values."""

    name: str
    physical_type: str
    description: str
    is_required: bool = False
    is_personal: bool = False
    allowed: tuple[str, ...] = ()
    pattern: str | None = None
    minimum: float | None = None
    exclusive_minimum: float | None = None
    maximum: float | None = None
    parent: str | None = None
    year_kept_as: str | None = None

    @property
    def arrow_type(self) -> pa.DataType:
        return ARROW_TYPES[self.physical_type]


@dataclass(frozen=True)
class Contract:
    """One entity: its columns, key, kind, business date and rules."""

    entity: str
    kind: Literal["event", "version"]
    business_date: str
    is_required_in_history: bool
    description: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def raw_table(self) -> str:
        return f"raw.{self.entity}"

    @property
    def restricted_table(self) -> str:
        return f"restricted.{self.entity}"

    @property
    def key_table(self) -> str:
        """Where loaded rows are looked up by key. A hash of personal data is personal too."""
        return self.restricted_table if self.has_personal else self.raw_table

    @property
    def compared_columns(self) -> tuple[str, ...]:
        """Columns of `key_table` that tell whether a loaded row says the same as one that arrives."""
        if self.kind == "version":
            return ("row_hash",)
        return tuple(name for name in self.column_names if name not in self.key)

    @cached_property
    def has_personal(self) -> bool:
        return any(column.is_personal for column in self.columns)

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @cached_property
    def parents(self) -> dict[str, str]:
        """Column name to the entity whose key it must be found in."""
        return {column.name: column.parent for column in self.columns if column.parent}

    @cached_property
    def raw_schema(self) -> pa.Schema:
        """Columns of `raw.<entity>`: no personal column; of a personal date at most its year."""
        fields = []
        for column in self.columns:
            if not column.is_personal:
                has_many = column.name in self.key or column.name in self.parents
                is_text = column.physical_type == "varchar"
                metadata = MANY_VALUES if has_many and is_text else None
                fields.append(pa.field(column.name, column.arrow_type, metadata=metadata))
            elif column.year_kept_as:
                fields.append(pa.field(column.year_kept_as, pa.int32()))
        has_hash = self.kind == "version" and not self.has_personal
        technical = TECHNICAL_FIELDS if has_hash else TECHNICAL_FIELDS[1:]
        return pa.schema(fields + technical)

    @cached_property
    def restricted_schema(self) -> pa.Schema:
        """Columns of `restricted.<entity>`: key, personal columns, the version, technical columns."""
        names = [
            *self.key,
            *(column.name for column in self.columns if column.is_personal),
            *(["valid_from"] if self.kind == "version" else []),
        ]
        types = {column.name: column.arrow_type for column in self.columns}
        return pa.schema([pa.field(name, types[name]) for name in names] + TECHNICAL_FIELDS)


def load_contracts(folder: Path = CONTRACTS_FOLDER) -> dict[str, Contract]:
    """All contracts by entity, parents before children.

    Raises ContractError that names the file and the field of every fault.
    """
    faults: list[str] = []
    contracts: dict[str, Contract] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            contract = _read_contract(path)
            contracts[contract.entity] = contract
        except ContractError as error:
            faults += error.faults
    if not contracts and not faults:
        faults.append(f"{folder}: no contract (*.yaml) found")
    if not faults:
        faults += _parent_faults(contracts)
    if faults:
        raise ContractError(faults)
    graph = {entity: sorted(set(contract.parents.values())) for entity, contract in contracts.items()}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise ContractError(
            f"contracts: relationships run in a circle: {' -> '.join(error.args[1])}"
        ) from None
    return {entity: contracts[entity] for entity in order}


def _parent_faults(contracts: Mapping[str, Contract]) -> list[str]:
    faults = []
    for contract in contracts.values():
        for column, parent in contract.parents.items():
            if parent not in contracts:
                faults.append(f"{contract.entity}.yaml: {column}: relationships: no contract {parent}.yaml")
            elif len(contracts[parent].key) != 1:
                faults.append(
                    f"{contract.entity}.yaml: {column}: relationships: {parent} has a composite key"
                )
    return faults


class _Fields:
    """A mapping of a contract file that names file and field when something is missing or wrong."""

    def __init__(self, file: str, where: str, content: Any) -> None:
        if not isinstance(content, dict):
            raise ContractError(
                f"{file}: {where or 'document'}: expected a mapping, found {type(content).__name__}"
            )
        self.file, self.where, self.content = file, where, content

    def error(self, field: str, problem: str) -> ContractError:
        return ContractError(f"{self.file}: {self.where}{field}: {problem}")

    def get(self, field: str, kind: type | tuple[type, ...], default: Any = ...) -> Any:
        value = self.content.get(field, default)
        if value is ...:
            raise self.error(field, "missing")
        if value is not default and not isinstance(value, kind):
            raise self.error(field, f"{value!r} is not of the expected type")
        return value

    def one_of(self, field: str, choices: tuple[str, ...]) -> str:
        value = self.get(field, str)
        if value not in choices:
            raise self.error(field, f"{value!r} is not one of {', '.join(choices)}")
        return str(value)

    def custom(self, default: dict[str, Any] | None = None) -> _Fields:
        pairs = self.get("customProperties", list, [])
        merged = dict(default or {})
        for pair in pairs:
            fields = _Fields(self.file, f"{self.where}customProperties: ", pair)
            merged[fields.get("property", str)] = fields.content.get("value")
        return _Fields(self.file, f"{self.where}customProperties.", merged)


def _read_contract(path: Path) -> Contract:
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ContractError(f"{path.name}: not YAML: {error}") from None
    top = _Fields(path.name, "", document)
    if not top.get("apiVersion", str).startswith("v3.1"):
        raise top.error("apiVersion", "expected v3.1.x of the Open Data Contract Standard")
    top.one_of("kind", ("DataContract",))
    for field in ("id", "version", "status"):
        top.get(field, str)
    entity = top.get("name", str)
    if entity != path.stem:
        raise top.error("name", f"{entity!r} differs from the file name")
    custom = top.custom()
    schema = top.get("schema", list)
    if len(schema) != 1:
        raise top.error("schema", f"expected one table, found {len(schema)}")
    table = _Fields(path.name, "schema[0].", schema[0])
    keys: dict[int, str] = {}
    columns = []
    for content in table.get("properties", list):
        name = content.get("name", "?") if isinstance(content, dict) else "?"
        fields = _Fields(path.name, f"{name}: ", content)
        columns.append(_read_column(fields))
        if fields.get("primaryKey", bool, False):
            keys[fields.get("primaryKeyPosition", int)] = name
    contract = Contract(
        entity=entity,
        kind="event" if custom.one_of("entityKind", ("event", "version")) == "event" else "version",
        business_date=custom.get("businessDate", str),
        is_required_in_history=custom.get("requiredInHistory", bool, False),
        description=" ".join(
            _Fields(path.name, "description.", top.get("description", dict)).get("purpose", str).split()
        ),
        grain=table.get("dataGranularityDescription", str),
        key=tuple(name for _, name in sorted(keys.items())),
        columns=tuple(columns),
    )
    if len(set(contract.column_names)) != len(columns):
        raise table.error("properties", "a column is declared twice")
    if not contract.key:
        raise table.error("properties", "no column is primaryKey")
    dates = [column.name for column in columns if column.physical_type == "date"]
    if contract.business_date not in dates:
        raise custom.error("businessDate", f"{contract.business_date!r} is not a date column")
    if contract.kind == "event" and contract.has_personal:
        # Repeated events are compared column by column in raw, where no personal column is.
        raise custom.error("entityKind", "an entity with personal columns has to be a version")
    if contract.kind == "version" and "valid_from" not in dates:
        raise table.error("properties", "a version entity needs the date column valid_from")
    return contract


def _read_column(fields: _Fields) -> Column:
    name = fields.get("name", str)
    physical_type = fields.one_of("physicalType", tuple(ARROW_TYPES))
    fields.one_of("logicalType", (LOGICAL_TYPES[physical_type],))
    options = _Fields(
        fields.file, f"{fields.where}logicalTypeOptions.", fields.get("logicalTypeOptions", dict, {})
    )
    allowed: tuple[str, ...] = ()
    for number, content in enumerate(fields.get("quality", list, [])):
        rule = _Fields(fields.file, f"{fields.where}quality[{number}].", content)
        rule.one_of("metric", ("invalidValues",))
        arguments = _Fields(fields.file, f"{rule.where}arguments.", rule.get("arguments", dict))
        values = arguments.get("validValues", list)
        if not all(isinstance(value, str) for value in values):
            raise arguments.error("validValues", "every value must be text: put quotes around it")
        allowed = tuple(values)
    parent = None
    for number, content in enumerate(fields.get("relationships", list, [])):
        to = _Fields(fields.file, f"{fields.where}relationships[{number}].", content).get("to", str)
        parent = to.partition("#")[2].partition(".")[0]
        if to.partition(".yaml#")[0] != parent or not parent:
            raise fields.error("relationships", f"{to!r} is not <entity>.yaml#<entity>.<key column>")
    custom = fields.custom()
    number_types = (int, float)
    return Column(
        name=name,
        physical_type=physical_type,
        description=" ".join(fields.get("description", str).split()),
        is_required=fields.get("required", bool, False) or fields.get("primaryKey", bool, False),
        is_personal=fields.get("classification", str, "") == "restricted",
        allowed=allowed,
        pattern=options.get("pattern", str, None),
        minimum=options.get("minimum", number_types, None),
        exclusive_minimum=options.get("exclusiveMinimum", number_types, None),
        maximum=options.get("maximum", number_types, None),
        parent=parent,
        year_kept_as=custom.get("yearKeptAs", str, None),
    )
