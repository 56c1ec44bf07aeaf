"""Tier spells: what history.customer_tier_spells makes of the snapshots that stand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping

import pyarrow as pa

from tests.warehouse.planted import SOURCE, plant_gates, plant_marts, plant_source
from warehouse import Settings, Warehouse, open_warehouse
from warehouse.publish import ARCHIVED_MARTS, publish, rollback
from warehouse.retention import retain
from warehouse.runs import start_run
from warehouse.spells import TIERS, spells_sql, tier_schemes

FIRST = dt.date(2026, 10, 1)
# Tier and the day since which it has been shown, by customer.
Shown = Mapping[str, tuple[str | None, dt.date | None]]


def on(number: int) -> dt.date:
    """The `number`th day of October."""
    return FIRST + dt.timedelta(days=number - 1)


def publish_tiers(
    wh: Warehouse, as_of_date: dt.date, key: str, *, closed: Collection[str] = (), **schemes: Shown
) -> str:
    """A day published whose tiers are `schemes`; the run id. Customers `closed` have no open account."""
    run_id = start_run(wh, kind="daily", as_of_date=as_of_date, key=key, source=SOURCE)
    plant_marts(wh, run_id, tuple(mart for mart in ARCHIVED_MARTS if mart != TIERS))
    columns: dict[str, list[object]] = {"as_of_date": [], "customer_id": [], "is_open": []}
    for customer in sorted({customer for tiers in schemes.values() for customer in tiers}):
        columns["as_of_date"].append(as_of_date)
        columns["customer_id"].append(customer)
        columns["is_open"].append(customer not in closed)
        for scheme, tiers in schemes.items():
            tier, since_on = tiers.get(customer, (None, None))
            columns.setdefault(scheme, []).append(tier)
            columns.setdefault(f"{scheme}_since_on", []).append(since_on)
    types = {name: pa.date32() if name.endswith(("_on", "_date")) else pa.string() for name in columns}
    types["is_open"] = pa.bool_()
    table = pa.table(columns, schema=pa.schema(types.items()))
    wh.create_table(f"{run_id}.{TIERS}", table.schema)
    wh.append(f"{run_id}.{TIERS}", table)
    plant_gates(wh, run_id)
    publish(wh, run_id)
    return run_id


def publish_days(wh: Warehouse, tiers: Mapping[int, tuple[str, int]], prefix: str = "day") -> None:
    """Days of October with the tier of customer C1 and the day since which it was shown."""
    for day, (tier, since) in tiers.items():
        publish_tiers(wh, on(day), f"{prefix} {day}", value_tier={"C1": (tier, on(since))})


def spells(wh: Warehouse, where: str = "true") -> list[tuple[object, ...]]:
    """Tier, tier before, first day, day on which it had ended and days held, in order."""
    rows = wh.query(
        "select tier, previous_tier, started_on, ended_on, count_days from history.customer_tier_spells"
        f" where {where} order by scheme, customer_id, started_on"
    )
    return [tuple(row.values()) for row in rows.to_pylist()]


def assert_without_gap_or_overlap(wh: Warehouse) -> None:
    """A spell begins when the one before has ended, and one holds for each customer and scheme."""
    rows = wh.query(
        "select scheme, customer_id, started_on, ended_on from history.customer_tier_spells order by 1, 2, 3"
    ).to_pylist()
    assert rows
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        if following and (row["scheme"], row["customer_id"]) == (
            following["scheme"],
            following["customer_id"],
        ):
            assert row["ended_on"] == following["started_on"] > row["started_on"]
        else:
            assert row["ended_on"] is None


def test_a_customer_who_moves_has_a_spell_in_each_tier(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        publish_days(wh, {1: ("low", 1), 2: ("low", 1), 5: ("mid", 5), 6: ("mid", 5), 9: ("low", 9)})
        assert spells(wh) == [
            ("low", None, on(1), on(5), 4),
            ("mid", "low", on(5), on(9), 4),
            ("low", "mid", on(9), None, 1),
        ]
        assert_without_gap_or_overlap(wh)


def test_schemes_and_customers_are_kept_apart_and_a_new_scheme_joins_by_itself(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        publish_tiers(wh, on(1), "1", value_tier={"C1": ("low", on(1)), "C2": ("high", on(1))})
        publish_tiers(
            wh,
            on(2),
            "2",
            value_tier={"C1": ("mid", on(2)), "C2": ("high", on(1)), "C3": ("low", on(2))},
            asset_tier={"C1": ("mass", on(2)), "C2": ("mass", on(2)), "C3": ("mass", on(2))},
        )
        assert spells(wh, "scheme = 'value_tier' and customer_id = 'C1'") == [
            ("low", None, on(1), on(2), 1),
            ("mid", "low", on(2), None, 1),
        ]
        assert spells(wh, "scheme = 'value_tier' and customer_id = 'C2'") == [("high", None, on(1), None, 2)]
        assert spells(wh, "scheme = 'asset_tier'") == [("mass", None, on(2), None, 1)] * 3
        assert_without_gap_or_overlap(wh)


def test_a_withdrawn_run_leaves_no_spell(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        publish_days(wh, {1: ("low", 1), 2: ("low", 1)})
        before = spells(wh)
        publish_days(wh, {3: ("high", 3)})
        assert spells(wh)[-1] == ("high", "low", on(3), None, 1)
        rollback(wh)
        assert spells(wh) == before == [("low", None, on(1), None, 2)]


def test_a_day_published_again_counts_once(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        publish_days(wh, {1: ("low", 1), 2: ("high", 2)})
        publish_days(wh, {2: ("mid", 2)}, "again")
        assert spells(wh) == [("low", None, on(1), on(2), 1), ("mid", "low", on(2), None, 1)]
        rollback(wh)
        assert spells(wh)[-1] == ("high", "low", on(2), None, 1)


def test_an_older_day_published_late_takes_its_place(settings: Settings) -> None:
    """The later days were computed without it: what snapshots show decides, no spell is torn in two."""
    with open_warehouse(settings) as wh:
        plant_source(wh)
        publish_days(wh, {3: ("mid", 3), 6: ("high", 6)})
        # Older than all: the spell begins earlier.
        publish_days(wh, {1: ("mid", 1)})
        assert spells(wh) == [("mid", None, on(1), on(6), 5), ("high", "mid", on(6), None, 1)]
        # In between, already in the later tier: it began then.
        publish_days(wh, {5: ("high", 5)})
        assert spells(wh) == [("mid", None, on(1), on(5), 4), ("high", "mid", on(5), None, 2)]
        # In between, in another tier that the later day knows nothing of.
        publish_days(wh, {4: ("low", 4)})
        assert spells(wh) == [
            ("mid", None, on(1), on(4), 3),
            ("low", "mid", on(4), on(5), 1),
            ("high", "low", on(5), None, 2),
        ]
        assert_without_gap_or_overlap(wh)


def test_what_a_late_day_contradicts_is_not_believed(settings: Settings) -> None:
    """The last day says that its tier goes back to the first; a day in between shows another."""
    with open_warehouse(settings) as wh:
        plant_source(wh)
        publish_days(wh, {1: ("mid", 1), 6: ("mid", 1)})
        publish_days(wh, {4: ("high", 4)})
        assert spells(wh) == [
            ("mid", None, on(1), on(4), 3),
            ("high", "mid", on(4), on(6), 2),
            ("mid", "high", on(6), None, 1),
        ]


def test_a_start_survives_the_snapshots_that_retention_drops(settings: Settings) -> None:
    """Month-ends stay: they tell since when, and that a customer left and came back between two of them."""
    with open_warehouse(settings) as wh:
        plant_source(wh)
        end_of_september = dt.date(2026, 9, 30)
        publish_tiers(wh, end_of_september, "september", value_tier={"C1": ("low", end_of_september)})
        publish_days(wh, {10: ("mid", 10), 20: ("low", 20), 31: ("low", 20)})
        publish_tiers(wh, dt.date(2026, 11, 30), "november", value_tier={"C1": ("low", on(20))})
        whole = [
            ("low", None, end_of_september, on(10), 10),
            ("mid", "low", on(10), on(20), 10),
            ("low", "mid", on(20), None, 42),
        ]
        assert spells(wh) == whole
        assert retain(wh, kept_days=25).dates == [on(10), on(20)]
        assert spells(wh) == [
            ("low", None, end_of_september, on(20), 20),
            ("low", "low", on(20), None, 42),
        ]
        assert_without_gap_or_overlap(wh)


def test_a_closed_account_ends_the_spell_and_who_returns_begins_a_new_one(settings: Settings) -> None:
    """C1 closes with the tier unchanged and returns; C2 closes in the snapshot that shows another tier; C3 is
    seen before the first account is opened; C4 never has one.
    """
    days = {
        1: {"C1": ("mid", 1), "C2": ("high", 1), "C3": ("low", 1), "C4": ("low", 1)},
        3: {"C1": ("mid", 1), "C2": ("low", 2), "C3": ("low", 1), "C4": ("low", 1)},
        5: {"C1": ("mid", 1), "C2": ("low", 2), "C3": ("mid", 4), "C4": ("low", 1)},
        8: {"C1": ("mid", 1), "C2": ("mid", 7), "C3": ("mid", 4), "C4": ("low", 1)},
    }
    closed = {1: ["C3", "C4"], 3: ["C1", "C2", "C3", "C4"], 5: ["C1", "C2", "C4"], 8: ["C2", "C4"]}
    with open_warehouse(settings) as wh:
        plant_source(wh)
        for day, shown in days.items():
            tiers = {customer: (tier, on(since)) for customer, (tier, since) in shown.items()}
            publish_tiers(wh, on(day), str(day), closed=closed[day], value_tier=tiers)
        assert spells(wh, "customer_id = 'C1'") == [
            ("mid", None, on(1), on(3), 2),
            ("mid", None, on(8), None, 1),
        ]
        assert spells(wh, "customer_id = 'C2'") == [("high", None, on(1), on(3), 2)]
        assert spells(wh, "customer_id = 'C3'") == [("mid", None, on(5), None, 4)]
        assert spells(wh, "customer_id = 'C4'") == []


def test_a_filter_on_the_customer_reaches_the_scan(postgres_settings: Settings) -> None:
    with open_warehouse(postgres_settings) as wh:
        plant_source(wh)
        tiers = {f"C{number}": ("low", on(1)) for number in range(3000)}
        for day in (1, 2, 3):
            publish_tiers(wh, on(day), str(day), value_tier=tiers, asset_tier=tiers)
        wh.execute(f"analyze archive.{TIERS}")
        wh.execute(
            "create function pg_temp.explained(statement text) returns setof text language plpgsql as"
            " $$ begin return query execute 'explain ' || statement; end $$"
        )
        statement = "select * from history.customer_tier_spells where customer_id = ''C7''"
        lines = wh.query(f"select line from pg_temp.explained('{statement}') as lines(line)")
        plan = "\n".join(lines["line"].to_pylist())
        assert "Index Cond: ((customer_id)::text = 'C7'::text)" in plan, plan
        assert f"Seq Scan on {TIERS}" not in plan, plan


def test_schemes_are_found_by_the_names_of_their_columns() -> None:
    columns = [
        "customer_id",
        "b_tier",
        "raw_b_tier",
        "a_tier",
        "as_of_date",
        "a_tier_since_on",
        "b_tier_since_on",
    ]
    assert tier_schemes(columns) == ["b_tier", "a_tier"]
    assert tier_schemes(["customer_id", "closed_on"]) == []
    assert spells_sql(["customer_id", "as_of_date"]) is None
