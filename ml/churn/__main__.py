"""Command line of the churn model: train, score, monitor, models, catalogue, audit-day."""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from ml.churn import card
from ml.churn.audit import audit_day
from ml.churn.catalogue import as_markdown
from ml.churn.errors import InputError, NothingToTrainError, TooYoungError
from ml.churn.monitor.run import run_monitoring
from ml.churn.params import load_params
from ml.churn.registry import Registry
from ml.churn.score import run_scoring
from ml.churn.train import run_training
from warehouse import Settings, WarehouseError

NOTHING_TO_DO = 99


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 bad input, 75 the warehouse could not be reached,
    99 nothing to train on or to score with yet, or no training asked for.
    """
    options = _parser().parse_args(arguments)
    code = 0
    try:
        if options.command == "catalogue":
            print(as_markdown(load_params().features), end="")
            return 0
        settings = Settings.from_environment()
        if options.command == "audit-day":
            return _print_audit_day(settings, options.run)
        if options.command == "models":
            return _list_models(Registry(settings.models_dir))
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
    except (InputError, WarehouseError) as error:
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
        epilog="Exit codes: 0 done; 2 bad input or no champion; 75 worth a retry; 99 nothing to train on, "
        "the bank is too young for scores, or monitoring asks for no training. KEEPWELL_HOME, "
        "KEEPWELL_SOURCE and KEEPWELL_TARGET choose the bank, ml/churn/params.yaml the model.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    train = commands.add_parser(
        "train",
        help="fit on RUN.churn_panel, register, promote when better",
        description="Fit on RUN.churn_panel, judge out of time, register the model, promote it when "
        "it beats the champion, and record the outcome in ops.training_runs. The same panel twice is fitted "
        "once.",
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
    for command in (train, score, monitor):
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
        "models", help="list the registry", description="List the registered models and the champions."
    )
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


def _list_models(registry: Registry) -> int:
    champions = {entry.model_version: entry.as_of_date.isoformat() for entry in registry.promotions()}
    lines = [["model_version", "candidate", "rows", "churners", "avg_precision", "auc", "champion_from"]]
    for model_version in registry.versions():
        metadata = registry.metadata(model_version)
        figures, part = metadata["metrics"]["test"], metadata["trained_on"]
        lines.append(
            [
                model_version,
                metadata["chosen_model"],
                str(part["rows"]),
                str(part["churners"]),
                f"{figures['average_precision']:.4f}",
                f"{figures['auc']:.4f}",
                champions.get(model_version, "-"),
            ]
        )
    # Not a table of rich: where there is no terminal it cuts the versions to 80 columns.
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
