"""How a gate is recorded: what it reads, what it never writes down, and what it says when it cannot look."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from expectations import runner
from expectations.__main__ import main
from expectations.arrival import covered_batch_no
from warehouse import Settings, Warehouse, open_warehouse
from warehouse.publish import publish
from warehouse.runs import read_run
from warehouse.settings import PROJECT_ROOT

RUN = "run_20261031_01"


def recorded(settings: Settings) -> list[dict[str, object]]:
    with open_warehouse(settings) as wh:
        rows: list[dict[str, object]] = wh.query(
            "select * from ops.test_results where run_id = $1 order by gate, test_name", [RUN]
        ).to_pylist()
    return rows


def test_a_gate_run_again_replaces_its_results_and_leaves_the_others(duckdb_bank: Settings) -> None:
    assert main(["run", "--run", RUN, "--suite", "scores", "--suite", "marts"]) == 0
    before = recorded(duckdb_bank)
    with open_warehouse(duckdb_bank) as wh:
        wh.execute(f"update {RUN}.fct_customer_rfm set r_score = 7 where customer_id = 'C003'")
    assert main(["run", "--run", RUN, "--suite", "marts"]) == 1
    after = recorded(duckdb_bank)
    keys = ("gate", "test_name", "relation", "severity", "tool", "as_of_date")
    assert [[row[key] for key in keys] for row in after] == [[row[key] for key in keys] for row in before]
    assert [row["test_name"] for row in after if row["status"] == "fail"] == ["r_score_is_between_0_and_5"]
    assert [row for row in after if row["gate"] == "scores"] == [
        row for row in before if row["gate"] == "scores"
    ]


def test_no_value_of_a_customer_is_written_down_or_shown(
    bank: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    with open_warehouse(bank) as wh:
        wh.execute(
            "insert into raw.transactions values"
            " ('TX-SECRET', date '2026-11-03', 66642.42, 'SECRETCURRENCY', 'B9', 9),"
            " ('TX-SECRET', date '2026-11-03', -66642.42, 'SECRETCURRENCY', 'B9', 9)"
        )
        wh.execute(f"update {RUN}.fct_customer_value_tiers set value_tier = 'SECRETTIER', reason = null")
        wh.execute(f"update {RUN}.fct_churn_scores set churn_probability = 6.6642")
    assert main(["run", "--run", RUN, "--suite", "arrival", "--suite", "marts", "--suite", "scores"]) == 1
    shown = "".join(capfd.readouterr()) + "".join(str(row) for row in recorded(bank))
    assert "probabilities_are_0_to_1" in shown
    assert "27 of 27 rows" in shown
    for secret in ("SECRET", "66642", "6.664"):
        assert secret not in shown


def test_a_message_on_counts_of_the_bank_shows_the_counts(duckdb_bank: Settings) -> None:
    with open_warehouse(duckdb_bank) as wh:
        wh.execute(f"delete from {RUN}.fct_churn_scores where customer_id = 'C006'")
    assert main(["run", "--run", RUN, "--suite", "scores"]) == 1
    failed = [row for row in recorded(duckdb_bank) if row["status"] == "fail"]
    assert [(row["test_name"], row["failures"], row["message"]) for row in failed] == [
        ("every_eligible_customer_is_scored", 1, "1 of 1 rows: 26 against 27")
    ]


def test_a_missing_mart_is_an_error_that_names_it(
    duckdb_bank: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    with open_warehouse(duckdb_bank) as wh:
        wh.execute(f"drop table {RUN}.fct_churn_scores")
    assert main(["run", "--run", RUN, "--suite", "scores"]) == 1
    found = [row for row in recorded(duckdb_bank) if row["relation"] == f"{RUN}.fct_churn_scores"]
    assert {(row["status"], row["severity"]) for row in found} == {("error", "error")}
    assert {row["message"] for row in found} == {f"not evaluated: {RUN}.fct_churn_scores does not exist"}
    assert "fct_churn_scores does not exist" in capfd.readouterr().err


def test_an_expectation_that_cannot_be_evaluated_is_an_error(duckdb_bank: Settings) -> None:
    with open_warehouse(duckdb_bank) as wh:
        wh.execute(f"alter table {RUN}.fct_kpis drop column unit")
    assert main(["run", "--run", RUN, "--suite", "marts"]) == 1
    found = [row for row in recorded(duckdb_bank) if row["relation"] == f"{RUN}.fct_kpis"]
    assert found
    assert {row["status"] for row in found} == {"error"}


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ('column "unit" does not exist\nLINE 3: ...', 'column "unit" does not exist'),
        ("Could not convert string 'C0007' to INT32", "Could not convert string '...' to INT32"),
        ('invalid input: "李 雷", "2026-01-01"', "invalid input: '...', '...'"),
        ("", "unknown error"),
    ],
)
def test_an_engines_message_is_kept_without_what_it_cites(message: str, shown: str) -> None:
    assert runner.without_values(message) == shown


def test_a_run_without_tables_does_not_pass(duckdb_bank: Settings) -> None:
    with open_warehouse(duckdb_bank) as wh:
        wh.execute(f"drop schema {RUN} cascade")
    assert main(["run", "--run", RUN, "--suite", "marts"]) == 1
    statuses = {row["test_name"]: row["status"] for row in recorded(duckdb_bank)}
    assert statuses["the_run_has_tables"] == "fail"
    assert "pass" not in {
        status for name, status in statuses.items() if name != "no_table_of_the_run_has_a_personal_column"
    }


def test_arrival_looks_only_at_batches_that_no_publication_has_covered(
    bank: Settings,
    deliver_next: Callable[[Warehouse, int], None],
    pass_other_gates: Callable[[Warehouse, str], None],
) -> None:
    with open_warehouse(bank) as wh:
        run = read_run(wh, RUN)
        assert covered_batch_no(wh, run) == 0
    assert main(["run", "--run", RUN, "--suite", "arrival"]) == 0
    with open_warehouse(bank) as wh:
        # Its own gate does not count while it is not published, nor for itself.
        assert covered_batch_no(wh, run) == 0
        pass_other_gates(wh, RUN)
        publish(wh, RUN)
        assert covered_batch_no(wh, run) == 0
        deliver_next(wh, 10)
        later = read_run(wh, "run_20261030_01")
        assert covered_batch_no(wh, later) == 9
        wh.execute("update ops.publications set withdrawn_at = published_at where run_id = $1", [RUN])
        assert covered_batch_no(wh, later) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--suite", "marts", "--run", "run_20991231_01"], "there is no run run_20991231_01"),
        (["run", "--suite", "marts", "--run", "x; drop table"], "is no run id"),
    ],
)
def test_an_unknown_run_is_one_clear_message(
    duckdb_bank: Settings, capfd: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(arguments) == 2
    error = capfd.readouterr().err
    assert says in error
    assert len(error.splitlines()) == 1


def test_the_command_line_exits_as_the_gate_says_and_is_quiet_otherwise(
    duckdb_bank: Settings, make_environment: Callable[[Settings], dict[str, str]]
) -> None:
    with open_warehouse(duckdb_bank) as wh:
        wh.execute(f"update {RUN}.fct_churn_scores set risk_decile = 0 where customer_id = 'C003'")
    command = [sys.executable, "-m", "expectations", "run", "--run", RUN, "--suite", "scores"]
    finished = subprocess.run(
        command, env=make_environment(duckdb_bank), cwd=PROJECT_ROOT, capture_output=True, text=True
    )
    assert finished.returncode == 1
    assert finished.stdout == ""
    assert "risk_deciles_are_1_to_10" in finished.stderr
    # DuckDB and Great Expectations both like to add pages of their own.
    assert len(finished.stderr.splitlines()) == 3, finished.stderr
