"""Runs: their numbers, their dates, their schemas."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from dataclasses import dataclass

from warehouse import audit, roles
from warehouse.clock import utc_now as utc_now
from warehouse.door import Warehouse
from warehouse.errors import NothingToDoError, WarehouseError

UNPUBLISHED_KINDS = ("training", "audit")
KINDS = ("daily", "bootstrap", *UNPUBLISHED_KINDS)


@dataclass(frozen=True)
class Run:
    """One row of ops.runs."""

    run_id: str
    run_key: str
    kind: str
    as_of_date: dt.date
    status: str
    note: str | None


def read_run(wh: Warehouse, run_id: str) -> Run:
    """The run of this id; raises WarehouseError when there is none."""
    if not re.fullmatch(r"run_\d{8}_\d{2,}", run_id):
        raise WarehouseError(f"{run_id!r} is no run id: they look like run_20261031_01")
    run = _find(wh, "run_id", run_id)
    if run is None:
        raise WarehouseError(f"there is no run {run_id}: `python -m warehouse start-run` makes one")
    return run


def start_run(wh: Warehouse, *, kind: str, as_of_date: dt.date, key: str, source: str) -> str:
    """Register a run and give it an empty schema; the run_id.

    The same `key` always means the same run: one that did not end well begins again in an empty schema, with
    its test results forgotten. Raises NothingToDoError when the run of this key is published, or no date is
    left to build; WarehouseError when nothing was ingested, or the key belongs to another run.
    """
    with wh.transaction():
        wh.lock("runs")
        lag_days = _landing_lag_days(wh, source)
        known = _find(wh, "run_key", key)
        if known is not None:
            _refuse_another_run(known, kind, as_of_date)
            if _is_published(wh, known.run_id):
                raise NothingToDoError(f"run {known.run_id} is published already", known.run_id)
        dates = _dates_to_build(wh, kind, as_of_date)
        run_id = known.run_id if known is not None else _next_run_id(wh, as_of_date)
        forget_run(wh, run_id)
        roles.open_run(wh, run_id)
        wh.execute(
            """
            insert into ops.runs (
                run_id, run_key, kind, as_of_date, knowledge_cutoff_on, status, started_at, newest_batch_no
            )
            select
                $1, $2, $3, $4, $5, 'started', $6,
                (select coalesce(max(batch_no), 0) from ops.batches where status = 'loaded')
            """,
            [run_id, key, kind, as_of_date, as_of_date + dt.timedelta(days=lag_days), utc_now()],
        )
        for date in dates:
            wh.execute(
                "insert into ops.run_dates (run_id, as_of_date, knowledge_cutoff_on) values ($1, $2, $3)",
                [run_id, date, date + dt.timedelta(days=lag_days)],
            )
    return run_id


def fail_run(wh: Warehouse, run_id: str) -> None:
    """Mark a started run as failed; its schema stays for a look. WarehouseError for any other status."""
    with wh.transaction():
        wh.lock("runs")
        run = read_run(wh, run_id)
        if run.status not in ("started", "failed"):
            raise WarehouseError(f"run {run_id} is {run.status}: only a started run can fail")
        wh.execute("update ops.runs set status = 'failed' where run_id = $1", [run_id])
        roles.close_run(wh, run_id)
        audit.record(wh, "fail-run", run_id)


def end_run(wh: Warehouse, run_id: str) -> None:
    """Mark a training or an audit, of which nothing is published, as done; nothing to do for one that ended.

    WarehouseError for a run of another kind: those end by their publication.
    """
    with wh.transaction():
        wh.lock("runs")
        run = read_run(wh, run_id)
        if run.kind not in UNPUBLISHED_KINDS:
            raise WarehouseError(f"run {run_id} is a {run.kind} run: it ends when it is published")
        if run.status == "started":
            wh.execute("update ops.runs set status = 'done' where run_id = $1", [run_id])
            roles.close_run(wh, run_id)


def forget_run(wh: Warehouse, run_id: str) -> None:
    """Remove what an earlier attempt of this run left; its publications and archived rows stay."""
    wh.execute(f"drop schema if exists {run_id} cascade")
    for table in ("ops.test_results", "ops.build_results", "ops.run_dates", "ops.runs"):
        wh.execute(f"delete from {table} where run_id = $1", [run_id])


def is_month_end(date: dt.date) -> bool:
    """Is this the last day of its month?"""
    return date.day == calendar.monthrange(date.year, date.month)[1]


def _find(wh: Warehouse, column: str, value: str) -> Run | None:
    rows = wh.query(
        f"select run_id, run_key, kind, as_of_date, status, note from ops.runs where {column} = $1", [value]
    ).to_pylist()
    return Run(**rows[0]) if rows else None


def _landing_lag_days(wh: Warehouse, source: str) -> int:
    rows = wh.query("select source, landing_lag_days from ops.sources").to_pylist()
    if not rows:
        raise WarehouseError(
            "nothing was ingested yet: run `python -m ingest load --source ... --landing ...` first"
        )
    if rows[0]["source"] != source:
        raise WarehouseError(
            f"this warehouse holds the source {rows[0]['source']!r} and KEEPWELL_SOURCE says {source!r}: "
            "every bank has a warehouse of its own"
        )
    return int(rows[0]["landing_lag_days"])


def _refuse_another_run(known: Run, kind: str, as_of_date: dt.date) -> None:
    if (known.kind, known.as_of_date) != (kind, as_of_date):
        raise WarehouseError(
            f"the key {known.run_key!r} belongs to {known.run_id}, a {known.kind} run as of "
            f"{known.as_of_date}: choose another key for a {kind} run as of {as_of_date}"
        )


def _is_published(wh: Warehouse, run_id: str) -> bool:
    return bool(
        wh.query(
            "select 1 as one from ops.publications where run_id = $1 and withdrawn_at is null", [run_id]
        ).num_rows
    )


def _next_run_id(wh: Warehouse, as_of_date: dt.date) -> str:
    prefix = f"run_{as_of_date:%Y%m%d}_"
    taken = wh.query("select run_id from ops.runs where as_of_date = $1", [as_of_date])["run_id"].to_pylist()
    number = 1 + max((int(run_id.removeprefix(prefix)) for run_id in taken), default=0)
    return f"{prefix}{number:02d}"


def _dates_to_build(wh: Warehouse, kind: str, as_of_date: dt.date) -> list[dt.date]:
    if kind == "daily":
        return [as_of_date]
    if kind == "bootstrap":
        dates = _month_ends_not_standing(wh, as_of_date)
        reason = f"every month-end before {as_of_date} stands in history, or there is no full month before it"
    elif kind == "training":
        dates = _month_ends_with_features(wh, as_of_date)
        reason = f"no month-end up to {as_of_date} stands in history: run the bootstrap first"
    elif kind == "audit":
        dates = [date for date in _month_ends_with_features(wh, as_of_date) if date == as_of_date]
        reason = (
            f"{as_of_date} is no month-end with features in history: there is nothing to hold them against"
        )
    else:
        raise WarehouseError(f"unknown kind of run {kind!r}: use one of {', '.join(KINDS)}")
    if not dates:
        raise NothingToDoError(reason)
    return dates


def _month_ends_not_standing(wh: Warehouse, before: dt.date) -> list[dt.date]:
    if not wh.exists("raw.transactions"):
        raise WarehouseError("there is no table raw.transactions: run `python -m ingest load` first")
    first = wh.query("select min(booked_on) as first_on from raw.transactions")["first_on"][0].as_py()
    if first is None:
        return []
    standing = set(wh.query("select as_of_date from ops.standing_snapshots")["as_of_date"].to_pylist())
    return [date for date in full_month_ends(first, before) if date not in standing]


def full_month_ends(first: dt.date, before: dt.date) -> list[dt.date]:
    """Ends of the months that begin on or after `first` and end before `before`, in order."""
    year, month = (first.year, first.month) if first.day == 1 else _following(first.year, first.month)
    dates: list[dt.date] = []
    while (end := dt.date(year, month, calendar.monthrange(year, month)[1])) < before:
        dates.append(end)
        year, month = _following(year, month)
    return dates


def _following(year: int, month: int) -> tuple[int, int]:
    return (year + 1, 1) if month == 12 else (year, month + 1)


def _month_ends_with_features(wh: Warehouse, until: dt.date) -> list[dt.date]:
    if not wh.exists("archive.fct_customer_features"):
        return []
    standing = wh.query(
        """
        select standing.as_of_date
        from ops.standing_snapshots as standing
        where
            standing.as_of_date <= $1
            and exists (
                select 1 from archive.fct_customer_features as features
                where features.as_of_date = standing.as_of_date and features.run_id = standing.run_id
            )
        order by standing.as_of_date
        """,
        [until],
    )
    return [date for date in standing["as_of_date"].to_pylist() if is_month_end(date)]
