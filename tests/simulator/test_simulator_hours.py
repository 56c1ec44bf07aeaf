"""The hour of a posting: only acts of customers have one, and it follows channel, day and way of life."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from simulator.bank import Bank
from simulator.calendar import is_public_holiday, weekday
from simulator.hours import DRAWS, LIKING, LIKING_OF_RETIRED, ON_DAYS_OFF, ON_WORKDAYS, hour_weights
from simulator.people import RETIRED, customer_ids
from simulator.segments import SEGMENTS

STANDARD_ERRORS = 5
WAYS = (*LIKING, "retired")


@pytest.fixture(scope="module")
def acts(files: duckdb.DuckDBPyConnection, demo_bank: Bank) -> dict[str, np.ndarray]:
    """Acts with an hour as arrays: channel, hour, is_off, and way (a position in WAYS)."""
    customers = demo_bank.customers
    way = np.where(customers.occupation == RETIRED, len(SEGMENTS), customers.segment)
    ways = pa.table({"customer_id": customer_ids(np.arange(len(customers))), "way": pa.array(way)})
    files.register("ways", ways)
    found = files.sql(
        """
        select channel, booked_hour as hour, booked_on - date '1970-01-01' as day, way
        from good_transactions join owners using (account_id) join ways using (customer_id)
        where booked_hour is not null"""
    ).to_arrow_table()
    files.unregister("ways")
    columns = {name: found[name].to_numpy(zero_copy_only=False) for name in found.column_names}
    columns["is_off"] = (weekday(columns["day"]) >= 5) | is_public_holiday(columns["day"])
    return columns


def test_only_what_customers_did_has_an_hour(files: duckdb.DuckDBPyConnection) -> None:
    rows = files.execute(
        """
        select is_customer_initiated and reverses_transaction_id is null as is_act,
            count(*) > 0, count(booked_hour) = count(*), count(booked_hour) = 0
        from good_transactions group by 1 order by 1"""
    ).fetchall()
    assert rows == [(False, True, False, True), (True, True, True, False)]


def test_nobody_acts_where_it_is_closed(acts: dict[str, np.ndarray]) -> None:
    for is_off, times in ((False, ON_WORKDAYS), (True, ON_DAYS_OFF)):
        for channel, (opens, closes, _) in times.items():
            hours = acts["hour"][(acts["channel"] == channel) & (acts["is_off"] == is_off)]
            assert len(hours) > 100, channel
            assert hours.min() >= opens, channel
            assert hours.max() < closes, channel
    at_branches = acts["channel"] == "branch"
    assert (ON_WORKDAYS["branch"][:2], ON_DAYS_OFF["branch"][:2]) == ((9, 17), (10, 16))
    assert set(acts["hour"][at_branches & ~acts["is_off"]]) == set(range(9, 17))


def test_hours_follow_the_weights_of_channel_day_and_way_of_life(acts: dict[str, np.ndarray]) -> None:
    compared = 0
    for way, liking in enumerate([*(LIKING[segment.name] for segment in SEGMENTS), LIKING_OF_RETIRED]):
        for is_off, times in ((False, ON_WORKDAYS), (True, ON_DAYS_OFF)):
            for channel, (opens, closes, peaks) in times.items():
                rows = (acts["channel"] == channel) & (acts["is_off"] == is_off) & (acts["way"] == way)
                if rows.sum() < 1_000:
                    continue
                weights = hour_weights(opens, closes, peaks) * np.repeat(liking, (12, 6, 6))
                expected = weights / weights.sum()
                found = np.bincount(acts["hour"][rows], minlength=24) / rows.sum()
                # An hour is looked up by one of DRAWS numbers, so its share is a multiple of 1 / DRAWS.
                error = np.sqrt(expected * (1 - expected) / rows.sum())
                assert (np.abs(found - expected) < STANDARD_ERRORS * error + 1 / DRAWS).all(), (way, channel)
                compared += 1
    assert compared > 30


def test_the_retired_come_in_the_morning_and_the_young_in_the_evening(acts: dict[str, np.ndarray]) -> None:
    def share(way: str, channel: str, first: int, last: int) -> float:
        rows = (acts["channel"] == channel) & (acts["way"] == WAYS.index(way))
        assert rows.sum() > 300
        return float(((acts["hour"] >= first) & (acts["hour"] <= last))[rows].mean())

    assert share("retired", "branch", 6, 11) > 0.6 > 0.5 > share("family_builders", "branch", 6, 11)
    assert share("young_digital", "mobile", 18, 23) > 0.55 > 0.3 > share("retired", "mobile", 18, 23)
    assert share("shops", "mobile", 9, 17) > 0.5 > share("young_digital", "mobile", 9, 17)
