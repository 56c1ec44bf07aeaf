"""dbt's files become rows of ops.test_results: tests and failed models, without what the engine cited."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from expectations import build_results
from expectations.__main__ import main
from expectations.dbt_results import UnreadableResultsError, load, read
from warehouse import Settings, open_warehouse
from warehouse.runs import start_run

RUN = "run_20261031_01"
CITED = "Database Error in model fct_x (models/fct_x.sql)\n  DETAIL:  Key (customer_id)=(C007) exists."
NODES: dict[str, dict[str, Any]] = {
    "model.keepwell.fct_x": {"resource_type": "model", "name": "fct_x", "schema": RUN},
    "model.keepwell.fct_y": {"resource_type": "model", "name": "fct_y", "schema": RUN},
    "test.keepwell.grain.1": {
        "resource_type": "test",
        "name": "grain_fct_y",
        "attached_node": "model.keepwell.fct_y",
        "config": {"severity": "ERROR"},
    },
    "test.keepwell.assert_totals": {
        "resource_type": "test",
        "name": "assert_totals",
        "depends_on": {"nodes": ["model.keepwell.fct_y"]},
        "config": {"severity": "warn"},
    },
    "test.keepwell.late": {
        "resource_type": "test",
        "name": "late",
        "attached_node": "model.keepwell.fct_x",
        "config": {"severity": "ERROR"},
    },
}
OUTCOMES: list[dict[str, Any]] = [
    {"unique_id": "model.keepwell.fct_x", "status": "error", "failures": None, "message": CITED},
    {"unique_id": "model.keepwell.fct_y", "status": "success", "failures": None, "message": "SELECT 30"},
    {"unique_id": "test.keepwell.grain.1", "status": "fail", "failures": 2, "message": "Got 2 results"},
    {"unique_id": "test.keepwell.assert_totals", "status": "warn", "failures": 1, "message": "Got 1 result"},
    {"unique_id": "test.keepwell.late", "status": "skipped", "failures": None, "message": None},
    {"unique_id": "unit_test.keepwell.fct_y.edges", "status": "pass", "failures": 0, "message": None},
]
UNIT_TESTS = {
    "unit_test.keepwell.fct_y.edges": {
        "resource_type": "unit_test",
        "name": "edges",
        "depends_on": {"nodes": ["model.keepwell.fct_y"]},
    }
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "manifest.json").write_text(json.dumps({"nodes": NODES, "unit_tests": UNIT_TESTS}))
    path = tmp_path / "run_results.json"
    path.write_text(json.dumps({"results": OUTCOMES}))
    return path


def test_tests_and_failed_models_are_read(results: Path) -> None:
    found = {
        result.test_name: (result.relation, result.severity, result.status, result.failures, result.message)
        for result in read(load(results, ["marts"]))["marts"]
    }
    assert found == {
        "fct_x": (f"{RUN}.fct_x", "error", "error", None, "Database Error in model fct_x (models/fct_x.sql)"),
        "grain_fct_y": (f"{RUN}.fct_y", "error", "fail", 2, "Got 2 results"),
        "assert_totals": (f"{RUN}.fct_y", "warn", "warn", 1, "Got 1 result"),
        "late": (f"{RUN}.fct_x", "error", "skipped", None, ""),
        "edges": (f"{RUN}.fct_y", "error", "pass", 0, ""),
    }


def test_one_invocation_of_two_layers_is_two_gates(results: Path) -> None:
    nodes = {
        **NODES,
        "model.keepwell.fct_x": {**NODES["model.keepwell.fct_x"], "original_file_path": "models/core/x.sql"},
        "model.keepwell.fct_y": {**NODES["model.keepwell.fct_y"], "original_file_path": "models/marts/y.sql"},
        # Reads both layers, so it is no test of the facts alone.
        "test.keepwell.assert_totals": {
            **NODES["test.keepwell.assert_totals"],
            "depends_on": {"nodes": ["model.keepwell.fct_x", "model.keepwell.fct_y"]},
        },
    }
    results.with_name("manifest.json").write_text(json.dumps({"nodes": nodes, "unit_tests": UNIT_TESTS}))
    found = read(load(results, ["facts", "marts"]))
    assert {gate: [result.test_name for result in found[gate]] for gate in found} == {
        "facts": ["fct_x", "late"],
        "marts": ["assert_totals", "edges", "grain_fct_y"],
    }
    with pytest.raises(UnreadableResultsError, match="facts and one other"):
        load(results, ["lists", "marts"])


def test_recording_replaces_the_gate_and_shows_what_failed(
    duckdb_bank: Settings, results: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["record-dbt", "--run", RUN, "--gate", "facts", "--results", str(results)]
    assert main(command) == 0
    assert main(command) == 0
    with open_warehouse(duckdb_bank) as wh:
        rows = wh.query(
            "select * from ops.test_results where tool = 'dbt' and run_id = $1 order by test_name", [RUN]
        ).to_pylist()
    assert [row["test_name"] for row in rows] == ["assert_totals", "edges", "fct_x", "grain_fct_y", "late"]
    assert {(row["run_id"], row["gate"], str(row["as_of_date"])) for row in rows} == {
        (RUN, "facts", "2026-10-31")
    }
    shown = capfd.readouterr().err
    assert "grain_fct_y" in shown
    assert "C007" not in shown + str(rows)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "does not exist"),
        ("{", "cannot be read as JSON"),
        ("[]", "an object was expected"),
        ("{}", "holds no results"),
    ],
)
def test_a_file_that_is_not_dbts_is_one_clear_error(results: Path, content: str | None, says: str) -> None:
    if content is None:
        results.unlink()
    else:
        results.write_text(content)
    with pytest.raises(UnreadableResultsError, match=says):
        load(results, ["facts"])


def timing(begun: str, compiled: str, ended: str) -> list[dict[str, str]]:
    return [
        {
            "name": "compile",
            "started_at": f"2026-11-01T00:{begun}Z",
            "completed_at": f"2026-11-01T00:{compiled}Z",
        },
        {
            "name": "execute",
            "started_at": f"2026-11-01T00:{compiled}Z",
            "completed_at": f"2026-11-01T00:{ended}Z",
        },
    ]


@pytest.fixture
def timed(results: Path) -> Path:
    """A build of a seed, two models, one of which failed, and what dbt did not build."""
    seeds = {"seed.keepwell.policy_x": {"resource_type": "seed", "name": "policy_x", "schema": "policy"}}
    results.with_name("manifest.json").write_text(
        json.dumps({"nodes": {**NODES, **seeds}, "unit_tests": UNIT_TESTS})
    )
    outcomes = [
        {**OUTCOMES[0], "timing": timing("10:00.25", "10:00.5", "10:02.75")},
        {**OUTCOMES[1], "timing": timing("10:03", "10:04", "11:30.125")},
        {**OUTCOMES[2], "timing": timing("11:31", "11:32", "11:33")},
        {"unique_id": "seed.keepwell.policy_x", "status": "success",
         "timing": timing("09:00", "09:01", "09:02")},
        {"unique_id": "model.keepwell.fct_z", "status": "skipped", "timing": []},
        {"unique_id": "operation.keepwell.on-run-start", "status": "success",
         "timing": timing("09:00", "09:01", "09:02")},
        {"unique_id": "exposure.keepwell.report", "status": "no-op", "timing": []},
    ]  # fmt: skip
    results.write_text(json.dumps({"results": outcomes}))
    return results


def test_models_and_seeds_are_timed_and_a_second_recording_replaces_the_first(
    bank: Settings, timed: Path
) -> None:
    command = ["record-dbt", "--run", RUN, "--results", str(timed), "--gate"]
    assert main([*command, "lists"]) == 0
    assert main([*command, "marts"]) == 0
    assert main([*command, "marts"]) == 0
    with open_warehouse(bank) as wh:
        rows = wh.query("select * from ops.build_results where gate = 'marts' order by node_name").to_pylist()
        gates = wh.query("select gate, count(*) as n from ops.build_results group by gate order by gate")
        tests = wh.query(
            "select test_name from ops.test_results where run_id = $1 and tool = 'dbt' and gate = 'lists'",
            [RUN],
        )
    assert gates.to_pylist() == [{"gate": "lists", "n": 3}, {"gate": "marts", "n": 3}]
    where = {"run_id": RUN, "gate": "marts"}
    day = dt.datetime(2026, 11, 1)
    assert rows == [
        {**where, "node_name": "fct_x", "resource_type": "model", "status": "error",
         "duration_seconds": 2.5, "built_at": day.replace(minute=10, second=2, microsecond=750_000)},
        {**where, "node_name": "fct_y", "resource_type": "model", "status": "success",
         "duration_seconds": 87.125, "built_at": day.replace(minute=11, second=30, microsecond=125_000)},
        {**where, "node_name": "policy_x", "resource_type": "seed", "status": "success",
         "duration_seconds": 2.0, "built_at": day.replace(minute=9, second=2)},
    ]  # fmt: skip
    # An exposure that dbt passed over is no failure, which would close the gate for good.
    assert sorted(tests["test_name"].to_pylist()) == ["fct_x", "grain_fct_y"]


def test_a_run_that_starts_again_forgets_its_build_times(bank: Settings, timed: Path) -> None:
    with open_warehouse(bank) as wh:
        key = wh.query("select run_key from ops.runs where run_id = $1", [RUN])["run_key"][0].as_py()
        source = wh.query("select source from ops.sources")["source"][0].as_py()
    assert main(["record-dbt", "--run", RUN, "--gate", "marts", "--results", str(timed)]) == 0
    with open_warehouse(bank) as wh:
        assert wh.query("select 1 as one from ops.build_results").num_rows == 3
        assert start_run(wh, kind="daily", as_of_date=dt.date(2026, 10, 31), key=key, source=source) == RUN
        assert wh.query("select 1 as one from ops.build_results").num_rows == 0


def test_facts_and_marts_of_one_invocation_are_timed_apart(timed: Path) -> None:
    nodes = json.loads(timed.with_name("manifest.json").read_text())
    nodes["nodes"]["model.keepwell.fct_x"]["original_file_path"] = "models/core/x.sql"
    nodes["nodes"]["model.keepwell.fct_y"]["original_file_path"] = "models/marts/y.sql"
    nodes["nodes"]["seed.keepwell.policy_x"]["original_file_path"] = "seeds/policy_x.csv"
    timed.with_name("manifest.json").write_text(json.dumps(nodes))
    found = build_results.read(load(timed, ["facts", "marts"]))
    assert {gate: [result.node_name for result in found[gate]] for gate in found} == {
        "facts": ["fct_x", "policy_x"],
        "marts": ["fct_y"],
    }
