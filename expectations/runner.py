"""Runs a suite with Great Expectations: an ephemeral context, no telemetry, no values of customers kept."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Sequence
from typing import Any

# Read when Great Expectations is imported, so it has to stand before that.
os.environ["GX_ANALYTICS_ENABLED"] = "false"

import great_expectations as gx
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.datasource.fluent import SQLDatasource
from great_expectations.execution_engine import sqlalchemy_execution_engine

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
        self._source: SQLDatasource = self._context.data_sources.add_sql(
            "warehouse",
            # A dollar in a password would be read as a variable to substitute.
            connection_string=url.replace("$", r"\$"),
            # Great Expectations learns a query's columns by running it whole and reading none of its rows; a
            # streamed result keeps sixty million of them on the server.
            kwargs={"execution_options": {"stream_results": True}},
        )
        self._count_assets = 0

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.get_execution_engine().close()
        self._source.get_engine().dispose()

    def validate(self, asset: Asset) -> list[TestResult]:
        """Hold an asset against its expectations, one result each, in the order of the suite."""
        self._count_assets += 1
        batch = (
            # Wrapped, because a query asset has to start with "select" and may not with "with".
            self._source.add_query_asset(
                f"{asset.relation}_{self._count_assets}", query=f"select * from ({asset.query}) as looked_at"
            )
            .add_batch_definition_whole_table("all")
            .get_batch()
        )
        suite = gx.ExpectationSuite(name=asset.relation, expectations=list(asset.expectations))
        result_format = {
            "result_format": "BASIC",
            "partial_unexpected_count": 0 if asset.holds_customers else SHOWN_ROWS,
        }
        found = [
            _result(asset, outcome) for outcome in batch.validate(suite, result_format=result_format).results
        ]
        order = [expectation.meta["name"] for expectation in asset.expectations]
        return sorted(found, key=lambda result: order.index(result.test_name))


def run_suite(wh_url: str, assets: Sequence[Asset], missing: set[str]) -> list[TestResult]:
    """Validate every asset; the expectations of one that reads a `missing` relation become errors."""
    results = []
    with Runner(wh_url) as runner:
        for asset in assets:
            lacking = [relation for relation in asset.reads if relation in missing]
            if lacking:
                results += [_not_evaluated(asset, expectation, lacking) for expectation in asset.expectations]
            else:
                results += runner.validate(asset)
    return results


def _not_evaluated(asset: Asset, expectation: Any, lacking: Sequence[str]) -> TestResult:
    return TestResult(
        test_name=expectation.meta["name"],
        relation=asset.relation,
        severity="error",
        status="error",
        failures=None,
        message=f"not evaluated: {', '.join(lacking)} does not exist",
    )


def _severity(severity: Any) -> str:
    return "warn" if severity == "warning" else "error"


def _result(asset: Asset, outcome: Any) -> TestResult:
    """Great Expectations' outcome as ours.

    An expectation that raised is an error whatever its severity was: a check that cannot look has not passed.
    """
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
    """The kind of exception an expectation raised, None when it did not.

    Only the first line and no further than its first quotation: a driver's message may cite a row.
    """
    for entry in [info, *(info or {}).values()]:
        if isinstance(entry, dict) and entry.get("raised_exception"):
            first_line = str(entry.get("exception_message", "")).strip().splitlines()[:1]
            return "not evaluated: " + (first_line[0][:160] if first_line else "unknown error")
    return None
