"""Score: the champion's probability for every eligible customer of a run, batch by batch, fitting nothing."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
from rich.progress import Progress
from sklearn.base import ClassifierMixin

from ml.churn.errors import InputError, TooYoungError
from ml.churn.frame import KEYS, check_columns, feature_frame
from ml.churn.params import Feature, Params, Windows
from ml.churn.pipeline import probabilities
from ml.churn.registry import Promotion, Registry
from ml.churn.runs import Run, get_run
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
        source = f"{run_id}.fct_customer_features"
        if not wh.exists(source):
            raise InputError(f"{source} does not exist; build it first: dbt build --select snapshot")
        champion = registry.standing(run.as_of_date)
        if champion is None:
            reason = why_too_young(wh, run, params.windows)
            if reason is None:
                raise InputError(_no_champion(run, registry.promotions()))
            with wh.transaction():
                _replace(wh, run_id, SCORES.empty_table().to_reader())
                wh.execute(
                    "update ops.runs set note = $1 where run_id = $2",
                    [f"scores: too young: {reason}", run_id],
                )
            raise TooYoungError(reason)
        features = [Feature(**entry) for entry in registry.metadata(champion.model_version)["features"]]
        check_columns(
            list(wh.column_types(source)),
            needed=[*KEYS, "is_eligible", *(feature.name for feature in features)],
            allowed=params.excluded,
            where=source,
            remedy=f"{champion.model_version} takes others: correct the SQL or run churn_training",
        )
        model = registry.load(champion.model_version)
        eligible = wh.query(f"select count(*) as n from {source} where is_eligible").column("n")[0].as_py()
        task = progress.add_task(f"Score with {champion.model_version}", total=eligible)
        columns = ", ".join([*KEYS, *(feature.name for feature in features)])
        eligible_rows = f"select {columns} from {source} where is_eligible"
        batches = wh.stream(eligible_rows, batch_rows=BATCH_ROWS)

        def scored() -> Iterator[pa.RecordBatch]:
            for batch in batches:
                yield score_batch(batch, model, features, champion.model_version, datetime.now(UTC), source)
                progress.advance(task, batch.num_rows)

        with wh.transaction():
            rows = _replace(wh, run_id, pa.RecordBatchReader.from_batches(SCORES, scored()))
    return champion.model_version, rows


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


def why_too_young(wh: Warehouse, run: Run, windows: Windows) -> str | None:
    """Why the data known at the run cannot have given a model; None when it could have, and training is what
    is missing.
    """
    first = _earliest(wh, "core.fct_account_activity_daily", "activity_date")
    if first is None:
        return "there is no activity yet"
    # (D-O, D] begins a day after D-O.
    needed_from = first + timedelta(days=windows.observation_days - 1)
    needed_to = run.as_of_date - timedelta(days=windows.embargo_days)
    mature = 0
    if wh.exists("history.fct_customer_features"):
        mature = (
            wh.query(
                "select count(distinct as_of_date) as n from history.fct_customer_features "
                "where as_of_date between $1 and $2",
                [needed_from, needed_to],
            )
            .column("n")[0]
            .as_py()
        )
    if not mature:
        return (
            f"no month-end has {windows.observation_days} days of activity before it (activity begins "
            f"{first}) and {windows.embargo_days} days of outcome after it"
        )
    trainings = wh.query(
        "select as_of_date, outcome from ops.training_runs where as_of_date <= $1 "
        "order by as_of_date desc, trained_at desc",
        [run.as_of_date],
    ).to_pylist()
    if trainings and trainings[0]["outcome"] in ("no_mature_labels", "too_few_churners"):
        return (
            f"the training of {trainings[0]['as_of_date']} found {trainings[0]['outcome'].replace('_', ' ')}"
        )
    return None


def _check_one_date(wh: Warehouse, run: Run) -> None:
    dates = wh.query("select as_of_date from ops.run_dates where run_id = $1", [run.run_id]).column(
        "as_of_date"
    )
    if dates.to_pylist() != [run.as_of_date]:
        raise InputError(
            f"run {run.run_id} ({run.kind}) does not build {run.as_of_date} alone ({len(dates)} dates); "
            "every date is scored by the champion of its day: score a daily run"
        )


def _no_champion(run: Run, promotions: list[Promotion]) -> str:
    later = (
        f" (the first was trained as of {promotions[0].as_of_date}, later than this run)"
        if promotions
        else ""
    )
    return (
        f"NO CHAMPION: no churn model stands for {run.as_of_date}{later}, so nothing is scored. Run the "
        f"DAG churn_training (python -m ml.churn train) as of {run.as_of_date} or an earlier "
        "month-end, then this run again"
    )


def _replace(wh: Warehouse, run_id: str, scores: pa.RecordBatchReader) -> int:
    relation = f"{run_id}.raw_churn_scores"
    wh.create_table(relation, SCORES)
    # Not dropped and made again: dbt's views stand on it.
    wh.execute(f"delete from {relation}")
    return wh.append(relation, scores)


def _earliest(wh: Warehouse, relation: str, column: str) -> date | None:
    if not wh.exists(relation):
        return None
    return wh.query(f"select min({column}) as day from {relation}").column("day")[0].as_py()
