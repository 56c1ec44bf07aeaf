"""Probability and reasons of a made table of features: time, memory, and what reading the same table takes.

`python -m benchmarks.scoring make|read ...` are the processes that `measure` starts for the warehouse of
KEEPWELL_*: of their own, so that what they hold does not weigh on the scoring that is measured.
"""

import argparse
import datetime as dt
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.banks import new_bank
from benchmarks.build import close
from benchmarks.steps import StepError, run_step
from ml.churn.frame import feature_frame
from ml.churn.params import Feature, Params, load_params
from ml.churn.pipeline import build, fit_calibrated
from ml.churn.registry import MODEL, Promotion, Registry
from ml.churn.score import BATCH_ROWS
from warehouse import Settings, open_warehouse, schema

AS_OF = dt.date(2026, 10, 31)
CANDIDATE = "hist_gradient_boosting"
# As many as a model of the demo is fitted on at a time; more would take the benchmark's time, not scoring's.
TRAINED_ROWS = 40_000
CHUNK_ROWS = 50_000
CHURN_RATE = 0.03
NULL_SHARE = 0.05

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scoring:
    """One scoring, from a table in the warehouse to the scores in it, as a process of its own.

    `read_seconds` is one pass over the same columns and rows in batches of the same size.
    """

    target: str
    candidate: str
    customers: int
    features: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    read_seconds: float

    def as_json(self) -> dict[str, Any]:
        """The figures and their ratio."""
        return {**asdict(self), "scoring_to_reading": self.seconds / self.read_seconds}


def measure(
    folder: Path, *, target: str, candidate: str, customers: int, seed: int, keep: bool
) -> list[Scoring]:
    """Score a tenth of `customers` and then all of them with one champion, which shows whether memory grows.

    Raises StepError.
    """
    known = [one.name for one in load_params().candidates]
    if candidate not in known:
        raise StepError(f"there is no candidate {candidate} in params.yaml: {', '.join(known)}")
    found = []
    for rows in (customers // 10, customers):
        bank = new_bank(folder / f"scoring-{target}-{rows}", target, folder)
        try:
            found.append(_measure(bank.settings, bank.environment(), candidate, rows, seed))
        finally:
            close(bank, keep=keep)
    return found


def _measure(
    settings: Settings, environment: dict[str, str], candidate: str, rows: int, seed: int
) -> Scoring:
    this = [sys.executable, "-m", "benchmarks.scoring"]
    made = [*this, "make", "--customers", str(rows), "--seed", str(seed), "--candidate", candidate]
    run_id = run_step(f"{rows:,} customers made", made, environment)[1].split()[-1]
    _, read = run_step("features read", [*this, "read", "--run", run_id], environment)
    step, said = run_step(
        f"{rows:,} customers scored",
        [sys.executable, "-m", "ml.churn", "score", "--run", run_id],
        environment,
    )
    if not said.startswith(f"{rows} customers scored"):
        raise StepError(f"{rows} customers were to be scored: {said}")
    return Scoring(
        target=settings.target,
        candidate=candidate,
        customers=rows,
        features=len(load_params().features),
        seconds=step.seconds,
        cpu_seconds=step.cpu_seconds,
        peak_bytes=step.peak_bytes,
        read_seconds=json.loads(read)["seconds"],
    )


def make(settings: Settings, *, customers: int, seed: int, candidate: str) -> str:
    """A started run with its table of features, and a champion fitted on rows of its kind; the run_id."""
    params = load_params()
    _register(Registry(settings.models_dir), candidate, params, seed)
    run_id = f"run_{AS_OF:%Y%m%d}_01"
    with open_warehouse(settings) as warehouse:
        schema.init(warehouse)
        dates = {"as_of_date": [AS_OF], "knowledge_cutoff_on": [AS_OF]}
        run = {"run_id": [run_id], "run_key": [run_id], "kind": ["daily"], "status": ["started"], **dates}
        warehouse.append("ops.runs", pa.table({**run, "started_at": [dt.datetime.combine(AS_OF, dt.time())]}))
        warehouse.append("ops.run_dates", pa.table({"run_id": [run_id], **dates}))
        warehouse.execute(f"create schema {run_id}")
        chunks = feature_chunks(params, customers, seed)
        first = next(chunks)
        relation = f"{run_id}.fct_customer_features"
        warehouse.create_table(relation, first.schema)
        for chunk in (first, *chunks):
            warehouse.append(relation, chunk)
    return run_id


def feature_chunks(params: Params, customers: int, seed: int) -> Iterator[pa.Table]:
    """fct_customer_features for `customers`, in parts: what makes a customer active moves most features, and
    a share of the values is null.
    """
    for start in range(0, customers, CHUNK_ROWS):
        rows = min(CHUNK_ROWS, customers - start)
        rng = np.random.default_rng([seed, start])
        keys = {
            "as_of_date": pa.array([AS_OF] * rows, pa.date32()),
            "customer_id": [f"c{number:08d}" for number in range(start, start + rows)],
            "is_eligible": pa.array([True] * rows),
        }
        yield pa.table(keys | _columns(params, _activity(rows, rng), rng))


def _activity(rows: int, rng: np.random.Generator) -> Floats:
    return rng.normal(size=rows)


def _columns(params: Params, activity: Floats, rng: np.random.Generator) -> dict[str, pa.Array]:
    rows = len(activity)
    columns = {}
    for feature in params.features:
        own = rng.normal(size=rows)
        columns[feature.name] = pa.array(
            _values(feature, -feature.sign * 0.5 * activity + own, rng), mask=rng.random(rows) < NULL_SHARE
        )
    return columns


def _values(feature: Feature, level: Floats, rng: np.random.Generator) -> npt.NDArray[Any]:
    """Of the feature's kind: long-tailed amounts, whole counts and days, shares between 0 and 1."""
    if feature.is_category:
        return np.array(["high", "mid", "low"], dtype=object)[np.digitize(level, (-1.0, 0.5))]
    if feature.kind == "amount":
        return np.round(np.exp(8 + 1.5 * level) - 500, 2)
    if feature.kind in ("count", "days"):
        return rng.poisson(np.exp(2 + 0.7 * np.minimum(level, 5))).astype(np.float64)
    if feature.kind == "share":
        return np.round(1 / (1 + np.exp(-level)), 6)
    return np.round(np.exp(0.5 * level), 6)


def _register(registry: Registry, candidate: str, params: Params, seed: int) -> None:
    """Fit `candidate` with the last and largest settings of its grid, and promote it as of AS_OF."""
    settings = {one.name: one.settings()[-1] for one in params.candidates}
    rng = np.random.default_rng([seed, CHUNK_ROWS + 1])
    activity = _activity(TRAINED_ROWS, rng)
    table = pa.table(_columns(params, activity, rng))
    cut = np.quantile(activity - rng.logistic(size=TRAINED_ROWS), CHURN_RATE)
    churned = (activity - rng.logistic(size=TRAINED_ROWS) < cut).astype(np.int8)
    customers = np.array([f"c{number}" for number in range(TRAINED_ROWS)])
    frame = feature_frame(table, params.features, "benchmark")
    model = fit_calibrated(build(candidate, settings[candidate], params), frame, churned, customers, params)
    version = f"churn_{AS_OF:%Y%m%d}_benchmark"
    features = [asdict(feature) for feature in params.features]
    registry.save(version, {MODEL: model}, {"features": features})
    registry.promote(Promotion(version, AS_OF, "made by the benchmark"))


def read(settings: Settings, run_id: str) -> float:
    """Seconds of one pass over what scoring reads, in batches of its size."""
    names = ", ".join(["as_of_date", "customer_id", *load_params().feature_names])
    with open_warehouse(settings) as warehouse:
        started = time.perf_counter()
        select = f"select {names} from {run_id}.fct_customer_features where is_eligible"
        with warehouse.stream(select, batch_rows=BATCH_ROWS) as batches:
            for _ in batches:
                pass
        return time.perf_counter() - started


def main() -> int:
    """Make the run and print its id, or read its features and print the seconds as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring")
    commands = parser.add_subparsers(dest="command", required=True)
    maker = commands.add_parser("make")
    maker.add_argument("--customers", type=int, required=True)
    maker.add_argument("--seed", type=int, required=True)
    maker.add_argument("--candidate", required=True)
    commands.add_parser("read").add_argument("--run", required=True)
    options = parser.parse_args()
    settings = Settings.from_environment()
    if options.command == "make":
        made = make(settings, customers=options.customers, seed=options.seed, candidate=options.candidate)
        print(made)
    else:
        print(json.dumps({"seconds": read(settings, options.run)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
