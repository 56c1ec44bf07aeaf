"""Command line of the churn model: train, score, monitor, models, rollback, experiments and more."""

import argparse
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from ml.churn import card, experiments
from ml.churn.audit import audit_day
from ml.churn.catalogue import as_markdown
from ml.churn.errors import InputError, LeakError, NothingToTrainError, TooYoungError
from ml.churn.monitor.run import run_monitoring
from ml.churn.params import load_params
from ml.churn.registry import Registry
from ml.churn.runs import newest_date
from ml.churn.score import run_scoring
from ml.churn.train import run_training
from warehouse import Settings, WarehouseError, open_warehouse

NOTHING_TO_DO = 99
# After the newest run: a roll-back may be decided before the day it begins.
ROLLBACK_AHEAD = timedelta(days=31)
MODEL_COLUMNS = (
    "model_version", "standing", "candidate", "data", "rows", "churners", "avg_precision", "auc", "empc",
    "slope", "champion_for",
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 a feature knows the outcome, 2 bad input, 75 the
    warehouse could not be reached, 99 nothing to train on or to score with yet, or no training asked for.
    """
    options = _parser().parse_args(arguments)
    code = 0
    try:
        if options.command == "catalogue":
            print(as_markdown(load_params().features), end="")
            return 0
        if options.command == "train" and options.frame:
            return _train_table(options)
        settings = Settings.from_environment()
        if options.command == "rollback":
            return _roll_back(settings, options)
        if options.command == "experiments":
            with open_warehouse(settings, read_only=True) as wh:
                _print_table(experiments.table(wh, options.run))
            return 0
        if options.command == "audit-day":
            return _print_audit_day(settings, options.run)
        if options.command == "models":
            return _list_models(settings)
        if options.command == "card":
            card.place(Registry(settings.models_dir).metadata(options.model), options.out)
            return 0
        with _progress() as progress:
            if options.command == "train":
                outcome = run_training(settings, load_params(), options.run, progress)
                done = f"{outcome.model_version}: {outcome.outcome} ({outcome.reason})"
            elif options.command == "monitor":
                verdict = run_monitoring(settings, load_params(), options.run, progress)
                counts = ", ".join(f"{count} {status}" for status, count in verdict.counts.items())
                asked = "asked for" if verdict.is_training_asked else "not asked for"
                done = f"checks: {counts}; a training is {asked}: {verdict.reason}"
                code = 0 if verdict.is_training_asked else NOTHING_TO_DO
            else:
                model_version, rows = run_scoring(settings, load_params(), options.run, progress)
                done = f"{rows} customers scored by {model_version}"
        print(done)
    except (InputError, LeakError, WarehouseError) as error:
        print(f"ml.churn {options.command}: {error}", file=sys.stderr)
        return error.exit_code
    except NothingToTrainError as nothing:
        print(f"ml.churn train: no model trained: {nothing}", file=sys.stderr)
        return NOTHING_TO_DO
    except TooYoungError as young:
        print(f"ml.churn score: published without scores: the bank is too young: {young}", file=sys.stderr)
        return NOTHING_TO_DO
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ml.churn",
        description="Train the churn model on matured month-ends and score customers with the champion.",
        epilog="Exit codes: 0 done; 1 a feature knows the outcome; 2 bad input or no champion; 75 worth a "
        "retry; 99 nothing to train on, the bank is too young for scores, or monitoring asks for no "
        "training. KEEPWELL_HOME, KEEPWELL_SOURCE and KEEPWELL_TARGET choose the bank, "
        "ml/churn/params.yaml the model.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    train = commands.add_parser(
        "train",
        help="fit on RUN.churn_panel, register, promote when better; or fit on any table",
        description="With --run: fit on RUN.churn_panel, judge out of time, register the model, promote it "
        "when it beats the champion, and record the outcome in ops.training_runs. The same panel twice is "
        "fitted once. With --frame: the same candidates on a table of yours, without a warehouse; writes "
        "model, metrics and card to a folder and prints what each candidate gave.",
    )
    of = train.add_mutually_exclusive_group(required=True)
    of.add_argument("--run", metavar="RUN", help="run_id, such as run_20261031_01")
    of.add_argument("--frame", type=Path, metavar="FILE", help="a .parquet or .csv file")
    table = train.add_argument_group("with --frame")
    table.add_argument("--label", metavar="COL", help="0 and 1, true and false, or any two values")
    table.add_argument("--time", metavar="COL", help="dates: the newest fifth of the rows is the test")
    table.add_argument(
        "--id", metavar="COL", help="whose row it is: rows of one id stay on one side of a fold"
    )
    table.add_argument("--out", type=Path, metavar="DIR", help="folder to make (FILE's name and .model)")
    table.add_argument("--drop", nargs="+", default=[], metavar="COL", help="columns to leave out")
    table.add_argument("--seed", type=int, metavar="N", help="of folds and models (params.yaml)")
    table.add_argument(
        "--embargo-days", type=int, default=0, metavar="N", help="days between training and test rows (0)"
    )
    score = commands.add_parser(
        "score",
        help="write RUN.raw_churn_scores with the champion",
        description="Score the eligible customers of RUN.fct_customer_features with the champion as it stood "
        "at the run's as-of date, and replace RUN.raw_churn_scores.",
    )
    monitor = commands.add_parser(
        "monitor",
        help="check drift and performance of the champion; exit 0 asks for a training",
        description="Check the newest published features and scores against what the champion was fitted on, "
        "and the scores whose outcome is known by RUN.churn_panel, of a run of kind training. Replaces the "
        "run's rows of ops.model_monitoring. Exit code 0: a training is asked for; 99: none is.",
    )
    for command in (score, monitor):
        command.add_argument("--run", required=True, metavar="RUN", help="run_id, such as run_20261031_01")
    page = commands.add_parser(
        "card",
        help="write the card of a model as one HTML page",
        description="Write the model card of a registered version, from its metadata alone, as one HTML page "
        "that opens offline.",
    )
    page.add_argument("--model", required=True, metavar="VERSION", help="such as churn_20261031_0a1b2c3d")
    page.add_argument("--out", required=True, type=Path, metavar="FILE", help="the HTML file to write")
    commands.add_parser(
        "models",
        help="list the registry",
        description="List the registered models: which is the champion, which are challengers, what they "
        "were fitted on, and the days each champion scores.",
    )
    back = commands.add_parser(
        "rollback",
        help="put an earlier champion back",
        description="Put an earlier champion back from a date on, as a new line of the log of champions; "
        "what stood before that date stays as it was.",
    )
    back.add_argument("--to", metavar="VERSION", help="a former champion (the one before the standing one)")
    back.add_argument(
        "--as-of", required=True, type=date.fromisoformat, metavar="DATE", help="first as-of date it scores"
    )
    back.add_argument("--reason", required=True, metavar="TEXT", help="why, for the log")
    back.add_argument("--author", required=True, metavar="NAME", help="who decides it, for the log")
    tried = commands.add_parser(
        "experiments",
        help="list what trainings tried",
        description="List every candidate and setting that the trainings tried, with its mean figures over "
        "the folds, from ops.experiments.",
    )
    tried.add_argument("--run", metavar="RUN", help="of this training alone")
    audit = commands.add_parser(
        "audit-day",
        help="print the past day whose features are built again",
        description="Print the newest date of RUN.churn_panel with mature labels; an audit run builds its "
        "features again, and they must be those of the archive. Exit code 99: there is none yet.",
    )
    audit.add_argument("--run", required=True, metavar="RUN", help="run_id of the training")
    commands.add_parser(
        "catalogue",
        help="print docs/features.md",
        description="Print the catalogue of features, ml/churn/features.yaml, as the page docs/features.md.",
    )
    return parser


def _print_audit_day(settings: Settings, run_id: str) -> int:
    day = audit_day(settings, run_id)
    if day is None:
        print(f"ml.churn audit-day: {run_id} has no mature labels: no day to audit yet", file=sys.stderr)
        return NOTHING_TO_DO
    print(day)
    return 0


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _train_table(options: argparse.Namespace) -> int:
    if options.label is None:
        raise InputError("--frame needs --label, the column to predict")
    if options.embargo_days < 0 or (options.embargo_days and options.time is None):
        raise InputError("--embargo-days takes days of 0 or more, and only with --time")
    # Reads tables and draws a card: what the daily score need not import.
    from ml.churn.tables import Columns, train_table

    params = load_params()
    if options.seed is not None:
        params = replace(params, seed=options.seed)
    columns = Columns(options.label, options.time, options.id, tuple(options.drop))
    out = options.out or Path(f"{options.frame.stem}.model")
    with _progress() as progress:
        trained = train_table(
            options.frame, columns, params, progress, out=out, embargo_days=options.embargo_days
        )
    for remark in trained.remarks:
        print(f"ml.churn train: {remark}", file=sys.stderr)
    _print_table(trained.lines)
    print(f"{trained.chosen_model} is saved in {trained.folder}: model.skops, metrics.json, card.html")
    return 0


def _roll_back(settings: Settings, options: argparse.Namespace) -> int:
    registry = Registry(settings.models_dir)
    with open_warehouse(settings, read_only=True) as wh:
        newest = newest_date(wh)
    # A mistyped year would stand before every champion to come, and could not be taken back.
    if newest is None or options.as_of > newest + ROLLBACK_AHEAD:
        known = "no run yet" if newest is None else f"its newest run as of {newest}"
        raise InputError(
            f"--as-of {options.as_of} lies too far ahead: the bank has {known}, and a roll-back may begin at "
            f"most {ROLLBACK_AHEAD.days} days after that; correct the date"
        )
    done = registry.roll_back(options.to, options.as_of, reason=options.reason, author=options.author)
    print(f"{done.model_version} is the champion from {done.as_of_date} on ({done.reason}, {done.author})")
    return 0


def _list_models(settings: Settings) -> int:
    registry = Registry(settings.models_dir)
    with open_warehouse(settings, read_only=True) as wh:
        newest = newest_date(wh)
    periods: dict[str, list[str]] = {}
    for period in registry.periods():
        last = "" if period.end_date is None else (period.end_date - timedelta(days=1)).isoformat()
        periods.setdefault(period.model_version, []).append(f"{period.first_date}..{last}")
    log = registry.promotions()
    # Of the day to come: a champion begins the day after its training.
    champion = registry.standing((newest or date.min) + timedelta(days=1))
    to_come = {
        entry.model_version for entry in log if champion is None or entry.as_of_date > champion.as_of_date
    }
    lines = [list(MODEL_COLUMNS)]
    for model_version in registry.versions():
        metadata = registry.metadata(model_version)
        figures, part = metadata["metrics"]["test"], metadata["trained_on"]
        standing = "challenger"
        if champion is not None and champion.model_version == model_version:
            standing = "champion"
        elif model_version in to_come:
            standing = "champion to come"
        elif any(entry.model_version == model_version for entry in log):
            standing = "former champion"
        lines.append(
            [
                model_version,
                standing,
                metadata["chosen_model"],
                f"{part['as_of_dates'][0]}..{part['as_of_dates'][-1]}",
                str(part["rows"]),
                str(part["churners"]),
                *(
                    "-" if figures.get(name) is None else f"{figures[name]:.4f}"
                    for name in ("average_precision", "auc", "empc", "calibration_slope")
                ),
                ", ".join(periods.get(model_version, ["-"])),
            ]
        )
    _print_table(lines)
    return 0


def _print_table(lines: list[list[str]]) -> None:
    # Not a table of rich: where there is no terminal it cuts the versions to 80 columns.
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
