"""Runs a suite with Great Expectations: an ephemeral context, no telemetry, no values of customers kept."""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Callable, Sequence
from typing import Any

# Read when Great Expectations is imported, so it has to stand before that.
os.environ["GX_ANALYTICS_ENABLED"] = "false"

import great_expectations as gx
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.datasource.fluent import SQLDatasource
from great_expectations.execution_engine import sqlalchemy_execution_engine
from great_expectations.validator.v1_validator import Validator
from sqlalchemy.exc import SQLAlchemyError

from expectations import arrival, marts, scores
from expectations.asset import Asset
from expectations.results import TestResult
from warehouse import Warehouse
from warehouse.runs import Run

SUITES: dict[str, Callable[[Warehouse, Run], list[Asset]]] = {
    "arrival": arrival.assets,
    "marts": marts.assets,
    "scores": scores.assets,
}

# How many of an aggregate's rows a message shows. Rows of customers are never fetched: limit 0.
SHOWN_ROWS = 5


class _Dialect(enum.StrEnum):
    """Both engines, as Great Expectations names dialects; it does not know the second."""

    POSTGRESQL = "postgresql"
    DUCKDB = "duckdb"


# Outside this list Great Expectations closes a connection before it has read the result: DuckDB loses it, and
# PostgreSQL the server-side cursor that a streamed result is.
sqlalchemy_execution_engine._PERSISTED_CONNECTION_DIALECTS = (
    *sqlalchemy_execution_engine._PERSISTED_CONNECTION_DIALECTS,
    *_Dialect,
)


class Runner:
    """Great Expectations on one warehouse; use as a context manager, which closes its connections."""

    def __init__(self, url: str) -> None:
        """Take a SQLAlchemy URL of the warehouse."""
        self._context = gx.get_context(mode="ephemeral")
        self._context.enable_analytics(False)
        self._context.variables.progress_bars = ProgressBarsConfig(globally=False)
        # A dollar in a password would be read as a variable to substitute.
        address = url.replace("$", r"\$")
        # Great Expectations learns a query's columns by running it whole and reading none of its rows; a
        # streamed result keeps sixty million of them on the server.
        self._customers: SQLDatasource = self._context.data_sources.add_sql(
            "customers", connection_string=address, kwargs={"execution_options": {"stream_results": True}}
        )
        # It also runs a query anew for every few expectations: what takes a long scan to count is kept, once.
        self._aggregates: SQLDatasource = self._context.data_sources.add_sql(
            "aggregates", connection_string=address, create_temp_table=True
        )
        self._count_assets = 0

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        for source in (self._customers, self._aggregates):
            source.get_execution_engine().close()
            source.get_engine().dispose()

    def validate(self, asset: Asset) -> list[TestResult]:
        """Hold an asset against its expectations, one result each, in the order of the suite."""
        self._count_assets += 1
        source = self._customers if asset.holds_customers else self._aggregates
        name = f"{asset.relation}_{self._count_assets}"
        # Wrapped, because a query asset has to start with "select" and may not with "with".
        query_asset = source.add_query_asset(name, query=f"select * from ({asset.query}) as looked_at")
        suite = gx.ExpectationSuite(name=name, expectations=list(asset.expectations))
        result_format = {
            "result_format": "BASIC",
            "partial_unexpected_count": 0 if asset.holds_customers else SHOWN_ROWS,
        }
        try:
            # Not through a Batch, which would read the asset once to be made and once to be validated.
            rows = query_asset.add_batch_definition_whole_table("all")
            outcomes = Validator(rows, result_format).validate_expectation_suite(suite).results
        except SQLAlchemyError as fault:
            return _not_evaluated(asset, without_values(str(fault)))
        order = [expectation.meta["name"] for expectation in asset.expectations]
        return sorted(
            (_result(asset, outcome) for outcome in outcomes),
            key=lambda result: order.index(result.test_name),
        )


def run_suite(wh_url: str, assets: Sequence[Asset], missing: set[str]) -> list[TestResult]:
    """Validate every asset; the expectations of one that reads a `missing` relation become errors."""
    results = []
    with Runner(wh_url) as runner:
        for asset in assets:
            lacking = [relation for relation in asset.reads if relation in missing]
            if lacking:
                results += _not_evaluated(asset, f"{', '.join(lacking)} does not exist")
            else:
                results += runner.validate(asset)
    return results


def _not_evaluated(asset: Asset, reason: str) -> list[TestResult]:
    """An error for every expectation, whatever its severity was: a check that cannot look has not passed."""
    return [
        TestResult(
            test_name=expectation.meta["name"],
            relation=asset.relation,
            severity="error",
            status="error",
            failures=None,
            message=f"not evaluated: {reason}",
        )
        for expectation in asset.expectations
    ]


def _severity(severity: Any) -> str:
    return "warn" if severity == "warning" else "error"


def _result(asset: Asset, outcome: Any) -> TestResult:
    """Great Expectations' outcome as ours; one that raised is an error, as in `_not_evaluated`."""
    config = outcome.expectation_config
    severity = _severity(config.severity)
    raised = _exception(outcome.exception_info)
    if raised is not None:
        severity, status, failures, message = "error", "error", None, raised
    elif outcome.success:
        status, failures, message = "pass", 0, ""
    else:
        status = "warn" if severity == "warn" else "fail"
        failures, message = _finding(asset, outcome.result)
    return TestResult(config.meta["name"], asset.relation, severity, status, failures, message)


def _finding(asset: Asset, result: dict[str, Any]) -> tuple[int, str]:
    """How many rows broke the expectation, in words; what they held only where they are aggregates."""
    if "unexpected_count" not in result:
        return 1, f"found {result.get('observed_value')}"
    failures = int(result["unexpected_count"])
    message = f"{failures} of {result['element_count']} rows"
    shown = [] if asset.holds_customers else result.get("partial_unexpected_list", [])
    if shown:
        message += ": " + ", ".join(_words(value) for value in shown)
    return failures, message


def _words(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " against ".join(_words(part) for part in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _exception(info: dict[str, Any] | None) -> str | None:
    """What an expectation raised, None when it did not."""
    for entry in [info, *(info or {}).values()]:
        if isinstance(entry, dict) and entry.get("raised_exception"):
            return "not evaluated: " + without_values(str(entry.get("exception_message", "")))
    return None


def without_values(message: str) -> str:
    """The first line of an engine's message, without what it quotes, which may come from a row; a quotation
    that reads like the name of a column or table stays."""
    first_line = (message.strip().splitlines() or ["unknown error"])[0]
    return re.sub(r"""(["'])(?![a-z_][a-z0-9_.]*\1).*?\1""", "'...'", first_line)[:200]
