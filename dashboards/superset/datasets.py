"""The tables that dashboards may read, with their columns: marts by dbt's contracts, ops by the warehouse."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from dashboards.superset.spec import SpecError
from warehouse.publish import PUBLIC_MARTS
from warehouse.schema import OPS_TABLES
from warehouse.settings import PROJECT_ROOT

MODELS = PROJECT_ROOT / "dbt_project" / "models" / "marts"
# Of ops what the role keepwell_bi_reader may read and people want to see; no rejected rows, no audit log.
OPS_FOR_READERS = (
    "publications", "test_results", "build_results", "batches", "batch_files", "training_runs", "experiments",
    "model_metrics", "model_monitoring", "health_checks",
)  # fmt: skip
# The loader in C takes a tenth of the time.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TEMPORAL = ("date", "timestamp")
_COLUMN = re.compile(r"^\s*([a-z_0-9]+) (varchar|integer|bigint|double precision|boolean|date|timestamp)\b")


@dataclass(frozen=True)
class Table:
    """A table that BI may read: `marts.fct_kpis`; columns by name with their SQL types."""

    schema: str
    name: str
    description: str
    columns: dict[str, str]

    @property
    def currency_column(self) -> str | None:
        """The column that says in which currency its amounts are."""
        return "currency_code" if "currency_code" in self.columns else None


def table(name: str) -> Table:
    """A table by its name with schema. Raises SpecError for one that dashboards may not read."""
    schema, _, bare = name.partition(".")
    if schema in ("marts", "history") and bare in PUBLIC_MARTS:
        description, columns = _contracts()[bare]
        return Table(schema, bare, description, columns)
    if schema == "ops" and bare in OPS_FOR_READERS:
        return Table(schema, bare, "", _ops_columns(OPS_TABLES[name]))
    raise SpecError(
        f"{name}: dashboards read public marts (PUBLIC_MARTS, as marts.* or history.*) and of ops "
        f"{', '.join(OPS_FOR_READERS)}"
    )


@cache
def _contracts() -> dict[str, tuple[str, dict[str, str]]]:
    """Mart to description and columns of its contract."""
    found: dict[str, tuple[str, dict[str, str]]] = {}
    for path in sorted(MODELS.rglob("_*__models.yml")):
        models: list[dict[str, Any]] = yaml.load(path.read_text(encoding="utf-8"), _LOADER)["models"]  # noqa: S506
        for model in models:
            columns = {column["name"]: column.get("data_type", "") for column in model.get("columns", [])}
            found[model["name"]] = (" ".join(model.get("description", "").split()), columns)
    return found


def _ops_columns(definition: str) -> dict[str, str]:
    found = (_COLUMN.match(line) for line in definition.splitlines())
    return {match[1]: match[2] for match in found if match}


def branch_tables() -> list[str]:
    """Names of the marts whose rows say of which branch they are."""
    return [
        f"{schema}.{mart}"
        for schema in ("marts", "history")
        for mart in PUBLIC_MARTS
        if "branch_id" in _contracts()[mart][1]
    ]
