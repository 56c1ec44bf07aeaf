"""A synthetic bank for the churn model: month-ends with a planted reason to leave, and runs to carry them."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from rich.progress import Progress

from ml.churn.params import Candidate, Params, load_params
from warehouse import Settings, open_warehouse

AS_OF = dt.date(2026, 10, 31)
Frames = Callable[..., pa.Table]


def month_ends(last: dt.date, count: int) -> list[dt.date]:
    """`count` month-ends, the newest on or before `last`, oldest first."""
    found: list[dt.date] = []
    year, month = last.year, last.month
    while len(found) < count:
        day = dt.date(year, month, calendar.monthrange(year, month)[1])
        if day <= last:
            found.append(day)
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    return found[::-1]


def feature_columns(params: Params, rows: int, rng: np.random.Generator) -> dict[str, Any]:
    """Every declared feature: amounts long-tailed and of both signs, a tenth of the values null."""
    columns: dict[str, Any] = {}
    for feature in params.features:
        null = rng.random(rows) < 0.1
        if feature.is_category:
            words = ["high", "mid", "low"] if feature.name == "value_tier" else ["personal", "small_business"]
            columns[feature.name] = pa.array(rng.choice(words, rows), pa.string(), mask=null)
        elif feature.kind in ("count", "days"):
            columns[feature.name] = pa.array(rng.poisson(20, rows).astype(float), mask=null)
        elif feature.kind == "amount":
            columns[feature.name] = pa.array(np.round(rng.lognormal(8, 2, rows) - 500, 2), mask=null)
        else:
            columns[feature.name] = pa.array(np.round(rng.random(rows), 6), mask=null)
    # This bank has no loans: a source that lacks gives nulls only.
    columns["max_days_past_due_180d"] = pa.nulls(rows, pa.float64())
    return columns


def churn_odds(columns: dict[str, Any]) -> np.ndarray[Any, Any]:
    """(rows,) the planted log-odds: silence and few transactions drive customers away."""
    silence = columns["days_since_last_activity"].fill_null(20).to_numpy()
    transactions = columns["count_transactions_90d"].fill_null(20).to_numpy()
    return -3.2 + 0.3 * (silence - 20) - 0.2 * (transactions - 20)


@pytest.fixture(scope="session")
def params() -> Params:
    """The parameters that ship."""
    return load_params()


@pytest.fixture(scope="session")
def quick(params: Params) -> Params:
    """The shipped parameters with one setting a candidate, and a forest of few trees."""
    candidates = []
    for candidate in params.candidates:
        grid = {key: values[:1] for key, values in candidate.grid.items()}
        candidates.append(
            Candidate(candidate.name, grid | ({"n_estimators": [20]} if "n_estimators" in grid else {}))
        )
    return replace(params, candidates=tuple(candidates))


@pytest.fixture(scope="session")
def make_features(params: Params) -> Frames:
    """A fct_customer_features table: rows, as_of_date, seed."""

    def make(rows: int = 300, as_of_date: dt.date = AS_OF, seed: int = 1) -> pa.Table:
        rng = np.random.default_rng(seed)
        keys = {
            "as_of_date": pa.array([as_of_date] * rows, pa.date32()),
            "customer_id": [f"c{number:05d}" for number in range(rows)],
            "is_eligible": pa.array(rng.random(rows) < 0.9),
        }
        return pa.table(keys | feature_columns(params, rows, rng))

    return make


@pytest.fixture(scope="session")
def make_panel(params: Params) -> Frames:
    """A churn_panel table: the newest months are immature, the others' labels drawn from churn_odds()."""

    def make(customers: int = 700, months: int = 12, last: dt.date = AS_OF, seed: int = 7) -> pa.Table:
        rng = np.random.default_rng(seed)
        dates = np.repeat(np.array(month_ends(last, months), dtype=object), customers)
        rows = len(dates)
        columns = feature_columns(params, rows, rng)
        churned = rng.random(rows) < 1 / (1 + np.exp(-churn_odds(columns)))
        is_mature = np.array([day + dt.timedelta(days=120) <= last for day in dates])
        keys = {
            "as_of_date": pa.array(dates, pa.date32()),
            "customer_id": [f"c{number:05d}" for number in range(customers)] * months,
            "label_status": np.where(is_mature, "mature", "immature"),
            "is_churned": pa.array(churned.astype(np.int32), pa.int32(), mask=~is_mature),
            "observation_complete": pa.array([True] * rows),
        }
        return pa.table(keys | columns)

    return make


@pytest.fixture(autouse=True)
def _no_mlflow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings of tests are not logged to MLflow, which takes seconds to make a store, unless marked so."""
    if "with_mlflow" not in request.fixturenames:
        monkeypatch.setattr("ml.churn.tracking.log_training", lambda *_: None)


@pytest.fixture
def with_mlflow() -> None:
    """For the tests of the log itself."""


@pytest.fixture
def progress() -> Progress:
    """A progress display that shows nothing."""
    return Progress(disable=True)


@dataclass(frozen=True)
class Bank:
    """Puts runs and their tables into a warehouse, as the other rooms would."""

    settings: Settings

    def add_run(self, run_id: str, kind: str, as_of_date: dt.date = AS_OF, **tables: pa.Table) -> str:
        """A started run with its schema and the given tables in it; the run_id."""
        dates = {"as_of_date": [as_of_date], "knowledge_cutoff_on": [as_of_date]}
        with open_warehouse(self.settings) as wh:
            wh.append("ops.run_dates", pa.table({"run_id": [run_id], **dates}))
            run = {"run_id": [run_id], "run_key": [run_id], "kind": [kind], "status": ["started"], **dates}
            wh.append("ops.runs", pa.table(run | {"started_at": [dt.datetime(2026, 11, 1)]}))
            wh.execute(f"create schema {run_id}")
        for name, table in tables.items():
            self.add_table(f"{run_id}.{name}", table)
        return run_id

    def add_table(self, name: str, table: pa.Table) -> None:
        """A new table with these rows."""
        with open_warehouse(self.settings) as wh:
            wh.create_table(name, table.schema)
            wh.append(name, table)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """What a select gives."""
        with open_warehouse(self.settings) as wh:
            found: list[dict[str, Any]] = wh.query(sql).to_pylist()
            return found


@pytest.fixture
def bank(settings: Settings) -> Bank:
    """A bank on each engine in turn."""
    return Bank(settings)


@pytest.fixture
def make_bank() -> Callable[[Settings], Bank]:
    """For tests that name their engine."""
    return Bank
