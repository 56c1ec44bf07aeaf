"""What is kept: run schemas and rejected texts for a while, daily history for a year, month-ends for ever."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from warehouse import audit
from warehouse.door import Warehouse
from warehouse.publish import ARCHIVED_MARTS, shown_runs
from warehouse.runs import is_month_end

KEPT_RUNS = 7
KEPT_DAYS = 400
KEPT_TEXT_DAYS = 90
KEPT_RESULT_DAYS = 400


@dataclass(frozen=True)
class Dropped:
    """What one `retain` removed."""

    run_ids: list[str]
    dates: list[dt.date]
    # Rejected rows whose text is gone; rows of results of tests, builds and the watch.
    texts: int
    results: int


def retain(
    wh: Warehouse,
    *,
    kept_runs: int = KEPT_RUNS,
    kept_days: int = KEPT_DAYS,
    kept_text_days: int = KEPT_TEXT_DAYS,
    kept_result_days: int = KEPT_RESULT_DAYS,
) -> Dropped:
    """Drop the schemas of old runs, the archived daily snapshots, rejected texts and results no longer kept.

    Kept are the schemas of the last `kept_runs` published runs, of the run that marts.* show and of the one
    before it, and of every run that began after the oldest of the kept publications. Archived rows older than
    `kept_days` before the newest standing date go, unless they are month-ends. The texts of rejected rows go
    `kept_text_days` before the newest delivery (why a row was rejected, and where it stood, stays), results
    of tests, builds and the watch `kept_result_days` before the newest of their kind.
    """
    with wh.transaction():
        wh.lock("runs")
        run_ids = _runs_to_drop(wh, kept_runs)
        for run_id in run_ids:
            wh.execute(f"drop schema {run_id} cascade")
            wh.execute("update ops.runs set status = 'dropped' where run_id = $1", [run_id])
        dates = _dates_to_drop(wh, kept_days)
        if dates:
            listed = ", ".join(f"date '{date}'" for date in dates)
            for mart in ARCHIVED_MARTS:
                if wh.exists(f"archive.{mart}"):
                    wh.execute(f"delete from archive.{mart} where as_of_date in ({listed})")
            wh.execute(f"delete from ops.archived_days where as_of_date in ({listed})")
        texts = _drop_texts(wh, kept_text_days)
        results = sum(
            _drop_older(wh, table, moment, kept_result_days)
            for table, moment in (
                ("ops.test_results", "executed_at"),
                ("ops.build_results", "built_at"),
                ("ops.health_checks", "checked_at"),
            )
        )
        audit.record(
            wh,
            "retain",
            f"last {kept_runs} runs, {kept_days} days, texts {kept_text_days}, results {kept_result_days}",
            f"dropped {len(run_ids)} run schemas, {len(dates)} archived days, {texts} rejected texts and "
            f"{results} results",
        )
    return Dropped(run_ids=run_ids, dates=dates, texts=texts, results=results)


def _drop_texts(wh: Warehouse, kept_days: int) -> int:
    """Rejected rows of deliveries that old lose what they said, in both tables; the number of such rows."""
    newest = wh.query("select max(delivered_on) as day from ops.batches")["day"][0].as_py()
    if newest is None:
        return 0
    of_old = "batch_id in (select batch_id from ops.batches where delivered_on < $1)"
    day = [newest - dt.timedelta(days=kept_days)]
    # Counted first: not every engine says how many rows it changed.
    told = wh.query(
        f"select count(*) as n from ops.rejected_rows where raw_text is not null and {of_old}", day
    )["n"][0].as_py()
    wh.execute(f"update ops.rejected_rows set raw_text = null where raw_text is not null and {of_old}", day)
    wh.execute(f"delete from restricted.rejected_rows where {of_old}", day)
    return int(told)


def _drop_older(wh: Warehouse, table: str, moment: str, kept_days: int) -> int:
    newest = wh.query(f"select max({moment}) as newest from {table}")["newest"][0].as_py()
    if newest is None:
        return 0
    since = [newest - dt.timedelta(days=kept_days)]
    count = wh.query(f"select count(*) as n from {table} where {moment} < $1", since)["n"][0].as_py()
    if count:
        wh.execute(f"delete from {table} where {moment} < $1", since)
    return int(count)


def _runs_to_drop(wh: Warehouse, kept_runs: int) -> list[str]:
    published = wh.query(
        """
        select publications.run_id, runs.started_at
        from ops.publications as publications
        inner join ops.runs as runs on publications.run_id = runs.run_id
        where publications.withdrawn_at is null
        order by publications.publication_no desc
        """
    ).to_pylist()
    if len(published) <= kept_runs:
        return []
    kept = {run["run_id"] for run in published[:kept_runs]} | set(shown_runs(wh)[:2])
    # A run that began since then may still be at work, or be the one that somebody looks into.
    oldest = min(run["started_at"] for run in published[:kept_runs])
    started = {
        run["run_id"]: run["started_at"]
        for run in wh.query("select run_id, started_at from ops.runs").to_pylist()
    }
    published_ids = {run["run_id"] for run in published}
    return [
        schema
        for schema in wh.schemas()
        if re.fullmatch(r"run_\d{8}_\d{2,}", schema)
        and schema not in kept
        and (schema in published_ids or started.get(schema, oldest) < oldest)
    ]


def _dates_to_drop(wh: Warehouse, kept_days: int) -> list[dt.date]:
    newest = wh.query("select max(as_of_date) as day from ops.standing_snapshots")["day"][0].as_py()
    if newest is None:
        return []
    archived = wh.query(
        "select distinct as_of_date from ops.archived_days where as_of_date < $1 order by as_of_date",
        [newest - dt.timedelta(days=kept_days)],
    )
    return [date for date in archived["as_of_date"].to_pylist() if not is_month_end(date)]
