"""Repeated keys are counted on both engines, but not where an index has proved that there are none."""

from __future__ import annotations

import pyarrow as pa
import pytest

from expectations.keys import repeated_keys
from warehouse import Settings, Warehouse, open_warehouse

KEYS = ["a", "b", "b", None, None, "c", "c", "c"]


def count(wh: Warehouse, key: tuple[str, ...], covered: int = 0) -> int:
    return int(wh.query(repeated_keys(wh, "raw.events", key, covered))["count_repeated_keys"][0].as_py())


def fill(wh: Warehouse, ids: list[str | None], batches: list[int]) -> None:
    schema = pa.schema([("event_id", pa.string()), ("day", pa.int32()), ("batch_no", pa.int32())])
    wh.create_table("raw.events", schema)
    rows = {"event_id": ids, "day": list(range(len(ids))), "batch_no": batches}
    wh.append("raw.events", pa.table(rows, schema=schema))


def test_repeated_keys_are_counted_once_each_and_among_new_batches_only(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        fill(wh, KEYS, [1, 1, 1, 1, 2, 2, 2, 2])
        assert count(wh, ("event_id",)) == 3
        assert count(wh, ("event_id",), covered=1) == 1
        assert count(wh, ("event_id", "day")) == 0
        wh.execute("update raw.events set day = 0")
        assert count(wh, ("event_id", "day")) == 3


@pytest.mark.parametrize(
    ("index", "is_proof"),
    [
        ("create unique index on raw.events (event_id)", True),
        ("create unique index on raw.events (event_id, day)", False),
        ("create unique index on raw.events (lower(event_id))", False),
        ("create unique index on raw.events (event_id) where day > 99", False),
        ("create index on raw.events (event_id)", False),
    ],
)
def test_only_a_unique_index_on_the_key_is_a_proof(
    postgres_settings: Settings, index: str, is_proof: bool
) -> None:
    with open_warehouse(postgres_settings) as wh:
        fill(wh, ["a", "b"], [1, 1])
        wh.execute(index)
        asked = repeated_keys(wh, "raw.events", ("event_id",), 0)
        assert ("raw.events" not in asked) == is_proof
        assert count(wh, ("event_id",)) == 0
