"""python -m expectations: run suites, or record dbt's results; both end in ops.test_results.

What dbt built and how long it took ends in ops.build_results.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from expectations import build_results, dbt_results
from expectations.results import record, show
from warehouse import Settings, WarehouseError, open_warehouse
from warehouse.runs import read_run, utc_now

GATES = ("arrival", "facts", "marts", "lists", "scores")
# expectations.runner.SUITES, whose import takes seconds.
SUITE_NAMES = ("arrival", "marts", "scores", "panel", "leakage")


def main(argv: list[str] | None = None) -> int:
    """Exit code 0: every gate passed; 1: one failed; 2: the question was wrong; 75: worth a retry."""
    arguments = _parser().parse_args(argv)
    try:
        settings = Settings.from_environment()
        if arguments.command == "run":
            return run(settings, arguments.run, list(dict.fromkeys(arguments.suite)))
        return record_dbt(settings, arguments.run, list(dict.fromkeys(arguments.gate)), arguments.results)
    except (WarehouseError, dbt_results.UnreadableResultsError) as error:
        print(f"expectations: {error}", file=sys.stderr)
        return error.exit_code


def run(settings: Settings, run_id: str, suites: list[str]) -> int:
    """Run suites one after the other, each recorded as its own gate. WarehouseError for an unknown run."""
    from expectations import runner

    is_open = True
    for suite in suites:
        # Rows that arrive while the suite runs are looked at by the next one: the gate's time is its start.
        executed_at = utc_now()
        with open_warehouse(settings) as wh:
            judged = read_run(wh, run_id)
            results = runner.run_suite(wh, runner.SUITES[suite](wh, judged))
            record(
                wh,
                results,
                run_id=run_id,
                as_of_date=judged.as_of_date,
                tool="expectation",
                gate=suite,
                executed_at=executed_at,
            )
        show(results, run_id=run_id, gate=suite)
        is_open = is_open and not any(result.is_broken for result in results)
    return 0 if is_open else 1


def record_dbt(settings: Settings, run_id: str, gates: list[str], results_path: Path) -> int:
    """Record tests and build times of an invocation of dbt; always 0: dbt's own exit code has judged it."""
    invocation = dbt_results.load(results_path, gates)
    found, built = dbt_results.read(invocation), build_results.read(invocation)
    with open_warehouse(settings) as wh:
        judged = read_run(wh, run_id)
        for gate, results in found.items():
            record(
                wh,
                results,
                run_id=run_id,
                as_of_date=judged.as_of_date,
                tool="dbt",
                gate=gate,
                executed_at=utc_now(),
            )
            build_results.record(wh, built[gate], run_id=run_id, gate=gate)
    for gate, results in found.items():
        show(results, run_id=run_id, gate=gate)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m expectations",
        description="Expectations at the boundaries of the warehouse, recorded in ops.test_results.",
    )
    commands = parser.add_subparsers(dest="command", required=True)

    running = commands.add_parser(
        "run", help="run suites on a run; exit 1 when an expectation of severity error fails"
    )
    running.add_argument(
        "--suite",
        action="append",
        required=True,
        choices=SUITE_NAMES,
        help="arrival: raw.*; marts, scores: the run's schema; panel: that of a training, leakage: that of "
        "an audit. Give it twice to run two in one process",
    )
    running.add_argument("--run", required=True, metavar="RUN_ID", help="a run_id of ops.runs")

    recording = commands.add_parser(
        "record-dbt",
        help="record dbt's tests, failed models and build times, of one invocation, under its gates",
    )
    recording.add_argument("--run", required=True, metavar="RUN_ID", help="a run_id of ops.runs")
    recording.add_argument(
        "--gate",
        action="append",
        required=True,
        choices=GATES,
        help="the gate this invocation was; facts and another where it built facts and what stands on them",
    )
    recording.add_argument(
        "--results",
        required=True,
        type=Path,
        metavar="run_results.json",
        help="dbt's file, with manifest.json beside it",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
