"""What is kept: run schemas for a while, daily history for a year and more, month-ends for ever."""

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


@dataclass(frozen=True)
class Dropped:
    """What one `retain` removed."""

    run_ids: list[str]
    dates: list[dt.date]


def retain(wh: Warehouse, *, kept_runs: int = KEPT_RUNS, kept_days: int = KEPT_DAYS) -> Dropped:
    """Drop the schemas of old runs and the archived daily snapshots that are no longer kept.

    Kept are the schemas of the last `kept_runs` published runs, of the run that marts.* show and of the one
    before it, and of every run that began after the oldest of the kept publications. Archived rows older than
    `kept_days` before the newest standing date go, unless they are month-ends.
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
        audit.record(
            wh,
            "retain",
            f"last {kept_runs} runs, {kept_days} days",
            f"dropped {len(run_ids)} run schemas and {len(dates)} archived days",
        )
    return Dropped(run_ids=run_ids, dates=dates)


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
