"""Who did what: a row of ops.audit_log for every act, with it or not at all."""

from __future__ import annotations

import datetime as dt
import getpass
from typing import Any

import pytest

from tests.warehouse.planted import BEFORE, DAY, plant_run, plant_source, published
from warehouse import Settings, Warehouse, WarehouseError, audit, open_warehouse
from warehouse.clock import utc_now
from warehouse.publish import publish, rollback
from warehouse.retention import retain
from warehouse.runs import fail_run
from warehouse.settings import actor


def log(wh: Warehouse) -> list[dict[str, Any]]:
    return wh.query("select * from ops.audit_log order by happened_at, action").to_pylist()


def test_every_act_on_what_readers_see_is_kept(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEEPWELL_ACTOR", "王芳")
    began = utc_now()
    with open_warehouse(settings) as wh:
        plant_source(wh)
        first = published(wh, BEFORE, "first").run_id
        second = published(wh, DAY, "second").run_id
        rollback(wh)
        failed = plant_run(wh, DAY, "third")
        fail_run(wh, failed)
        retain(wh)
        found = log(wh)
    assert [(row["action"], row["subject"]) for row in found[:-1]] == [
        ("publish", first),
        ("publish", second),
        ("rollback", second),
        ("fail-run", failed),
    ]
    assert found[-1]["action"] == "retain"
    assert "dropped 0 run schemas" in found[-1]["detail"]
    assert f"{second} (daily) as of {DAY}" in found[1]["detail"]
    assert found[2]["detail"] == f"marts.* show {first}"
    assert {row["actor"] for row in found} == {"王芳"}
    session_role = "duckdb" if settings.target == "duckdb" else "postgres"
    assert {row["session_role"] for row in found} == {session_role}
    assert all(began <= row["happened_at"] <= utc_now() for row in found)


def test_an_act_that_did_not_happen_is_not_in_the_log(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        run_id = plant_run(wh, DAY, "first")
        wh.execute("delete from ops.test_results")
        with pytest.raises(WarehouseError, match="has no result of the gates"):
            publish(wh, run_id)
        with pytest.raises(WarehouseError, match="nothing is published"):
            rollback(wh)
        assert log(wh) == []
        # Nor does an act stand whose row cannot be written.
        kept = published(wh, BEFORE, "second")
        wh.execute("alter table ops.audit_log rename to lost")
        with pytest.raises(WarehouseError):
            fail_run(wh, run_id)
        rows = wh.query("select status from ops.runs where run_id = $1", [run_id])
        assert rows["status"].to_pylist() == ["started"]
        # A published run that is published again is no act.
        assert publish(wh, kept.run_id) == kept


def test_an_entry_of_its_own(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEEPWELL_ACTOR", raising=False)
    with open_warehouse(settings) as wh:
        audit.record(wh, "export", "fct_customer_rfm", "o'clock; 2 rows")
        audit.record(wh, "roles", "all")
        rows = log(wh)
    assert [(row["action"], row["subject"], row["detail"]) for row in rows] == [
        ("export", "fct_customer_rfm", "o'clock; 2 rows"),
        ("roles", "all", None),
    ]
    assert {row["actor"] for row in rows} == {getpass.getuser()}
    assert isinstance(rows[0]["happened_at"], dt.datetime)


def test_who_asks() -> None:
    assert actor({"KEEPWELL_ACTOR": "scheduled"}) == "scheduled"
    assert actor({"KEEPWELL_ACTOR": ""}) == getpass.getuser()
