"""Score: the champion's probability for every eligible customer of a run, batch by batch, fitting nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from rich.progress import Progress
from sklearn.base import ClassifierMixin

from ml.churn.errors import InputError, TooYoungError
from ml.churn.frame import KEYS, check_columns, feature_frame
from ml.churn.params import Feature, Params
from ml.churn.pipeline import probabilities
from ml.churn.registry import Promotion, Registry
from ml.churn.runs import Run, get_run
from ml.churn.youth import why_too_young
from warehouse import Settings, Warehouse, open_warehouse

SCORES = pa.schema(
    [
        ("as_of_date", pa.date32()),
        ("customer_id", pa.string()),
        ("churn_probability", pa.float64()),
        ("model_version", pa.string()),
        ("scored_at", pa.timestamp("us")),
    ]
)
BATCH_ROWS = 16_384


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
    features = [Feature(**entry) for entry in registry.metadata(model_version)["features"]]
    check_columns(
        list(wh.column_types(source)),
        needed=[*KEYS, "is_eligible", *(feature.name for feature in features)],
        allowed=params.excluded,
        where=source,
        remedy=f"{model_version} takes others: correct the SQL or run churn_training",
    )
    model = registry.load(model_version)
    eligible = wh.query(f"select count(*) as n from {source} where is_eligible").column("n")[0].as_py()
    task = progress.add_task(f"Score with {model_version}", total=eligible)
    columns = ", ".join([*KEYS, *(feature.name for feature in features)])
    select = f"select {columns} from {source} where is_eligible"
    with wh.stream(select, batch_rows=BATCH_ROWS) as batches, wh.transaction():

        def scored() -> Iterator[pa.RecordBatch]:
            for batch in batches:
                yield score_batch(batch, model, features, model_version, datetime.now(UTC), source)
                progress.advance(task, batch.num_rows)

        return _replace(wh, run, pa.RecordBatchReader.from_batches(SCORES, scored()))


def score_batch(
    batch: pa.RecordBatch,
    model: ClassifierMixin,
    features: list[Feature],
    model_version: str,
    scored_at: datetime,
    where: str,
) -> pa.RecordBatch:
    """One batch of keys and features to one batch of SCORES; no score depends on another row."""
    rows = batch.num_rows
    probability = probabilities(model, feature_frame(batch, features, where)) if rows else np.empty(0)
    return pa.RecordBatch.from_arrays(
        [
            batch.column("as_of_date").cast(pa.date32()),
            batch.column("customer_id").cast(pa.string()),
            pa.array(probability, pa.float64()),
            pa.repeat(pa.scalar(model_version, pa.string()), rows),
            pa.repeat(pa.scalar(scored_at.replace(tzinfo=None), pa.timestamp("us")), rows),
        ],
        schema=SCORES,
    )


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
