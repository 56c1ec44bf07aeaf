"""Runs: the same key is the same run, and each kind builds its dates."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.warehouse.planted import DAY, SOURCE, plant_run, plant_source, plant_transactions, published
from warehouse import Settings, WarehouseError, open_warehouse
from warehouse.errors import NothingToDoError
from warehouse.publish import publish
from warehouse.runs import end_run, fail_run, full_month_ends, read_run, start_run


def dates_of(wh, run_id: str) -> list[dt.date]:
    return wh.query("select as_of_date from ops.run_dates where run_id = $1 order by 1", [run_id])[
        "as_of_date"
    ].to_pylist()


def test_runs_of_a_day_are_numbered_and_know_their_cutoff(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh, lag_days=2)
        ids = [start_run(wh, kind="daily", as_of_date=DAY, key=key, source=SOURCE) for key in ("a", "b", "a")]
        assert ids == ["run_20261031_01", "run_20261031_02", "run_20261031_01"]
        assert set(ids) <= set(wh.schemas())
        assert wh.query("select distinct as_of_date, knowledge_cutoff_on from ops.run_dates").to_pylist() == [
            {"as_of_date": DAY, "knowledge_cutoff_on": dt.date(2026, 11, 2)}
        ]


def test_a_retry_begins_in_an_empty_schema_without_old_test_results(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        run_id = plant_run(wh)
        wh.execute(
            f"insert into ops.test_results values ('{run_id}', null, 'dbt', 'marts', 't', null, 'error',"
            " 'fail', 1, null, timestamp '2026-10-31 00:00:00')"
        )
        fail_run(wh, run_id)
        assert start_run(wh, kind="daily", as_of_date=DAY, key="key", source=SOURCE) == run_id
        assert not wh.exists(f"{run_id}.dim_customers")
        assert wh.query("select * from ops.test_results").num_rows == 0
        assert read_run(wh, run_id).status == "started"
        assert dates_of(wh, run_id) == [DAY]


def test_a_training_is_done_and_a_day_is_published(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        published(wh)
        day = plant_run(wh, key="another")
        wh.execute("update ops.runs set kind = 'training' where run_id = $1", [day])
        end_run(wh, day)
        end_run(wh, day)
        assert read_run(wh, day).status == "done"
        wh.execute("update ops.runs set kind = 'audit', status = 'failed' where run_id = $1", [day])
        end_run(wh, day)
        assert read_run(wh, day).status == "failed"
        wh.execute("update ops.runs set kind = 'daily', status = 'started' where run_id = $1", [day])
        with pytest.raises(WarehouseError, match="is a daily run: it ends when it is published"):
            end_run(wh, day)


def test_the_key_of_a_published_run_leaves_it_as_it_is(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        run_id = published(wh).run_id
        with pytest.raises(NothingToDoError) as nothing:
            start_run(wh, kind="daily", as_of_date=DAY, key="key", source=SOURCE)
        assert nothing.value.run_id == run_id
        assert wh.query(f"select * from {run_id}.dim_customers").num_rows == 2
        with pytest.raises(WarehouseError, match="only a started run can fail"):
            fail_run(wh, run_id)


def test_a_key_belongs_to_one_kind_and_date(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        start_run(wh, kind="daily", as_of_date=DAY, key="a", source=SOURCE)
        with pytest.raises(WarehouseError, match="choose another key"):
            start_run(wh, kind="daily", as_of_date=dt.date(2026, 10, 30), key="a", source=SOURCE)


def test_those_who_ask_at_once_get_runs_of_their_own(postgres_settings: Settings) -> None:
    with open_warehouse(postgres_settings) as wh:
        plant_source(wh)
    keys = ["a", "b", "c", "a"]
    at_once = threading.Barrier(len(keys))

    def ask(key: str) -> str:
        with open_warehouse(postgres_settings) as wh:
            at_once.wait(timeout=30)
            return start_run(wh, kind="daily", as_of_date=DAY, key=key, source=SOURCE)

    with ThreadPoolExecutor(len(keys)) as threads:
        ids = list(threads.map(ask, keys))
    assert set(ids) == {"run_20261031_01", "run_20261031_02", "run_20261031_03"}
    assert ids[0] == ids[3]


def test_without_an_ingested_source_there_is_no_run(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        with pytest.raises(WarehouseError, match="ingest load"):
            start_run(wh, kind="daily", as_of_date=DAY, key="a", source=SOURCE)
        plant_source(wh)
        with pytest.raises(WarehouseError, match="holds the source 'demo'"):
            start_run(wh, kind="daily", as_of_date=DAY, key="a", source="berka")
        with pytest.raises(WarehouseError, match=r"raw\.transactions"):
            start_run(wh, kind="bootstrap", as_of_date=DAY, key="a", source=SOURCE)


@pytest.mark.parametrize(
    ("first", "before", "expected"),
    [
        (dt.date(2026, 7, 15), dt.date(2026, 10, 31), [dt.date(2026, 8, 31), dt.date(2026, 9, 30)]),
        (dt.date(2026, 7, 1), dt.date(2026, 9, 1), [dt.date(2026, 7, 31), dt.date(2026, 8, 31)]),
        (
            dt.date(2023, 11, 30),
            dt.date(2024, 3, 1),
            [dt.date(2023, 12, 31), dt.date(2024, 1, 31), dt.date(2024, 2, 29)],
        ),
        (dt.date(2026, 10, 2), dt.date(2026, 10, 31), []),
        (dt.date(2027, 1, 1), dt.date(2026, 10, 31), []),
    ],
)
def test_full_month_ends(first: dt.date, before: dt.date, expected: list[dt.date]) -> None:
    assert full_month_ends(first, before) == expected


def test_a_bootstrap_builds_what_does_not_stand_and_training_what_stands(settings: Settings) -> None:
    august, september = dt.date(2026, 8, 31), dt.date(2026, 9, 30)
    with open_warehouse(settings) as wh:
        plant_source(wh)
        plant_transactions(wh, dt.date(2026, 7, 15))
        with pytest.raises(NothingToDoError):
            start_run(wh, kind="training", as_of_date=DAY, key="early", source=SOURCE)
        run_id = published(wh, DAY, "past", kind="bootstrap").run_id
        assert dates_of(wh, run_id) == [august, september]
        with pytest.raises(NothingToDoError):
            start_run(wh, kind="bootstrap", as_of_date=DAY, key="past again", source=SOURCE)
        published(wh, dt.date(2026, 10, 30), "a day that ends no month")
        published(wh, DAY, "a day that does")
        training = start_run(wh, kind="training", as_of_date=DAY, key="training", source=SOURCE)
        assert dates_of(wh, training) == [august, september, DAY]
        later = start_run(wh, kind="bootstrap", as_of_date=dt.date(2026, 12, 5), key="later", source=SOURCE)
        assert dates_of(wh, later) == [dt.date(2026, 11, 30)]


def test_an_audit_builds_one_month_end_that_stands_and_is_never_published(settings: Settings) -> None:
    august, september = dt.date(2026, 8, 31), dt.date(2026, 9, 30)
    with open_warehouse(settings) as wh:
        plant_source(wh)
        plant_transactions(wh, dt.date(2026, 7, 15))
        with pytest.raises(NothingToDoError, match="no month-end with features in history"):
            start_run(wh, kind="audit", as_of_date=august, key="early", source=SOURCE)
        published(wh, DAY, "past", kind="bootstrap")
        audit = start_run(wh, kind="audit", as_of_date=august, key="audit", source=SOURCE)
        assert audit.startswith("run_20260831_")
        assert dates_of(wh, audit) == [august]
        cutoffs = wh.query(
            "select distinct knowledge_cutoff_on from ops.run_dates where as_of_date = $1", [august]
        )
        assert cutoffs.num_rows == 1, "it knows what was known on its day, and no more"
        with pytest.raises(WarehouseError, match="nothing for readers"):
            publish(wh, audit)
        assert dates_of(
            wh, start_run(wh, kind="audit", as_of_date=september, key="another", source=SOURCE)
        ) == [september]
