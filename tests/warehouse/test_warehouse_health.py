"""The watch: each check seen alerting and not, on planted deliveries, runs and publications."""

from __future__ import annotations

import csv
import datetime as dt
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from tests.warehouse.planted import plant_source, plant_transactions, published
from warehouse import Settings, Warehouse, health, open_warehouse
from warehouse.publish import rollback
from warehouse.runs import fail_run, start_run

SEED = Path(__file__).resolve().parents[2] / "dbt_project/seeds/policy_health.csv"
NUMBERS = {"lower_bound": float, "upper_bound": float, "min_count": int, "lookback": int, "grace_hours": int}
# A Monday; the bank's data of a day land the day after.
MONDAY = dt.date(2026, 10, 5)
DAY = dt.timedelta(days=1)


@pytest.fixture
def bank(settings: Settings) -> Settings:
    """A warehouse with the policy as dbt loads it, and nothing else."""
    with open_warehouse(settings) as wh:
        plant_source(wh)
        plant_policy(wh)
    return settings


def plant_policy(wh: Warehouse) -> None:
    with SEED.open() as file:
        rows = [
            {
                name: (NUMBERS[name](text) if text else None) if name in NUMBERS else text
                for name, text in row.items()
            }
            for row in csv.DictReader(file)
        ]
    for row in rows:
        row["effective_from"] = dt.date.fromisoformat(str(row["effective_from"]))
    types = {float: pa.float64(), int: pa.int32()}
    schema = pa.schema(
        [
            (
                name,
                types[NUMBERS[name]]
                if name in NUMBERS
                else pa.date32()
                if name[:4] == "effe"
                else pa.string(),
            )
            for name in rows[0]
        ]
    )
    wh.create_table("policy.policy_health", schema)
    wh.append("policy.policy_health", pa.Table.from_pylist(rows, schema=schema))


def deliver(
    wh: Warehouse,
    on: dt.date,
    rows: int = 100,
    *,
    rejected: int = 0,
    status: str = "loaded",
    is_history: bool = False,
    entities: Sequence[str] = ("customers", "accounts", "account_holders", "products", "transactions"),
) -> None:
    """A delivery of one o'clock in the morning."""
    batch_id = f"{on}{status}"
    loaded_at = dt.datetime.combine(on, dt.time(1))
    count = len(entities)
    wh.execute(
        "insert into ops.batches (batch_id, batch_no, source, delivered_on, is_history, status, rows_read,"
        " rows_loaded, rows_rejected, rows_duplicate, loaded_at)"
        " values ($1, $2, 'demo', $3, $4, $5, $6, $7, $8, 0, $9)",
        [batch_id, on.toordinal(), on, is_history, status, rows * count, rows * count, rejected, loaded_at],
    )
    for entity in entities:
        is_bad = entity == entities[-1]
        wh.execute(
            "insert into ops.batch_files (batch_id, entity, file_name, content_hash, rows_read, rows_loaded,"
            " rows_rejected, rows_duplicate) values ($1, $2, $3, 'hash', $4, $5, $6, 0)",
            [batch_id, entity, f"{entity}.csv", rows, rows, rejected if is_bad else 0],
        )


def deliver_days(wh: Warehouse, first: dt.date, count: int, rows: Callable[[dt.date], int]) -> dt.date:
    """The history on the eve of `first`, then one delivery a day where there are rows; the last day."""
    deliver(wh, first - DAY, 100_000, is_history=True)
    for number in range(count):
        day = first + number * DAY
        if rows(day):
            deliver(wh, day, rows(day))
    return first + (count - 1) * DAY


def at(day: dt.date, hour: int = 2) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour))


def statuses(wh: Warehouse, now: dt.datetime, check_name: str) -> dict[str, str]:
    return {one.subject: one.status for one in health.check(wh, now) if one.check_name == check_name}


def the(wh: Warehouse, now: dt.datetime, check_name: str, subject: str = "all") -> health.Finding:
    [found] = [one for one in health.check(wh, now) if (one.check_name, one.subject) == (check_name, subject)]
    return found


def test_before_the_first_build_every_check_is_unknown_and_nothing_fails(
    settings: Settings, environment: dict[str, str]
) -> None:
    with open_warehouse(settings) as wh:
        found = health.check(wh, at(MONDAY))
    assert [(one.check_name, one.status) for one in found] == [(name, "unknown") for name in health.CHECKS]
    done = watch(environment)
    assert done.returncode == 0, done.stderr
    with open_warehouse(settings) as wh:
        assert wh.query("select count(*) as n from ops.health_checks")["n"][0].as_py() == len(health.CHECKS)


def test_a_bank_without_a_delivery_is_unknown(bank: Settings) -> None:
    with open_warehouse(bank) as wh:
        found = {one.check_name: one.status for one in health.check(wh, at(MONDAY))}
    assert found == {
        "publication_age": "unknown",
        "delivery_age": "unknown",
        "delivery_volume": "unknown",
        "rejected_share": "unknown",
        "failed_runs": "ok",
        "audit_gap": "ok",
    }


def test_a_day_that_is_loaded_and_not_published_alerts_when_its_hours_are_over(bank: Settings) -> None:
    with open_warehouse(bank) as wh:
        deliver(wh, MONDAY, is_history=True)
        published(wh, MONDAY - DAY, "first")
        assert the(wh, at(MONDAY, 12), "publication_age").status == "ok"
        deliver(wh, MONDAY + DAY)
        # Loaded at one o'clock; six hours are allowed.
        assert the(wh, at(MONDAY + DAY, 6), "publication_age").status == "ok"
        late = the(wh, at(MONDAY + DAY, 8), "publication_age")
        assert (late.status, late.check_value, late.threshold_value, late.unit) == ("alert", 1, 0, "days")
        assert f"readers see {MONDAY - DAY}" in late.message
        published(wh, MONDAY, "second")
        assert the(wh, at(MONDAY + DAY, 8), "publication_age").status == "ok"
        # A withdrawn day is not what readers see.
        rollback(wh)
        assert the(wh, at(MONDAY + DAY, 8), "publication_age").check_value == 1


def test_a_bootstrap_shows_readers_nothing_newer(bank: Settings) -> None:
    month_end = dt.date(2026, 9, 30)
    with open_warehouse(bank) as wh:
        plant_transactions(wh, dt.date(2026, 8, 31))
        deliver(wh, month_end + DAY, is_history=True)
        now = at(month_end + DAY, 8)
        published(wh, month_end + DAY, "first", kind="bootstrap")
        assert the(wh, now, "publication_age").message.startswith("nothing is published")
        published(wh, month_end - DAY, "second")
        late = the(wh, now, "publication_age")
        assert (late.status, late.check_value) == ("alert", 1)
        assert f"readers see {month_end - DAY}" in late.message


def test_a_bank_that_never_published_alerts_and_one_that_delivers_nothing_does_not(bank: Settings) -> None:
    with open_warehouse(bank) as wh:
        deliver(wh, MONDAY, is_history=True)
        assert the(wh, at(MONDAY, 6), "publication_age").status == "unknown"
        assert the(wh, at(MONDAY, 8), "publication_age").status == "alert"
        published(wh, MONDAY - DAY, "first")
        # Years later: nothing new came, so nothing new is due.
        assert the(wh, at(MONDAY + 900 * DAY), "publication_age").status == "ok"


def test_a_delivery_that_does_not_come_alerts(bank: Settings) -> None:
    with open_warehouse(bank) as wh:
        last = deliver_days(wh, MONDAY, 14, lambda day: 100)
        assert set(statuses(wh, at(last + DAY, 11), "delivery_age").values()) == {"ok"}
        assert set(statuses(wh, at(last + DAY, 13), "delivery_age").values()) == {"alert"}
        # One entity alone.
        deliver(wh, last + DAY, entities=("customers", "accounts", "account_holders", "products"))
        found = statuses(wh, at(last + DAY, 13), "delivery_age")
        assert found.pop("transactions") == "alert"
        assert set(found.values()) == {"ok"}


@pytest.mark.parametrize("lag_days", [0, 1, 3])
def test_a_delivery_is_waited_for_from_when_it_could_be_loaded(lag_days: int, settings: Settings) -> None:
    """A day's own delivery (lag 0) is loaded at midnight, a day after the date that it bears."""
    with open_warehouse(settings) as wh:
        plant_source(wh, lag_days)
        plant_policy(wh)
        last = deliver_days(wh, MONDAY, 14, lambda day: 100)
        loaded_on = last + DAY if lag_days == 0 else last
        wh.execute("update ops.batches set loaded_at = $1", [at(loaded_on, 0)])
        for hour in range(36):
            now = at(loaded_on, 0) + dt.timedelta(hours=hour)
            assert set(statuses(wh, now, "delivery_age").values()) == {"ok"}, now
        assert set(statuses(wh, at(loaded_on + DAY, 13), "delivery_age").values()) == {"alert"}


def test_weekends_without_deliveries_are_no_alert_and_a_week_without_is(bank: Settings) -> None:
    with open_warehouse(bank) as wh:
        friday = deliver_days(wh, MONDAY, 19, lambda day: 100 if day.isoweekday() <= 5 else 0)
        assert friday.isoweekday() == 5
        for hours in range(24 * 4):
            now = at(friday) + dt.timedelta(hours=hours)
            assert statuses(wh, now, "delivery_age")["transactions"] == "ok", now
        assert statuses(wh, at(friday + 5 * DAY), "delivery_age")["transactions"] == "alert"


def test_a_bank_that_delivers_by_month_is_not_asked_for_days(bank: Settings) -> None:
    months = [dt.date(2026, month, 1) for month in range(2, 11)]
    with open_warehouse(bank) as wh:
        deliver(wh, dt.date(2026, 1, 1), 100_000, is_history=True)
        for month in months:
            deliver(wh, month)
        assert statuses(wh, at(months[-1] + 31 * DAY), "delivery_age")["transactions"] == "ok"
        assert statuses(wh, at(months[-1] + 47 * DAY), "delivery_age")["transactions"] == "alert"
        # Weekends are no kind of their own where a month has one delivery.
        assert the(wh, at(months[-1]), "delivery_volume", "transactions").status == "ok"


def test_too_few_deliveries_say_nothing(bank: Settings) -> None:
    with open_warehouse(bank) as wh:
        last = deliver_days(wh, MONDAY, 5, lambda day: 100)
        assert set(statuses(wh, at(last + 300 * DAY), "delivery_age").values()) == {"unknown"}
        assert set(statuses(wh, at(last), "delivery_volume").values()) == {"unknown"}


@pytest.mark.parametrize(("rows", "status", "bound"), [(49, "alert", 0.5), (51, "ok", 5), (501, "alert", 5)])
def test_a_volume_far_from_the_median_alerts(rows: int, status: str, bound: float, bank: Settings) -> None:
    with open_warehouse(bank) as wh:
        last = deliver_days(wh, MONDAY, 11, lambda day: 100)
        assert set(statuses(wh, at(last), "delivery_volume").values()) == {"ok"}
        # A Friday, which tells of a Thursday; the history of 100,000 rows is compared with nothing.
        deliver(wh, last + DAY, rows)
        found = the(wh, at(last + DAY), "delivery_volume", "transactions")
        assert (found.status, found.check_value, found.threshold_value) == (status, rows / 100, bound)


def test_the_volume_of_a_weekend_is_held_against_weekends(bank: Settings) -> None:
    def rows(day: dt.date) -> int:
        # Sunday's and Monday's deliveries tell of Saturday and Sunday.
        return 60 if day.isoweekday() in (7, 1) else 400

    with open_warehouse(bank) as wh:
        # The first weekends have nothing to be held against, and are no alert.
        last = deliver_days(wh, MONDAY + DAY, 13, rows)
        for day in range(13):
            found = statuses(wh, at(MONDAY + (1 + day) * DAY), "delivery_volume")
            assert "alert" not in found.values(), day
        for number in range(1, 9):
            deliver(wh, last + number * DAY, rows(last + number * DAY))
        sunday = last + 7 * DAY
        assert sunday.isoweekday() == 7
        deliver(wh, sunday + 7 * DAY, 20)
        found = the(wh, at(sunday + 7 * DAY), "delivery_volume", "transactions")
        assert found.status == "alert"
        assert "median of 60" in found.message


def test_a_small_median_says_nothing(bank: Settings) -> None:
    with open_warehouse(bank) as wh:
        last = deliver_days(wh, MONDAY, 12, lambda day: 49)
        deliver(wh, last + DAY, 1)
        assert the(wh, at(last + DAY), "delivery_volume", "accounts").status == "unknown"


def checked(wh: Warehouse, now: dt.datetime) -> dict[tuple[str, str], health.Finding]:
    """What a watch finds and records."""
    findings = health.check(wh, now)
    health.record(wh, findings, now)
    return {(one.check_name, one.subject): one for one in findings}


def test_of_deliveries_loaded_together_none_is_passed_over(bank: Settings) -> None:
    rejected, volume = ("rejected_share", "all"), ("delivery_volume", "transactions")
    with open_warehouse(bank) as wh:
        last = deliver_days(wh, MONDAY, 11, lambda day: 100)
        found = checked(wh, at(last))
        assert (found[rejected].status, found[volume].status) == ("ok", "ok")
        # Nothing came on Friday and Saturday; on Monday night all is loaded, and the newest is well. (The
        # deliveries of Sunday and Monday tell of a weekend, with too few before them.)
        deliver(wh, last + DAY, 20, rejected=1)
        deliver(wh, last + 5 * DAY, 100, rejected=5)
        deliver(wh, last + 6 * DAY, 100)
        night = at(last + 6 * DAY, 1)
        wh.execute("update ops.batches set loaded_at = $1 where delivered_on > $2", [night, last])
        for hours in (1, 2, 20):
            found = checked(wh, night + dt.timedelta(hours=hours))
            assert found[rejected].status == "alert"
            assert f"5 of 100 rows of transactions in the loaded delivery of {last + 5 * DAY}" in (
                found[rejected].message
            )
            assert found[volume].status == "alert"
            assert found[volume].message.startswith(f"20 rows on {last + DAY}")
        # The next delivery ends it.
        deliver(wh, last + 7 * DAY, 100)
        found = checked(wh, at(last + 7 * DAY))
        assert (found[rejected].status, found[volume].status) == ("ok", "ok")


def test_a_delivery_that_was_being_loaded_during_a_check_is_judged_by_the_next(bank: Settings) -> None:
    with open_warehouse(bank) as wh:
        last = deliver_days(wh, MONDAY, 3, lambda day: 100)
        # Two loads of a night; the check of half past one saw the first not committed yet.
        checked(wh, at(last, 23) + dt.timedelta(hours=2, minutes=30))
        deliver(wh, last + DAY, 100, rejected=5)
        deliver(wh, last + 2 * DAY, 100)
        later = at(last + DAY, 1) + dt.timedelta(minutes=45)
        wh.execute("update ops.batches set loaded_at = $1 where delivered_on = $2", [later, last + 2 * DAY])
        assert checked(wh, later + DAY / 24)["rejected_share", "all"].status == "alert"


def test_a_refused_delivery_that_was_mended_is_no_alert(bank: Settings) -> None:
    with open_warehouse(bank) as wh:
        last = deliver_days(wh, MONDAY, 3, lambda day: 100)
        checked(wh, at(last))
        deliver(wh, last + DAY, 100, rejected=50, status="refused")
        assert the(wh, at(last + DAY), "rejected_share").status == "alert"
        deliver(wh, last + DAY, 100)
        wh.execute(
            "update ops.batches set loaded_at = $1 where delivered_on = $2 and status = 'loaded'",
            [at(last + DAY), last + DAY],
        )
        assert the(wh, at(last + DAY, 3), "rejected_share").status == "ok"


@pytest.mark.parametrize(
    ("rejected", "status", "found"), [(2, "loaded", "ok"), (3, "loaded", "alert"), (50, "refused", "alert")]
)
def test_a_share_of_rejected_rows_alerts(rejected: int, status: str, found: str, bank: Settings) -> None:
    with open_warehouse(bank) as wh:
        deliver(wh, MONDAY, 100_000, is_history=True, rejected=100)
        assert the(wh, at(MONDAY), "rejected_share").status == "ok"
        deliver(wh, MONDAY + DAY, 100, rejected=rejected, status=status)
        share = the(wh, at(MONDAY + DAY), "rejected_share")
        assert share.status == found
        assert f"{rejected} of 100 rows of transactions" in share.message or found == "ok"
        deliver(wh, MONDAY + 2 * DAY, 100)
        assert the(wh, at(MONDAY + 2 * DAY), "rejected_share").status == "ok"


def test_a_failed_run_alerts_until_its_day_is_made_good(bank: Settings) -> None:
    with open_warehouse(bank) as wh:
        deliver(wh, MONDAY, is_history=True)
        failed = start_run(wh, kind="daily", as_of_date=MONDAY, key="one", source="demo")
        now = wh.query("select max(started_at) as at from ops.runs")["at"][0].as_py() + dt.timedelta(hours=1)
        assert the(wh, now, "failed_runs").status == "ok"
        # Hanging: neither published nor failed after eight hours.
        assert the(wh, now + dt.timedelta(hours=8), "failed_runs").check_value == 1
        fail_run(wh, failed)
        found = the(wh, now, "failed_runs")
        assert (found.status, found.check_value) == ("alert", 1)
        assert f"{failed} (daily, failed)" in found.message
        # Another day does not make this one good; the next try does.
        published(wh, MONDAY + DAY, "two")
        assert the(wh, now, "failed_runs").status == "alert"
        published(wh, MONDAY, "three")
        assert the(wh, now, "failed_runs").status == "ok"
        assert the(wh, now + 8 * DAY, "failed_runs").status == "ok"


def test_a_failed_training_is_made_good_by_one_that_is_never_published(bank: Settings) -> None:
    with open_warehouse(bank) as wh:
        deliver(wh, MONDAY, is_history=True)
        published(wh, dt.date(2026, 9, 30), "month")
        fail_run(wh, start_run(wh, kind="training", as_of_date=MONDAY, key="one", source="demo"))
        now = wh.query("select max(started_at) as at from ops.runs")["at"][0].as_py() + dt.timedelta(hours=1)
        assert the(wh, now, "failed_runs").status == "alert"
        start_run(wh, kind="training", as_of_date=MONDAY, key="two", source="demo")
        assert the(wh, now + DAY, "failed_runs").status == "ok"


def test_a_publication_that_nobody_recorded_alerts(bank: Settings) -> None:
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None) + DAY
    with open_warehouse(bank) as wh:
        deliver(wh, MONDAY, is_history=True)
        published(wh, MONDAY, "one")
        published(wh, MONDAY + DAY, "two")
        rollback(wh)
        assert the(wh, now, "audit_gap").status == "ok"
        wh.execute("delete from ops.audit_log where action = 'rollback'")
        assert the(wh, now, "audit_gap").check_value == 1
        wh.execute("delete from ops.audit_log")
        found = the(wh, now, "audit_gap")
        assert (found.status, found.check_value) == ("alert", 3)
        # Publications of a time before the log are no gap.
        wh.execute("update ops.publications set published_by = null")
        assert the(wh, now, "audit_gap").status == "ok"


def test_an_alert_is_news_once_and_again_when_a_day_is_over(bank: Settings) -> None:
    def told(now: dt.datetime) -> list[str]:
        findings = health.check(wh, now)
        news = health.news(wh, findings, now)
        health.record(wh, findings, now)
        return [f"{one.check_name} {one.subject}" for one in news]

    hour = dt.timedelta(hours=1)
    with open_warehouse(bank) as wh:
        deliver(wh, MONDAY, is_history=True)
        began = at(MONDAY, 8)
        assert told(began - 2 * hour) == []
        assert told(began) == ["publication_age all"]
        assert [told(began + number * hour) for number in range(1, 24)] == [[]] * 23
        assert told(began + 24 * hour) == ["publication_age all"]
        assert told(began + 25 * hour) == []
        # Another check begins while the first goes on.
        wh.execute("update ops.batch_files set rows_rejected = 99")
        assert told(began + 26 * hour) == ["rejected_share all"]
        # What was well in between is news again.
        published(wh, MONDAY, "one")
        assert told(began + 27 * hour) == []
        wh.execute("update ops.publications set withdrawn_at = published_at, published_by = null")
        assert told(began + 28 * hour) == ["publication_age all"]


def watch(environment: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "warehouse", "watch", *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_command_prints_a_table_records_it_and_exits_by_it(
    bank: Settings, environment: dict[str, str]
) -> None:
    with open_warehouse(bank) as wh:
        # By the real clock its hours of grace are over.
        deliver(wh, dt.date(2020, 1, 6), is_history=True)
    first = watch(environment, "--only-new")
    assert first.returncode == 1
    heading, *lines = first.stdout.splitlines()
    assert heading.split() == ["check", "subject", "status", "value", "bound", "unit"]
    assert len(lines) == 10
    assert lines[0].split()[:3] == ["publication_age", "all", "alert"]
    assert first.stderr.splitlines()[-1].startswith("alert: publication_age all: nothing is published")
    again = watch(environment, "--only-new")
    assert (again.returncode, again.stderr) == (0, "")
    assert watch(environment).returncode == 1
    with open_warehouse(bank) as wh:
        rows = wh.query("select checked_at, check_name, status from ops.health_checks").to_pylist()
    assert len(rows) == 30
    assert sum(row["status"] == "alert" for row in rows) == 3


def test_another_moment_is_looked_at_and_not_recorded(bank: Settings, environment: dict[str, str]) -> None:
    with open_warehouse(bank) as wh:
        deliver(wh, MONDAY, is_history=True)
        before = health.check(wh, at(MONDAY, 2))
        health.record(wh, before, at(MONDAY, 2))
    done = watch(environment, "--now", "2026-10-05T08:00", "--only-new")
    assert done.returncode == 1
    assert done.stderr.startswith("alert: publication_age all: nothing is published")
    assert watch(environment, "--now", "2036-10-05T08:00").returncode == 1
    assert watch(environment, "--now", "2026-10-05T06:00").returncode == 0
    with open_warehouse(bank) as wh:
        moments = wh.query("select distinct checked_at from ops.health_checks")["checked_at"].to_pylist()
    assert moments == [at(MONDAY, 2)]


def test_a_moment_that_is_none_is_bad_input(environment: dict[str, str]) -> None:
    done = watch(environment, "--now", "yesterday")
    assert done.returncode == 2
    assert "2026-10-31T04:00" in done.stderr
