"""Command line of the churn model: train, score, models."""

import argparse
import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from ml.churn.errors import InputError, NothingToTrainError, TooYoungError
from ml.churn.params import load_params
from ml.churn.registry import Registry
from ml.churn.score import run_scoring
from ml.churn.train import run_training
from warehouse import Settings, WarehouseError

NOTHING_TO_DO = 99


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 bad input, 75 the warehouse could not be reached,
    99 nothing to train on or to score with yet.
    """
    options = _parser().parse_args(arguments)
    try:
        settings = Settings.from_environment()
        if options.command == "models":
            return _list_models(Registry(settings.models_dir))
        with _progress() as progress:
            if options.command == "train":
                outcome = run_training(settings, load_params(), options.run, progress)
                done = f"{outcome.model_version}: {outcome.outcome} ({outcome.reason})"
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
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ml.churn",
        description="Train the churn model on matured month-ends and score customers with the champion.",
        epilog="Exit codes: 0 done; 2 bad input or no champion; 75 worth a retry; 99 nothing to train on, or "
        "the bank is too young for scores. KEEPWELL_HOME, KEEPWELL_SOURCE and KEEPWELL_TARGET choose the "
        "bank, ml/churn/params.yaml the model.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="{train,score,models}")
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
    for command in (train, score):
        command.add_argument("--run", required=True, metavar="RUN", help="run_id, such as run_20261031_01")
    commands.add_parser(
        "models", help="list the registry", description="List the registered models and the champions."
    )
    return parser


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
