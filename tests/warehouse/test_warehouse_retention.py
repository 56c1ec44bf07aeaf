"""Retention drops what nobody can come back to, and nothing else."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.warehouse.planted import DAY, SOURCE, history, plant_source, published, shown
from warehouse import Settings, WarehouseError, open_warehouse
from warehouse.publish import ARCHIVED_MARTS, rollback
from warehouse.retention import retain
from warehouse.runs import start_run
from warehouse.schema import ensure


def run_schemas(wh) -> list[str]:
    return [schema for schema in wh.schemas() if schema.startswith("run_")]


def test_old_run_schemas_go_and_history_stays(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        abandoned = start_run(wh, kind="daily", as_of_date=dt.date(2026, 9, 1), key="x", source=SOURCE)
        dates = [DAY - dt.timedelta(days=days) for days in range(4, -1, -1)]
        ids = [published(wh, date, str(date)).run_id for date in dates]
        at_work = start_run(wh, kind="daily", as_of_date=dt.date(2026, 9, 2), key="y", source=SOURCE)
        assert retain(wh, kept_runs=5).run_ids == []
        assert set(retain(wh, kept_runs=3).run_ids) == {abandoned, *ids[:2]}
        assert run_schemas(wh) == sorted([at_work, *ids[2:]])
        assert shown(wh) == [ids[-1]]
        assert list(history(wh).values()) == ids
        dropped = wh.query("select run_id from ops.runs where status = 'dropped' order by 1")
        assert dropped["run_id"].to_pylist() == sorted([abandoned, *ids[:2]])
        assert retain(wh, kept_runs=3).run_ids == []


def test_the_shown_run_and_the_one_before_it_survive_a_backfill(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        before = published(wh, DAY - dt.timedelta(days=1), "before").run_id
        newest = published(wh, DAY, "newest").run_id
        older = [published(wh, DAY - dt.timedelta(days=days), f"old {days}").run_id for days in (9, 8, 7)]
        assert retain(wh, kept_runs=1).run_ids == sorted(older[:2])
        assert shown(wh) == [newest]
        rollback(wh)
        assert shown(wh) == [before]


def test_rollback_says_when_the_schema_before_is_gone(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        ids = [published(wh, DAY - dt.timedelta(days=days), str(days)).run_id for days in (2, 1, 0)]
        retain(wh, kept_runs=1)
        rollback(wh)
        with pytest.raises(WarehouseError, match=f"{ids[0]}.*retention has dropped its schema"):
            rollback(wh)
        assert shown(wh) == [ids[1]]


def test_archived_days_go_after_a_while_and_month_ends_never(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        dates = [DAY - dt.timedelta(days=days) for days in (400, 31, 30, 11, 10, 0)]
        assert dates[1] == dt.date(2026, 9, 30)
        for date in dates:
            published(wh, date, str(date))
        assert retain(wh, kept_days=400).dates == []
        assert retain(wh, kept_days=10).dates == [dates[0], dates[2], dates[3]]
        assert list(history(wh)) == [dates[1], dates[4], dates[5]]
        noted = wh.query("select distinct as_of_date from ops.archived_days order by 1")
        assert noted["as_of_date"].to_pylist() == [dates[1], dates[4], dates[5]]
        assert retain(wh, kept_days=10).dates == []


def test_days_archived_before_they_were_noted_are_found(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        published(wh)
        noted = wh.query("select * from ops.archived_days order by mart").to_pylist()
        assert {row["mart"] for row in noted} == set(ARCHIVED_MARTS)
        wh.execute("drop table ops.archived_days")
        ensure(wh)
        assert wh.query("select * from ops.archived_days order by mart").to_pylist() == noted


def test_rejected_texts_and_results_go_and_what_was_wrong_stays(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        run_id = published(wh, DAY, "one").run_id
        for number, age in ((1, 91), (2, 90), (3, 0)):
            wh.execute(
                "insert into ops.batches (batch_id, batch_no, source, delivered_on, is_history, status,"
                " rows_read, rows_loaded, rows_rejected, rows_duplicate, loaded_at)"
                " values ($1, $2, 'demo', $3, false, 'loaded', 1, 0, 1, 0, timestamp '2026-10-31 00:00:00')",
                [f"B{number}", number, DAY - dt.timedelta(days=age)],
            )
            wh.execute(
                "insert into ops.rejected_rows values ($1, 'e', 'f', 1, 'c', 'type', 'why', 'text')",
                [f"B{number}"],
            )
            wh.execute(
                "insert into restricted.rejected_rows values ($1, 'e', 'f', 1, 'text')", [f"B{number}"]
            )
        newest = wh.query("select max(executed_at) as at from ops.test_results")["at"][0].as_py()
        for days, name in ((400, "kept"), (401, "old")):
            moment = newest - dt.timedelta(days=days)
            wh.execute(
                "insert into ops.test_results (run_id, tool, gate, test_name, severity, status, executed_at)"
                " values ($1, 'dbt', 'marts', $2, 'warn', 'pass', $3)",
                [run_id, name, moment],
            )
            for built_at in {moment, newest}:
                wh.execute(
                    "insert into ops.build_results values ($1, 'marts', $2, 'model', 'success', 1.0, $3)",
                    [run_id, name, built_at],
                )
                wh.execute(
                    "insert into ops.health_checks (checked_at, check_name, subject, unit, status, message)"
                    " values ($1, $2, 'all', '', 'ok', '')",
                    [built_at, name],
                )
        dropped = retain(wh)
        assert (dropped.texts, dropped.results) == (1, 3)
        texts = wh.query("select batch_id, raw_text, reason from ops.rejected_rows order by 1").to_pylist()
        assert [(row["batch_id"], row["raw_text"], row["reason"]) for row in texts] == [
            ("B1", None, "why"),
            ("B2", "text", "why"),
            ("B3", "text", "why"),
        ]
        assert wh.query("select batch_id from restricted.rejected_rows order by 1")[
            "batch_id"
        ].to_pylist() == ["B2", "B3"]
        names = wh.query("select test_name from ops.test_results where test_name in ('kept', 'old')")
        assert names["test_name"].to_pylist() == ["kept"]
        checks = wh.query("select check_name, count(*) as n from ops.health_checks group by 1 order by 1")
        assert checks.to_pylist() == [{"check_name": "kept", "n": 2}, {"check_name": "old", "n": 1}]
        assert (retain(wh).texts, retain(wh, kept_text_days=0).texts) == (0, 1)
