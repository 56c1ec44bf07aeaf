"""The benchmarks measure what they say: real processes, the DAG's own command lines, ratios of seconds."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import limits
from benchmarks.banks import described_days
from benchmarks.build import Build
from benchmarks.flips import Flips, flips
from benchmarks.layers import LAYERS, Layer, timings
from benchmarks.results import build_table, layer_table, save, step_table
from benchmarks.steps import PROJECT, Step, StepError, run_step, tasks_of
from warehouse import Settings, open_warehouse

MIB = 1 << 20


# In a process as small as a benchmark's own: a child's peak counts from that of the process that started it.
WEIGH = """
import os, sys
from benchmarks.steps import run_step
hungry = "import time; held = bytearray(300 << 20); held[::4096] = b'x' * len(held[::4096]); time.sleep(.3)"
command = ["bash", "-c", f'{sys.executable} -c "{hungry}"; echo done']
step, output = run_step("hungry", command, {**os.environ})
light, _ = run_step("light", ["true"], {**os.environ})
print(output.strip(), step.seconds, step.peak_bytes, light.seconds, light.peak_bytes)
"""


def test_a_step_is_timed_and_weighed_with_all_it_starts() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", WEIGH], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout.split()
    seconds, peak, light_seconds, light_peak = map(float, printed[1:])
    assert printed[0] == "done"
    assert seconds > 0.3
    assert 300 * MIB < peak < 600 * MIB
    assert light_peak < 150 * MIB
    assert light_seconds < seconds


def test_a_failed_step_says_what_it_printed_and_a_skipped_one_is_told_apart() -> None:
    with pytest.raises(StepError, match=r"sad failed with exit code 3:\nthe reason"):
        run_step("sad", ["bash", "-c", "echo the reason >&2; exit 3"], {**os.environ})
    step, _ = run_step("idle", ["bash", "-c", "exit 99"], {**os.environ})
    assert step.is_skipped


def test_the_tasks_are_those_of_the_dag() -> None:
    names = [name for name, _ in tasks_of("customer_daily")]
    assert names[:3] == ["init", "ingest", "start_run"]
    assert names.index("publish") < names.index("report")
    assert all("set -euo pipefail" in command for _, command in tasks_of("customer_daily"))


def test_the_limits_read_every_transaction(settings: Settings, tmp_path: Path) -> None:
    transactions = pa.table(
        {
            "account_id": ["a1", "a1", "a2", "a3"],
            "amount": pa.array([1, 2, 3, 4], pa.decimal128(18, 2)),
            "booked_on": pa.array([20_000, 20_001, 20_002, 20_003], pa.date32()),
        }
    )
    holders = pa.table(
        {
            "account_id": ["a1", "a2", "a3", "a3"],
            "customer_id": ["ann", "bea", "ann", "bea"],
            "holder_role": ["owner", "owner", "owner", "joint"],
        }
    )
    file = tmp_path / "transactions.parquet"
    pq.write_table(transactions, file)
    with open_warehouse(settings) as warehouse:
        for name, rows in (("raw.transactions", transactions), ("raw.account_holders", holders)):
            warehouse.create_table(name, rows.schema)
            warehouse.append(name, rows)
        grouped = warehouse.query(limits.GROUP_BY + " order by 1").to_pylist()
    assert [(row["customer_id"], row["count_transactions"], int(row["sum_amount"])) for row in grouped] == [
        ("ann", 3, 7),
        ("bea", 1, 3),
    ]
    assert grouped[0]["last_booked_on"] == dt.date(1970, 1, 1) + dt.timedelta(days=20_003)
    assert limits.count_transactions(settings) == 4
    seconds = limits.group_by(settings)
    assert len(seconds) == 5
    assert 0 < seconds[0] <= seconds[-1]
    assert limits.bare_load(settings, [file]) > 0


def test_ratios_are_those_of_the_seconds(tmp_path: Path) -> None:
    def step(name: str, seconds: float, mebibytes: int = 1) -> Step:
        return Step(name, seconds, seconds, mebibytes * MIB)

    build = Build(
        target="duckdb", scale=0.01, months=24, seed=7, transactions=1_500_000, group_by_seconds=0.5,
        slowest_group_by_seconds=0.6, bare_load_seconds=2.0,
        full=[step("ingest", 6.0), step("facts", 4.0, 900)],
        daily=[step("ingest", 0.4), step("facts", 0.6)], full_layers=[], daily_layers=[],
    )  # fmt: skip
    assert build.ratios == pytest.approx(
        {"full_build_to_group_by": 20.0, "daily_to_full_build": 0.1, "ingest_to_bare_load": 3.0}
    )
    assert build.peak_bytes == 900 * MIB
    table = build_table([build])
    assert (
        "| duckdb | 1% | 24 | 1.5 M | **20.0** | **10.0%** | 3.0 | 900 MiB | 0.50 to 0.60 s | 10 s | 1 s |"
        in table
    )
    assert "| facts | 4.0 s | 4.0 s | 900 MiB | 0.6 s | 0.6 s | 1 MiB |" in step_table(build)
    content = save(tmp_path, "one", build.as_json()).read_text(encoding="utf-8")
    assert '"full_build_to_group_by": 20.0' in content


def test_every_second_of_dbt_goes_to_the_layer_of_its_model() -> None:
    def node(path: str, **more: object) -> dict[str, object]:
        kind = "test" if path.startswith("tests/") else "model"
        return {
            "original_file_path": path,
            "schema": "run_1",
            "name": Path(path).stem,
            "resource_type": kind,
            **more,
        }

    nodes = {
        "model.policy": node("models/intermediate/tiers/int_tier_policy.sql"),
        "model.rfm": node("models/marts/rfm/fct_customer_rfm.sql"),
        "model.moves": node("models/intermediate/movement/int_tier_moves.sql"),
        "model.dim": node("models/marts/customers/dim_customers.sql"),
        "test.grain": node("tests/generic", attached_node="model.rfm"),
        "test.both": node(
            "tests/assert.sql", depends_on={"nodes": ["model.moves", "model.rfm", "seed.plan"]}
        ),
        "test.dim": node("tests/other.sql", depends_on={"nodes": ["model.dim"]}),
    }
    times = {name: 2.0**number for number, name in enumerate(nodes)}
    results = [{"unique_id": name, "execution_time": seconds} for name, seconds in times.items()]
    assert timings(
        {"results": [*results, {"unique_id": "operation.start", "execution_time": 9}]}, {"nodes": nodes}
    ) == {
        "tiers and schemes": ({"run_1.int_tier_policy": 1.0, "run_1.fct_customer_rfm": 2.0}, 16.0),
        "movement": ({"run_1.int_tier_moves": 4.0}, 32.0),
    }
    layer = Layer("movement", 1, 40_000, 3.0, 1.0, "int_tier_moves", 3.0)
    assert "| movement | 1 | 0.04 M | 3.0 s, tests 1.0 s | **10.0%** | int_tier_moves 3.0 s |" in layer_table(
        {"full build": (40.0, [layer])}
    )


def test_the_layers_are_where_the_models_are() -> None:
    places = [PROJECT / "dbt_project" / place for paths in LAYERS.values() for place in paths]
    assert [place for place in places if not place.exists()] == []


def test_changes_of_tier_are_counted_between_neighbouring_snapshots(settings: Settings) -> None:
    # Raw and effective tiers over four month-ends; a space is a month without an open account.
    paths = {"ann": ("ABAB", "AAAB"), "bea": ("AAAA", "AAAA"), "cat": ("AB B", "AB B")}
    schemes = ("value_tier", "asset_tier", "pyramid_tier", "loyalty_class")
    rows = [
        {
            "customer_id": customer,
            "as_of_date": dt.date(2026, 1 + month, 28),
            "is_open": raw[month] != " ",
            **dict.fromkeys(schemes, effective[month]),
            **{f"raw_{scheme}": raw[month] for scheme in schemes},
        }
        for customer, (raw, effective) in paths.items()
        for month in range(4)
    ]
    table = pa.Table.from_pylist(rows)
    with open_warehouse(settings) as warehouse:
        warehouse.execute("create schema if not exists history")
        warehouse.create_table("history.fct_customer_tiers", table.schema)
        warehouse.append("history.fct_customer_tiers", table)
        found = {(one.scheme, one.basis): one for one in flips(warehouse)}
    # Pairs: three of ann, three of bea, one of cat, whose gap is no pair.
    assert found["asset_tier", "raw"] == Flips("asset_tier", "raw", 7, 4, 2, 2, 3)
    assert found["asset_tier", "effective"] == Flips("asset_tier", "effective", 7, 2, 0, 0, 1)
    assert found["asset_tier", "raw"].monthly_share == pytest.approx(4 / 7)
    assert found["asset_tier", "raw"].flip_back_rate == 1
    assert found["asset_tier", "effective"].flip_back_rate == 0


def test_a_delivery_describes_the_day_before_it(tmp_path: Path) -> None:
    for name in ("2026-10-29", "2026-10-28"):
        (tmp_path / name).mkdir()
    assert described_days(tmp_path) == [dt.date(2026, 10, 27), dt.date(2026, 10, 28)]
