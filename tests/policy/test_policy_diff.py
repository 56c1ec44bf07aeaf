"""What a diff counts, on planted rows of a run and of a what-if; dbt's part is tried in tests/dbt_project."""

import fcntl
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policy import diff as diffing
from policy import diff_table
from policy.__main__ import main
from policy.codes import MARTS
from policy.diff import Diff, Move, diff, newest_version
from policy.faults import PolicyError
from policy.what_if import SCHEMA, built
from warehouse import Settings, Warehouse, open_warehouse

RUN, DAY = "run_20261031_01", date(2026, 10, 31)
# customer, kind, relationship, deposits; effective and candidate tier as published; both by the other policy.
CUSTOMERS = [
    ("moves at once", "personal", "open", "100.00", ("high", "high"), ("mid", "mid")),
    ("moves later", "personal", "open", "20.50", ("high", "high"), ("high", "mid")),
    ("would have moved", "personal", "open", "3.00", ("high", "mid"), ("high", "high")),
    ("moves anyway", "personal", "open", "4.00", ("high", "mid"), ("high", "mid")),
    ("has unknown deposits", "small_business", "open", None, ("high", "high"), ("mid", "mid")),
    ("has left", "personal", "closed", "0.00", ("low", "low"), ("mid", "mid")),
]


def plant(wh: Warehouse, schema: str, place: int) -> None:
    """The tier marts in a schema; value tiers as in `CUSTOMERS`, the other schemes all alike."""
    wh.execute(f"create schema {schema}")
    for mart, column in MARTS.values():
        wh.execute(
            f"create table {schema}.{mart} (customer_id varchar, customer_kind varchar,"
            f" relationship_status varchar, {column} varchar, candidate_tier varchar, as_of_date date)"
        )
        for customer, kind, status, _, *tiers in CUSTOMERS:
            tier = tiers[place] if mart == "fct_customer_value_tiers" else ("same", "same")
            row = [customer, kind, status, *tier, DAY]
            wh.execute(f"insert into {schema}.{mart} values ($1, $2, $3, $4, $5, $6)", row)


@pytest.fixture
def planted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    with open_warehouse(settings) as wh:
        wh.execute("insert into ops.sources values ('demo', 'cny', 'CNY', 1, 0.02)")
        wh.execute(
            "insert into ops.runs values"
            " ($1, 'k', 'daily', $2, $2, 'published', null, timestamp '2026-11-01', 1)",
            [RUN, DAY],
        )
        wh.execute(
            "insert into ops.publications values"
            " (1, $1, 'daily', $2, 'none', null, 0, timestamp '2026-11-01', null, null, null)",
            [RUN, DAY],
        )
        plant(wh, RUN, 0)
        plant(wh, SCHEMA, 1)
        wh.execute(
            f"create table {RUN}.fct_customer_activity"
            " (customer_id varchar, closing_balance numeric(18, 2), as_of_date date)"
        )
        for customer, _, _, deposits, *_ in CUSTOMERS:
            balance = None if deposits is None else Decimal(deposits)
            wh.execute(
                f"insert into {RUN}.fct_customer_activity values ($1, $2, $3)", [customer, balance, DAY]
            )

    @contextmanager
    def built_already(*arguments: Any, **options: Any) -> Iterator[None]:
        yield

    monkeypatch.setattr(diffing, "built", built_already)
    return settings


def test_moves_are_counted_now_and_eventually_with_their_deposits(planted: Settings) -> None:
    """Who moves anyway is no effect of the policy, who has left is not counted, unknown deposits add 0."""
    found = diff(planted)
    assert (found.snapshot.run_id, found.policy_on, found.count_customers) == (RUN, DAY, 5)
    nothing = Decimal("0.00")
    assert found.moves == [
        Move("value_tier", "personal", "high", "mid", 1, Decimal("100.00"), 2, Decimal("120.50")),
        Move("value_tier", "personal", "mid", "high", 0, nothing, 1, Decimal("3.00")),
        Move("value_tier", "small_business", "high", "mid", 1, nothing, 1, nothing),
    ]


def test_a_customer_without_a_tier_is_refused(planted: Settings) -> None:
    with open_warehouse(planted) as wh:
        wh.execute(f"delete from {SCHEMA}.fct_customer_rfm where customer_id = 'moves later'")
    with pytest.raises(
        PolicyError, match=f"by the policy of {DAY} 5 of 6 customers have a tier of rfm_segment"
    ):
        diff(planted)


def test_a_run_of_older_code_and_a_run_without_schema_are_told(planted: Settings) -> None:
    with open_warehouse(planted) as wh:
        wh.execute(f"alter table {RUN}.fct_customer_rfm drop column candidate_tier")
    with pytest.raises(PolicyError, match="before the tiers of fct_customer_rfm were kept: publish a day"):
        diff(planted)
    with open_warehouse(planted) as wh:
        wh.execute(f"drop schema {RUN} cascade")
    with pytest.raises(PolicyError, match=f"the schema of {RUN} is gone: publish the newest day again"):
        diff(planted)


def test_two_what_ifs_do_not_mix(duckdb_settings: Settings) -> None:
    folder = duckdb_settings.bank_home / SCHEMA
    folder.mkdir(parents=True)
    snapshot: Any = None
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with (
            pytest.raises(PolicyError, match="another what-if is at work"),
            built(duckdb_settings, snapshot, policy_on=DAY, project=Path()),
        ):
            pass


def test_the_day_of_the_policy_is_that_of_the_newest_version_of_the_bank(seeds: Any) -> None:
    assert newest_version(seeds.folder, "cny") == date(1900, 1, 1)
    tiers = {"scheme": "value_tier", "customer_kind": "personal"}
    seeds.add_like("policy_tiers", {**tiers, "policy_set": "cny"}, {"effective_from": "2027-01-01"})
    seeds.add_like("policy_tiers", {**tiers, "policy_set": "czk"}, {"effective_from": "2028-01-01"})
    assert newest_version(seeds.folder, "cny") == date(2027, 1, 1)


def test_the_table_is_whole_and_sums_up(planted: Settings) -> None:
    found = diff(planted)
    out = io.StringIO()
    diff_table.show(found, out)
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert lines[0] == f"policy of {DAY} on the snapshot of {DAY} ({RUN}): 5 customers with an open account"
    assert "value_tier personal high mid 1 100.00 2 120.50" in lines
    assert "value_tier all moves 2 40.00% of all 4 80.00% of all" in lines
    assert lines[-1].startswith("no customer moves in asset_tier, pyramid_tier,")
    out = io.StringIO()
    diff_table.show(Diff(found.snapshot, DAY, 5, []), out)
    assert out.getvalue().splitlines()[1:] == ["no customer moves"]


def test_the_command_writes_table_and_file(
    planted: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in planted.environment().items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "moves.csv"
    assert main(["diff", "--csv", str(path)]) == 0
    assert "value_tier" in capsys.readouterr().out
    header, *rows = path.read_text().splitlines()
    assert header.startswith(
        "as_of_date,policy_on,currency_code,scheme,customer_kind,from_tier,to_tier,count_now"
    )
    assert rows[0] == f"{DAY},{DAY},CNY,value_tier,personal,high,mid,1,100.00,2,120.50"
    assert main(["diff", "--csv", str(tmp_path / "nowhere" / "moves.csv")]) == 2
    assert "cannot be written: No such file" in capsys.readouterr().err
