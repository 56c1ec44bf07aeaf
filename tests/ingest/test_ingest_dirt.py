"""A dirty bank of the simulator through the real ingest: each fault meets its fate, and no other row does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingest.contracts import load_contracts
from simulator.__main__ import main
from tests.ingest.bank import tuples
from warehouse import Settings, open_warehouse, schema
from warehouse.settings import PROJECT_ROOT

# Five months of history, then three monthly deliveries: large enough for every kind of fault.
ARGUMENTS = ("--customers", "800", "--months", "8", "--every", "month", "--deliveries", "3")
DIRT = ("--dirt", "0.04")
HISTORY, SKIPPED, AFTER_SKIPPED = date(2026, 7, 31), date(2026, 8, 31), date(2026, 9, 30)
LAST, REPEATED, BADLY_ENCODED = date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 2)
KINDS = {
    "identical_duplicate", "identical_duplicate_later",
    "conflicting_duplicate", "conflicting_duplicate_later", "orphan", "nul_character", "mojibake",
    "wrong_type", "missing_value", "negative_number",
    "date_in_the_future", "known_in_the_future", "reversal_of_unknown", "closed_before_opened", "late",
    "skipped_day", "delivered_twice",
}  # fmt: skip
EXTRA_ROWS_CARRIED = ("reversal_of_unknown", "closed_before_opened")

Rows = dict[str, list[tuple[Any, ...]]]
Made = Callable[..., Path]
CONTRACTS = load_contracts()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Makes a bank once for each set of arguments; its truth lies beside it."""
    folders: dict[tuple[str, ...], Path] = {}

    def make(*arguments: str) -> Path:
        if arguments not in folders:
            folders[arguments] = tmp_path_factory.mktemp("bank") / "landing"
            assert main(["--out", str(folders[arguments]), *ARGUMENTS, *arguments]) == 0
        return folders[arguments]

    return make


@pytest.fixture(scope="module")
def clean_rows(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """What raw holds of the same bank without dirt."""
    settings = Settings(home=tmp_path_factory.mktemp("clean"), target="duckdb", source="canonical")
    with open_warehouse(settings) as wh:
        schema.init(wh)
    loaded = load(settings, made())
    assert loaded.returncode == 0, loaded.stderr
    return raw_rows(settings)


def load(settings: Settings, landing: Path, as_of: date = REPEATED) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ingest", "load", "--source", "canonical", "--landing", str(landing)]
    return subprocess.run(
        [*command, "--as-of", as_of.isoformat()],
        cwd=PROJECT_ROOT, env={**os.environ, **settings.environment()},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def query(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with open_warehouse(settings) as wh:
        return tuples(wh.query(sql))


def raw_rows(settings: Settings) -> Rows:
    """Rows of raw by entity, known_at as the last column, without what tells of their batch."""
    rows = {}
    for entity, contract in CONTRACTS.items():
        names = [field.name for field in contract.raw_schema]
        names = [name for name in names[: names.index("batch_id")] if name != "row_hash"]
        rows[entity] = query(settings, f"select {', '.join(names)}, known_at from {contract.raw_table}")
    return rows


def planted(landing: Path, where: str = "true") -> list[dict[str, Any]]:
    """What the simulator says that it planted."""
    path = landing.with_name("landing.truth") / "planted_faults.parquet"
    return duckdb.sql(f"select * from read_parquet('{path}') where {where}").to_arrow_table().to_pylist()


def delivered_on(file_name: str) -> date:
    return date.fromisoformat(file_name.partition("/")[0])


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_every_kind_of_fault_is_planted(made: Made, file_format: str) -> None:
    landing = made(*DIRT, "--format", file_format)
    kinds = Counter(fault["fault"] for fault in planted(landing))
    assert set(kinds) == KINDS
    assert {kind: number for kind, number in kinds.items() if number < 3} == {}
    reasons = {fault["reason_code"] for fault in planted(landing, "fate = 'rejected'")}
    assert reasons == {"type", "range", "enum", "required", "orphan", "conflicting_duplicate"}
    folders = {path.name for path in landing.iterdir() if path.is_dir()}
    assert folders == {day.isoformat() for day in (HISTORY, AFTER_SKIPPED, LAST, REPEATED)}


@pytest.mark.parametrize(
    ("engine", "file_format"), [("duckdb", "parquet"), ("duckdb", "csv"), ("postgres", "parquet")]
)
def test_each_planted_fault_meets_its_fate_and_no_other_row_does(
    engine: str, file_format: str, made: Made, clean_rows: Rows, request: pytest.FixtureRequest
) -> None:
    settings = replace(request.getfixturevalue(f"{engine}_settings"), source="canonical")
    landing = made(*DIRT, "--format", file_format)
    loaded = load(settings, landing)
    assert loaded.returncode == 0, loaded.stderr
    assert_rejected_as_planted(settings, landing)
    assert_duplicates_as_planted(settings, landing)
    assert_raw_is_the_clean_bank_and_what_is_carried(raw_rows(settings), clean_rows, landing)


def assert_rejected_as_planted(settings: Settings, landing: Path) -> None:
    found = query(
        settings, "select file_name, entity, line_no, column_name, reason_code from ops.rejected_rows"
    )
    expected = [
        (fault["delivery"], fault["entity"], fault["line_no"], fault["column_name"], fault["reason_code"])
        for fault in planted(landing, "fate = 'rejected'")
    ]
    assert Counter((delivered_on(name), *rest) for name, *rest in found) == Counter(expected)


def assert_duplicates_as_planted(settings: Settings, landing: Path) -> None:
    found = query(settings, "select file_name, entity, rows_duplicate from ops.batch_files")
    expected: Counter[tuple[date, str]] = Counter()
    for fault in planted(landing, "fate = 'deduplicated'"):
        expected[fault["delivery"], fault["entity"]] += fault["rows"]
    assert {(delivered_on(name), entity): rows for name, entity, rows in found if rows} == dict(expected)


def assert_raw_is_the_clean_bank_and_what_is_carried(rows: Rows, clean: Rows, landing: Path) -> None:
    """Every good row, changed in nothing but, where it came late or its day was skipped, in known_at."""
    carried = {
        (fault["entity"], fault["key"]) for fault in planted(landing, f"fault in {EXTRA_ROWS_CARRIED}")
    }
    late = {(fault["entity"], fault["key"]): fault for fault in planted(landing, "fault = 'late'")}
    skipped = 0
    for entity, contract in CONTRACTS.items():
        key = contract.column_names.index(contract.key[0])
        extra = [row for row in rows[entity] if (entity, row[key]) in carried]
        carried -= {(entity, row[key]) for row in extra}
        good = Counter(rows[entity]) - Counter(extra)
        assert clean[entity]
        assert Counter(row[:-1] for row in good.elements()) == Counter(row[:-1] for row in clean[entity]), (
            entity
        )

        for row in (good - Counter(clean[entity])).elements():
            fault = late.pop((entity, row[key]), None)
            if fault is None:
                # Files that say nothing of their rows' known_at are known when delivered.
                assert row[-1].date() == AFTER_SKIPPED, (entity, row)
                skipped += 1
            else:
                told = "known_on" if entity == "transactions" else "delivery"
                assert row[-1].date() == fault[told], (entity, row)
    assert (carried, late) == (set(), {})
    assert 0 < skipped <= sum(fault["rows"] for fault in planted(landing, "fault = 'skipped_day'"))


def test_a_delivery_that_is_not_utf8_is_refused_and_those_before_it_stand(
    made: Made, duckdb_settings: Settings
) -> None:
    settings = replace(duckdb_settings, source="canonical")
    landing = made(*DIRT, "--bad-encoding")
    refused = load(settings, landing, as_of=BADLY_ENCODED)
    assert refused.returncode == 2
    assert "branches.csv: line 2: not UTF-8" in refused.stderr
    (fault,) = planted(landing, "fault = 'not_utf8'")
    assert (fault["delivery"], fault["entity"], fault["fate"]) == (BADLY_ENCODED, "branches", "refused")
    loaded = query(settings, "select delivered_on from ops.batches where status = 'loaded' order by 1")
    assert loaded == [(HISTORY,), (AFTER_SKIPPED,), (LAST,), (REPEATED,)]
