"""Score: the champion's probability and reasons for every eligible customer of a run, batch by batch, fitting
nothing.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from rich.progress import Progress
from threadpoolctl import threadpool_limits

from ml.churn.errors import InputError, TooYoungError
from ml.churn.evaluate import RISK_INDEX
from ml.churn.explain import DECIMALS, Explainer
from ml.churn.frame import KEYS, check_columns, feature_frame
from ml.churn.params import Feature, Params
from ml.churn.registry import Promotion, Registry
from ml.churn.runs import Run, get_run
from ml.churn.youth import why_too_young
from warehouse import Settings, Warehouse, open_warehouse

REASONS_TOLD = 5
RANKS = range(1, REASONS_TOLD + 1)
# Log-odds, 5 % of the odds: half a percentage point at a probability of 10 %. Less is no reason to call a
# customer, and what a manager is told as one should bear being asked about.
LEAST_TOLD = 0.05

# log_odds = base_log_odds + contribution_1 + ... + contribution_5 + contribution_rest, nulls as 0.
SCORES = pa.schema(
    [
        ("as_of_date", pa.date32()),
        ("customer_id", pa.string()),
        ("churn_probability", pa.float64()),
        ("model_version", pa.string()),
        ("scored_at", pa.timestamp("us")),
        ("log_odds", pa.float64()),
        ("base_log_odds", pa.float64()),
        *((f"reason_{rank}", pa.string()) for rank in RANKS),
        *((f"contribution_{rank}", pa.float64()) for rank in RANKS),
        ("contribution_rest", pa.float64()),
    ]
)
BATCH_ROWS = 8_192
# More would keep more batches in memory, and the engine that reads and writes wants a core too.
MOST_THREADS = 4


def run_scoring(settings: Settings, params: Params, run_id: str, progress: Progress) -> tuple[str, int]:
    """Replace `<run_id>.raw_churn_scores` with scores of the champion standing at the run's as-of date.

    Returns the model version and the number of customers scored. Raises TooYoungError after writing an empty
    table and the run's note; InputError when there is no champion though there could be one, or features are
    not the model's.
    """
    registry = Registry(settings.models_dir)
    with open_warehouse(settings) as wh:
        run = get_run(wh, run_id)
        _check_one_date(wh, run)
        if not wh.exists(_source(run)):
            raise InputError(f"{_source(run)} does not exist; build it first: dbt build --selector snapshot")
        champion = registry.standing(run.as_of_date)
        if champion is not None:
            return champion.model_version, _score(wh, run, registry, champion.model_version, params, progress)
        reason = why_too_young(wh, run.as_of_date, params.windows)
        if reason is None:
            raise InputError(_no_champion(run, registry.promotions()))
        with wh.transaction():
            _replace(wh, run, SCORES.empty_table().to_reader())
            note = f"scores: too young: {reason}"
            wh.execute("update ops.runs set note = $1 where run_id = $2", [note, run_id])
        raise TooYoungError(reason)


def _score(
    wh: Warehouse, run: Run, registry: Registry, model_version: str, params: Params, progress: Progress
) -> int:
    source = _source(run)
    features = registry.features(model_version)
    check_columns(
        list(wh.column_types(source)),
        needed=[*KEYS, "is_eligible", *(feature.name for feature in features)],
        allowed=[*params.excluded, *params.segments, RISK_INDEX],
        where=source,
        remedy=f"{model_version} takes others: correct the SQL or run churn_training",
    )
    explainer = Explainer(registry.load(model_version), features, params.excluded, model_version)
    eligible = wh.query(f"select count(*) as n from {source} where is_eligible").column("n")[0].as_py()
    task = progress.add_task(f"Score with {model_version}", total=eligible)
    columns = ", ".join([*KEYS, *(feature.name for feature in features)])
    select = f"select {columns} from {source} where is_eligible"

    # Once: a scoring is one event, however many batches it takes.
    scored_at = datetime.now(UTC)

    def score(batch: pa.RecordBatch) -> pa.RecordBatch:
        return score_batch(batch, explainer, features, model_version, scored_at, source)

    with wh.stream(select, batch_rows=BATCH_ROWS) as batches, wh.transaction():

        def scored() -> Iterator[pa.RecordBatch]:
            for done in _in_threads(score, batches):
                progress.advance(task, done.num_rows)
                yield done

        return _replace(wh, run, pa.RecordBatchReader.from_batches(SCORES, scored()))


def score_batch(
    batch: pa.RecordBatch,
    explainer: Explainer,
    features: list[Feature],
    model_version: str,
    scored_at: datetime,
    where: str,
) -> pa.RecordBatch:
    """One batch of keys and features to one batch of SCORES; no score depends on another row."""
    rows = batch.num_rows
    if not rows:
        return pa.RecordBatch.from_pylist([], schema=SCORES)
    explanation = explainer.explain(feature_frame(batch, features, where))
    reasons, told, rest = largest(explanation.contributions, explainer.reasons)
    return pa.RecordBatch.from_arrays(
        [
            batch.column("as_of_date").cast(pa.date32()),
            batch.column("customer_id").cast(pa.string()),
            pa.array(explanation.probability, pa.float64()),
            pa.repeat(pa.scalar(model_version, pa.string()), rows),
            pa.repeat(pa.scalar(scored_at.replace(tzinfo=None), pa.timestamp("us")), rows),
            pa.array(np.round(explanation.log_odds, DECIMALS), pa.float64()),
            pa.repeat(pa.scalar(round(explainer.base, DECIMALS), pa.float64()), rows),
            *reasons,
            *told,
            pa.array(rest, pa.float64()),
        ],
        schema=SCORES,
    )


def largest(
    contributions: npt.NDArray[np.float64], reasons: list[str]
) -> tuple[list[pa.Array], list[pa.Array], npt.NDArray[np.float64]]:
    """The REASONS_TOLD largest contributions of LEAST_TOLD and more: arrays of codes and of log-odds, one a
    rank, null where there are no more; and (rows,) the sum of all that is not told.

    `contributions` (reasons, rows). Of equal ones the reason earlier in `reasons` goes first.
    """
    rounded = np.round(contributions, DECIMALS)
    if len(reasons) < REASONS_TOLD:
        rounded = np.pad(rounded, ((0, REASONS_TOLD - len(reasons)), (0, 0)))
    order = np.argsort(-rounded, axis=0, kind="stable")[:REASONS_TOLD]
    values = np.take_along_axis(rounded, order, axis=0)
    words = pa.array(reasons, pa.string())
    codes, told = [], []
    for place, value in zip(order, values, strict=True):
        is_none = value < LEAST_TOLD
        codes.append(words.take(pa.array(place, pa.int64(), mask=is_none)))
        told.append(pa.array(value, pa.float64(), mask=is_none))
    rest = contributions.sum(axis=0) - np.where(values >= LEAST_TOLD, values, 0).sum(axis=0)
    return codes, told, np.round(rest, DECIMALS)


def _in_threads(
    work: Callable[[pa.RecordBatch], pa.RecordBatch], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """The work's results in the order of the batches, of which no more than one a thread and one are held."""
    count = min(os.cpu_count() or 1, MOST_THREADS)

    def limit() -> None:
        # Of this thread: sums, and so the last digits, must not depend on how many the machine has.
        threadpool_limits(1)

    with threadpool_limits(1), ThreadPoolExecutor(count, initializer=limit) as pool:
        waiting: deque[Future[Any]] = deque()
        try:
            for batch in batches:
                waiting.append(pool.submit(work, batch))
                if len(waiting) > count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _source(run: Run) -> str:
    return f"{run.run_id}.fct_customer_features"


def _check_one_date(wh: Warehouse, run: Run) -> None:
    built = wh.query("select as_of_date from ops.run_dates where run_id = $1", [run.run_id])
    dates = built.column("as_of_date").to_pylist()
    if dates != [run.as_of_date]:
        raise InputError(
            f"run {run.run_id} ({run.kind}) does not build {run.as_of_date} alone ({len(dates)} dates); "
            "every date is scored by the champion of its day: score a daily run"
        )


def _no_champion(run: Run, promotions: list[Promotion]) -> str:
    later = ""
    if promotions:
        later = f" (the first was trained as of {promotions[0].as_of_date}, later than this run)"
    return (
        f"NO CHAMPION: no churn model stands for {run.as_of_date}{later}, so nothing is scored. Run the "
        f"DAG churn_training as of {run.as_of_date} or an earlier month-end, after customer_bootstrap where "
        "history lacks month-ends, then this run again"
    )


def _replace(wh: Warehouse, run: Run, scores: pa.RecordBatchReader) -> int:
    relation = f"{run.run_id}.raw_churn_scores"
    wh.create_table(relation, SCORES)
    # Not dropped and made again: dbt's views stand on it.
    wh.execute(f"delete from {relation}")
    return wh.append(relation, scores)
