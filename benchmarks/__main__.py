"""Measures Keepwell on simulated banks: `python -m benchmarks build --scale 0.01 --target duckdb`."""

import argparse
import sys
from pathlib import Path

from benchmarks.steps import StepError

SCALES = "0.01 is a hundredth of the plan's bank of 550,000 customers"


def main(arguments: list[str] | None = None) -> int:
    """Run one benchmark; 0 measured, 1 a step failed."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except StepError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("var/benchmarks"),
        help="where banks and results lie (%(default)s)",
    )
    commands = parser.add_subparsers(required=True, metavar="BENCHMARK")

    def add(name: str, command: object, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=command)
        return added

    build = add(
        "build", _build, "the full build and the next daily run, against a bare group-by and a bare load"
    )
    history = add("history", _history, "the daily run of a bank with 12 months of history and of one with 24")
    for benchmark in (build, history):
        benchmark.add_argument("--scale", type=float, default=0.01, help=f"{SCALES} (default %(default)s)")
        benchmark.add_argument("--target", choices=("duckdb", "postgres"), default="duckdb")
        benchmark.add_argument("--seed", type=int, default=7)
        benchmark.add_argument("--keep", action="store_true", help="leave the warehouse for a look at it")
    build.add_argument("--months", type=int, default=24)
    flips = add(
        "flips", _flips, "how often customers change tier, with the rules of stability and without (duckdb)"
    )
    flips.add_argument("--scale", type=float, default=0.01, help=f"{SCALES} (default %(default)s)")
    # The month before the first day has no figures: 25 months give 24 month-ends.
    flips.add_argument("--months", type=int, default=25)
    flips.add_argument("--seed", type=int, default=7)
    flips.add_argument("--keep", action="store_true", help="leave the warehouse for a look at it")
    scoring = add(
        "scoring", _scoring, "probability and reasons of a made table of features, and of a tenth of it"
    )
    scoring.add_argument("--customers", type=int, default=550_000)
    scoring.add_argument("--candidate", default="hist_gradient_boosting", help="of ml/churn/params.yaml")
    scoring.add_argument("--target", choices=("duckdb", "postgres"), default="duckdb")
    scoring.add_argument("--seed", type=int, default=7)
    scoring.add_argument("--keep", action="store_true", help="leave the warehouses for a look at them")
    truth = add("truth", _truth, "the churn model of a fresh bank against the planted truth")
    truth.add_argument("--customers", type=int, default=50_000)
    truth.add_argument(
        "--seed", type=int, default=20261031, help="a bank that nothing was tuned on (%(default)s)"
    )
    truth.add_argument("--keep", action="store_true", help="leave the warehouse for a look at it")
    return parser


def _build(options: argparse.Namespace) -> None:
    from benchmarks import build, results

    found = build.measure(
        options.folder, target=options.target, scale=options.scale, months=options.months,
        seed=options.seed, keep=options.keep,
    )  # fmt: skip
    name = f"build-{options.target}-{options.scale:g}-{options.months}"
    path = results.save(options.folder / "results", name, found.as_json())
    layers = results.layer_table(
        {
            "full build": (found.full_seconds, found.full_layers),
            "daily run": (found.daily_seconds, found.daily_layers),
        }
    )
    tables = (results.build_table([found]), results.step_table(found), layers)
    print("\n\n".join([results.machine(), *tables, str(path)]))


def _history(options: argparse.Namespace) -> None:
    from benchmarks import build, results

    found = [
        build.measure(
            options.folder, target=options.target, scale=options.scale, months=months,
            seed=options.seed, keep=options.keep,
        )
        for months in (12, 24)
    ]  # fmt: skip
    grown = found[1].daily_seconds / found[0].daily_seconds
    name = f"history-{options.target}-{options.scale:g}"
    content = {"daily_24_to_12_months": grown, "builds": [one.as_json() for one in found]}
    path = results.save(options.folder / "results", name, content)
    print(f"{results.machine()}\n\n{results.build_table(found)}\n")
    print(f"Daily run, 24 to 12 months: {grown:.2f}\n\n{path}")


def _flips(options: argparse.Namespace) -> None:
    from benchmarks import flips, results

    found = flips.measure(
        options.folder, scale=options.scale, months=options.months, seed=options.seed, keep=options.keep
    )
    name = f"flips-{options.scale:g}-{options.months}"
    path = results.save(options.folder / "results", name, found.as_json())
    layers = results.layer_table({f"{found.month_ends} month-ends": (found.seconds, found.layers)})
    print(
        f"{found.customers:,} customers, {found.month_ends} month-ends, {found.seconds:.0f} s\n\n"
        f"{results.flip_table(found)}\n\n{layers}\n\n{path}"
    )


def _scoring(options: argparse.Namespace) -> None:
    from benchmarks import results, scoring

    found = scoring.measure(
        options.folder, target=options.target, candidate=options.candidate, customers=options.customers,
        seed=options.seed, keep=options.keep,
    )  # fmt: skip
    name = f"scoring-{options.target}-{options.candidate}-{options.customers}"
    path = results.save(options.folder / "results", name, {"scorings": [one.as_json() for one in found]})
    print(f"{results.machine()}\n\n{results.scoring_table(found)}\n\n{path}")


def _truth(options: argparse.Namespace) -> None:
    from benchmarks import against_truth, results

    found = against_truth.measure(
        options.folder, customers=options.customers, seed=options.seed, keep=options.keep
    )
    name = f"truth-{options.customers}-{options.seed}"
    path = results.save(options.folder / "results", name, found.as_json())
    print(f"{found.as_table()}\n\n{path}")


if __name__ == "__main__":
    sys.exit(main())
