"""Publication: whole or not at all, and readers see the newest day that stands."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import threading
import time

import pytest

from tests.warehouse.planted import (
    BEFORE,
    DAY,
    SOURCE,
    everything_published,
    history,
    plant_gates,
    plant_marts,
    plant_run,
    plant_source,
    plant_transactions,
    published,
    shown,
)
from warehouse import Settings, WarehouseError, open_warehouse
from warehouse.errors import GateError
from warehouse.publish import ARCHIVED_MARTS, CHURN, COMPARISONS, PUBLIC_MARTS, publish, rollback
from warehouse.runs import fail_run, start_run

KILLED_MIDWAY = """
import os, signal, sys
from warehouse import Settings, open_warehouse
from warehouse.publish import publish

with open_warehouse(Settings.from_environment()) as wh:
    execute = wh.execute
    def execute_or_die(sql, params=()):
        affected = execute(sql, params)
        if sys.argv[2] in sql:
            os.kill(os.getpid(), signal.SIGKILL)
        return affected
    wh.execute = execute_or_die
    publish(wh, sys.argv[1])
"""


def test_a_published_run_is_what_marts_and_history_show(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        publication = published(wh)
        assert publication.publication_no == 1
        assert (publication.scores_status, publication.model_version) == ("scored", "m1")
        assert publication.rows_published == 2 * len(PUBLIC_MARTS)
        for mart in PUBLIC_MARTS:
            assert shown(wh, mart) == [publication.run_id]
        assert not wh.exists("marts.fct_customer_features")
        for mart in ARCHIVED_MARTS:
            assert history(wh, mart) == {DAY: publication.run_id}
        assert wh.query("select status from ops.runs")["status"].to_pylist() == ["published"]


def test_publishing_twice_changes_nothing(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        publication = published(wh)
        before = everything_published(wh)
        assert publish(wh, publication.run_id) == publication
        assert everything_published(wh) == before


@pytest.mark.parametrize(
    "moment", ["insert into archive.fct_kpis", "insert into ops.publications", '"marts"."fct_kpis"']
)
def test_a_publication_killed_midway_leaves_the_last_one(
    settings: Settings, environment: dict[str, str], moment: str
) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        published(wh, BEFORE, "first")
        run_id = plant_run(wh, DAY, "second")
        before = everything_published(wh)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_MIDWAY, run_id, moment], env=environment, capture_output=True, text=True
    )
    assert killed.returncode == -9, killed.stderr
    with open_warehouse(settings) as wh:
        assert everything_published(wh) == before
        publish(wh, run_id)
        assert shown(wh) == [run_id]
        assert len(history(wh)) == 2


def test_a_failure_of_the_last_statement_leaves_the_last_publication(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        published(wh, BEFORE, "first")
        run_id = plant_run(wh, DAY, "second")
        # A table in the place of the last view: only the very end of the publication can notice.
        wh.execute("drop view marts.fct_kpis")
        wh.execute("create table marts.fct_kpis as select label, as_of_date from archive.fct_kpis limit 0")
        before = everything_published(wh)
        with pytest.raises(WarehouseError):
            publish(wh, run_id)
        assert everything_published(wh) == before


def test_publishing_an_older_date_changes_history_only(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        newest = published(wh, DAY, "newest").run_id
        older = published(wh, BEFORE, "older").run_id
        assert shown(wh) == [newest]
        assert history(wh) == {BEFORE: older, DAY: newest}
        again = published(wh, BEFORE, "again").run_id
        assert again == "run_20261030_02"
        assert shown(wh) == [newest]
        assert history(wh) == {BEFORE: again, DAY: newest}


def test_a_bootstrap_fills_history_and_shows_nothing(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        plant_transactions(wh, dt.date(2026, 7, 15))
        run_id = start_run(wh, kind="bootstrap", as_of_date=DAY, key="past", source=SOURCE)
        plant_marts(wh, run_id, marts=("dim_customers", "fct_customer_features"))
        plant_gates(wh, run_id, "bootstrap")
        publication = publish(wh, run_id)
        assert publication.scores_status == "none"
        assert history(wh) == {dt.date(2026, 8, 31): run_id, dt.date(2026, 9, 30): run_id}
        assert not wh.exists("marts.dim_customers")
        newest = published(wh, DAY, "newest").run_id
        corrected = published(wh, dt.date(2026, 9, 30), "corrected").run_id
        assert shown(wh) == [newest]
        assert history(wh) == {dt.date(2026, 8, 31): run_id, dt.date(2026, 9, 30): corrected, DAY: newest}


def test_a_day_without_scores_says_so(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        run_id = plant_run(wh)
        wh.execute(f"delete from {run_id}.fct_churn_scores")
        wh.execute("update ops.runs set note = 'no mature labels' where run_id = $1", [run_id])
        publication = publish(wh, run_id)
        assert (publication.scores_status, publication.model_version) == ("too_young", None)
        assert wh.query("select note from ops.publications")["note"].to_pylist() == ["no mature labels"]


def test_a_day_without_an_earlier_snapshot_has_nothing_to_compare(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        run_id = plant_run(wh)
        for mart in COMPARISONS:
            wh.execute(f"delete from {run_id}.{mart}")
        publish(wh, run_id)
        for mart in COMPARISONS:
            assert wh.query(f"select count(*) as n from marts.{mart}")["n"].to_pylist() == [0]


def test_a_day_on_which_nobody_had_churned_is_a_day_that_knew(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        run_id = plant_run(wh)
        for mart in CHURN:
            wh.execute(f"delete from {run_id}.{mart}")
        publish(wh, run_id)
        noted = wh.query(
            "select mart, run_id from ops.archived_days where mart like 'fct_churn%' order by mart"
        ).to_pylist()
        assert {"mart": "fct_churn_spells", "run_id": run_id} in noted
        assert {row["mart"] for row in noted} >= set(CHURN)


def refusals() -> list[object]:
    """What may be wrong with a run, and the words that say so."""
    return [
        pytest.param("drop table {run}.fct_kpis", "fct_kpis is missing", id="missing mart"),
        pytest.param("delete from {run}.fct_kpis", "fct_kpis has no rows as of 2026-10-31", id="empty mart"),
        pytest.param(
            "update {run}.fct_kpis set as_of_date = date '2026-10-30' where customer_id = 'C1'",
            "fct_kpis holds 2026-10-30",
            id="foreign date",
        ),
        pytest.param(
            "update {run}.fct_churn_scores set model_version = 'm2' where customer_id = 'C1'",
            "one model version",
            id="two models",
        ),
        pytest.param(
            "insert into ops.test_results values ('{run}', null, 'dbt', 'marts', 'assert_every_tier', null,"
            " 'error', 'fail', 3, null, timestamp '2026-10-31 00:00:00')",
            r"assert_every_tier \(marts\)",
            id="failed test",
        ),
        pytest.param(
            "delete from ops.test_results where gate = 'marts' and tool = 'expectation'",
            r"no result of the gates marts \(expectation\)",
            id="gate not asked",
        ),
        pytest.param(
            "update ops.test_results set status = 'skipped' where gate in ('facts', 'lists')",
            r"no result of the gates facts \(dbt\), lists \(dbt\)",
            id="gates skipped",
        ),
    ]


@pytest.mark.parametrize(("harm", "words"), refusals())
def test_a_run_that_is_not_whole_is_refused(settings: Settings, harm: str, words: str) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        run_id = plant_run(wh)
        wh.execute(harm.format(run=run_id))
        before = everything_published(wh)
        with pytest.raises(GateError, match=words):
            publish(wh, run_id)
        assert everything_published(wh) == before


def test_a_warning_does_not_stop_a_publication(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        run_id = plant_run(wh)
        wh.execute(
            f"insert into ops.test_results values ('{run_id}', null, 'dbt', 'marts', 'assert_x', null,"
            " 'warn', 'fail', 3, null, timestamp '2026-10-31 00:00:00')"
        )
        assert publish(wh, run_id).run_id == run_id


def test_only_a_started_run_is_published(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        run_id = plant_run(wh)
        fail_run(wh, run_id)
        with pytest.raises(WarehouseError, match="is failed"):
            publish(wh, run_id)
        with pytest.raises(WarehouseError, match="there is no run"):
            publish(wh, "run_20200101_01")


def test_a_new_column_of_a_mart_is_added_and_old_rows_have_none(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        published(wh, BEFORE, "first")
        run_id = plant_run(wh, DAY, "second")
        wh.execute(f"alter table {run_id}.dim_customers add column age_band varchar")
        wh.execute(f"update {run_id}.dim_customers set age_band = '30-39'")
        publish(wh, run_id)
        assert wh.query(
            "select as_of_date, age_band from history.dim_customers where customer_id = 'C1' order by 1"
        ).to_pylist() == [{"as_of_date": BEFORE, "age_band": None}, {"as_of_date": DAY, "age_band": "30-39"}]
        assert wh.query("select distinct age_band from marts.dim_customers")["age_band"].to_pylist() == [
            "30-39"
        ]
        # Back to the run without the column: the view loses it, which PostgreSQL does not let `replace` do.
        rollback(wh)
        assert "age_band" not in wh.column_types("marts.dim_customers")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("alter table {run}.dim_customers drop column label", "lost label"),
        (
            "alter table {run}.dim_customers alter column balance_amount type numeric(20,4)",
            "changed balance_amount",
        ),
    ],
)
def test_a_column_that_vanished_or_changed_is_refused(settings: Settings, change: str, words: str) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        published(wh, BEFORE, "first")
        run_id = plant_run(wh, DAY, "second")
        wh.execute(change.format(run=run_id))
        before = everything_published(wh)
        with pytest.raises(WarehouseError, match=words):
            publish(wh, run_id)
        assert everything_published(wh) == before


def test_rollback_shows_the_day_before_and_then_refuses(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        first = published(wh, BEFORE, "first").run_id
        second = published(wh, DAY, "second").run_id
        archived = wh.query("select count(*) as n from archive.dim_customers")["n"].to_pylist()
        withdrawn, now_shown = rollback(wh)
        assert (withdrawn.run_id, now_shown.run_id) == (second, first)
        assert shown(wh) == [first]
        assert history(wh) == {BEFORE: first}
        assert wh.query("select count(*) as n from archive.dim_customers")["n"].to_pylist() == archived
        with pytest.raises(WarehouseError, match="none before it"):
            rollback(wh)
        assert shown(wh) == [first]


def test_rollback_of_a_repeated_day_shows_its_first_publication(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        first = published(wh, DAY, "first").run_id
        published(wh, DAY, "second")
        rollback(wh)
        assert shown(wh) == [first]
        assert history(wh) == {DAY: first}


def test_a_withdrawn_run_can_be_built_and_published_again(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        published(wh, BEFORE, "first")
        run_id = published(wh, DAY, "second").run_id
        rollback(wh)
        assert published(wh, DAY, "second").run_id == run_id
        assert shown(wh) == [run_id]
        assert wh.query("select count(*) as n from archive.dim_customers where run_id = $1", [run_id])[
            "n"
        ].to_pylist() == [2]


def test_readers_keep_their_privileges_and_do_not_block_each_other(postgres_settings: Settings) -> None:
    """A reader that holds a view makes the publication wait, and other readers pass meanwhile."""
    with (
        open_warehouse(postgres_settings) as wh,
        open_warehouse(postgres_settings) as reader,
        open_warehouse(postgres_settings) as second_reader,
    ):
        plant_source(wh)
        published(wh, BEFORE, "first")
        wh.execute("create role keepwell_test_bi")
        wh.execute("grant select on marts.dim_customers to keepwell_test_bi")
        run_id = plant_run(wh, DAY, "second")
        publisher = threading.Thread(target=publish, args=(wh, run_id))
        try:
            reader.execute("begin")
            reader.query("select count(*) as n from marts.dim_customers")
            publisher.start()
            second_reader.execute("set statement_timeout to '10s'")
            while not second_reader.query(
                "select 1 as one from pg_stat_activity"
                " where datname = current_database() and wait_event_type = 'Lock'"
            ).num_rows:
                assert publisher.is_alive()
                time.sleep(0.05)
            assert shown(second_reader) == ["run_20261030_01"]
            assert publisher.is_alive()
            reader.execute("commit")
            publisher.join(timeout=60)
            assert shown(reader) == [run_id]
            granted = reader.query(
                "select has_table_privilege('keepwell_test_bi', 'marts.dim_customers', 'select') as ok"
            )
            assert granted["ok"].to_pylist() == [True]
        finally:
            reader.execute("rollback")
            publisher.join(timeout=60)
            reader.execute("drop owned by keepwell_test_bi")
            reader.execute("drop role keepwell_test_bi")
