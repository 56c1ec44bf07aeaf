"""Banks to load, on both engines or on the quick one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.ingest.bank import Bank
from warehouse import Settings, open_warehouse, schema


@pytest.fixture
def bank_here(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Bank:
    """An empty warehouse on each engine in turn."""
    return empty_bank(replace(settings, source="canonical"), capsys)


@pytest.fixture
def quick_bank(duckdb_settings: Settings, capsys: pytest.CaptureFixture[str]) -> Bank:
    """An empty warehouse on DuckDB, for what no engine has a say in."""
    return empty_bank(replace(duckdb_settings, source="canonical"), capsys)


def empty_bank(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Bank:
    """The bank of the settings, with an initialised warehouse."""
    with open_warehouse(settings) as wh:
        schema.ensure(wh)
    return Bank(settings, capsys)
