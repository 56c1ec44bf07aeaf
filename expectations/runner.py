"""Runs a suite with Great Expectations: an ephemeral context, no telemetry, no values of customers read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Any

# Read when Great Expectations is imported, so it has to stand before that.
os.environ["GX_ANALYTICS_ENABLED"] = "false"

import great_expectations as gx
import pandas as pd
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.validator.v1_validator import Validator

from expectations import arrival, leakage, marts, panel, scores
from expectations.asset import Asset
from expectations.results import TestResult
from warehouse import Warehouse, WarehouseError
from warehouse.runs import Run

SUITES: dict[str, Callable[[Warehouse, Run], list[Asset]]] = {
    "arrival": arrival.assets,
    "marts": marts.assets,
    "scores": scores.assets,
    "panel": panel.assets,
    "leakage": leakage.assets,
}

SHOWN_ROWS = 5  # how many rows of counts a message shows


class Runner:
    """Great Expectations on the counts of one warehouse, read through its door."""

    def __init__(self, wh: Warehouse) -> None:
        """Take the open warehouse."""
        self._warehouse = wh
        context = gx.get_context(mode="ephemeral")
        context.enable_analytics(False)
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        self._counts = context.data_sources.add_pandas("counts")
        self._count_assets = 0

    def validate(self, asset: Asset) -> list[TestResult]:
        """Hold an asset against its expectations, one result each, in the order of the suite."""
        lacking = [relation for relation in asset.reads if not self._warehouse.exists(relation)]
        if lacking:
            return _not_evaluated(asset, f"{', '.join(lacking)} does not exist")
        try:
            rows = self._warehouse.query(asset.query).to_pandas()
        except WarehouseError as fault:
            return _not_evaluated(asset, without_values(str(fault)))
        outcomes = self._outcomes(asset, rows)
        order = [expectation.meta["name"] for expectation in asset.expectations]
        return sorted(
            (_result(asset, outcome) for outcome in outcomes),
            key=lambda result: order.index(result.test_name),
        )

    def _outcomes(self, asset: Asset, rows: pd.DataFrame) -> Sequence[Any]:
        self._count_assets += 1
        name = f"{asset.relation}_{self._count_assets}"
        suite = gx.ExpectationSuite(name=name, expectations=list(asset.expectations))
        batch = self._counts.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
        result_format = {"result_format": "BASIC", "partial_unexpected_count": SHOWN_ROWS}
        validator = Validator(batch, result_format, batch_parameters={"dataframe": rows})
        outcomes: Sequence[Any] = validator.validate_expectation_suite(suite).results
        return outcomes


def run_suite(wh: Warehouse, assets: Sequence[Asset]) -> list[TestResult]:
    """Validate every asset; the expectations of one that reads a missing relation become errors."""
    runner = Runner(wh)
    return [result for asset in assets for result in runner.validate(asset)]


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
        message += f"; {asset.remedy}" * bool(asset.remedy)
    return TestResult(config.meta["name"], asset.relation, severity, status, failures, message)


def _finding(asset: Asset, result: dict[str, Any]) -> tuple[int, str]:
    """How many rows broke the expectation, in words, or the counts that broke it."""
    if "unexpected_count" not in result:
        return 1, f"found {result.get('observed_value')}"
    shown = result.get("partial_unexpected_list", [])
    if asset.counts_rows:
        sound, rows = (int(count) for count in shown[0])
        return rows - sound, f"{rows - sound} of {rows} rows"
    failures = int(result["unexpected_count"])
    message = f"{failures} of {result['element_count']} rows"
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
