"""The files keep the contracts: columns, types, keys, parents, delivery dates; faults are counted."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from simulator import files as files_module
from simulator.folder import fill
from simulator.parameters import Parameters
from simulator.schemas import REQUIRED, SCHEMAS
from tests.simulator.conftest import truth_of

CONTRACTS = Path(__file__).parents[2] / "ingest" / "contracts"
ARROW_TYPES = {
    "varchar": pa.string(), "date": pa.date32(), "boolean": pa.bool_(), "integer": pa.int32(),
    "numeric(18,2)": pa.decimal128(18, 2), "numeric(12,6)": pa.decimal128(12, 6),
}  # fmt: skip
HISTORY, FIRST_DAILY, SECOND_DAILY, LAST = "2026-10-28", "2026-10-29", "2026-10-30", "2026-10-31"


def contract(entity: str) -> dict[str, Any]:
    return yaml.safe_load((CONTRACTS / f"{entity}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("entity", sorted(SCHEMAS))
def test_every_file_has_the_columns_and_types_of_its_contract(entity: str, demo_folder: Path) -> None:
    properties = contract(entity)["schema"][0]["properties"]
    wanted = pa.schema([(column["name"], ARROW_TYPES[column["physicalType"]]) for column in properties])
    # Every file may carry known_at beside the contract's columns.
    paths = sorted(demo_folder.glob(f"*/{entity}.parquet"))
    assert paths[0].parent.name == HISTORY
    for path in paths:
        schema = pq.read_schema(path)
        known_at = schema.get_field_index("known_at")
        if known_at >= 0:
            assert schema.field("known_at").type == pa.timestamp("us")
            schema = schema.remove(known_at)
        assert schema.equals(wanted), path


def test_there_is_a_contract_for_every_entity_and_a_file_for_every_contract(demo_folder: Path) -> None:
    entities = {path.stem for path in CONTRACTS.glob("*.yaml")}
    assert entities == set(SCHEMAS)
    assert {path.stem for path in (demo_folder / HISTORY).iterdir()} == entities
    for delivery in (FIRST_DAILY, SECOND_DAILY, LAST):
        assert set(REQUIRED) <= {path.stem for path in (demo_folder / delivery).iterdir()}


@pytest.mark.parametrize("entity", sorted(SCHEMAS))
def test_required_columns_are_filled_and_enums_hold(entity: str, files: duckdb.DuckDBPyConnection) -> None:
    condition = "transaction_id < 'T9'" if entity == "transactions" else "true"
    for column in contract(entity)["schema"][0]["properties"]:
        name = column["name"]
        if column.get("required"):
            assert files.execute(f"select count(*) from {entity} where {name} is null").fetchone() == (0,), (
                name
            )
        for rule in column.get("quality", []):
            values = rule.get("arguments", {}).get("validValues")
            if rule.get("metric") == "invalidValues" and values:
                found = {
                    row[0]
                    for row in files.execute(
                        f"select distinct {name} from {entity} where {condition}"
                    ).fetchall()
                }
                assert found - {None} <= set(values), name


@pytest.mark.parametrize("entity", sorted(SCHEMAS))
def test_keys_are_unique(entity: str, files: duckdb.DuckDBPyConnection) -> None:
    properties = contract(entity)["schema"][0]["properties"]
    key = [column["name"] for column in properties if column.get("primaryKey")]
    if any(column["name"] == "valid_from" for column in properties):
        key.append("valid_from")
    rows = "(select distinct * exclude (delivered_on) from transactions where transaction_id < 'T9')"
    source = rows if entity == "transactions" else entity
    names = ", ".join(dict.fromkeys(key))
    twice = files.execute(f"select {names} from {source} group by all having count(*) > 1").fetchall()
    assert key
    assert twice == []


@pytest.mark.parametrize(
    ("child", "column", "parent"),
    [
        ("account_holders", "account_id", "accounts"),
        ("account_holders", "customer_id", "customers"),
        ("accounts", "product_id", "products"),
        ("accounts", "branch_id", "branches"),
        ("customers", "branch_id", "branches"),
        ("good_transactions", "account_id", "accounts"),
        ("loans", "account_id", "accounts"),
        ("cards", "account_id", "accounts"),
        ("loan_payments", "loan_id", "loans"),
        ("risk_questionnaires", "customer_id", "customers"),
        ("tier_overrides", "customer_id", "customers"),
        ("loyalty_events", "customer_id", "customers"),
        ("satisfaction_surveys", "customer_id", "customers"),
        ("interactions", "customer_id", "customers"),
        ("campaign_contacts", "customer_id", "customers"),
        ("campaign_contacts", "campaign_id", "campaigns"),
        ("exit_interviews", "customer_id", "customers"),
    ],
)
def test_a_parent_comes_in_the_same_or_an_earlier_delivery(
    child: str, column: str, parent: str, files: duckdb.DuckDBPyConnection
) -> None:
    orphans = files.execute(
        f"select count(*), count(*) filter (known_from is null or known_from > child.delivered_on)"
        f" from {child} as child"
        f" left join (select {column}, min(delivered_on) as known_from from {parent} group by 1)"
        f" using ({column})"
    ).fetchone()
    assert orphans is not None
    assert orphans[0] > 0
    assert orphans[1] == 0


def test_each_row_comes_in_the_delivery_of_the_day_it_was_known(files: duckdb.DuckDBPyConnection) -> None:
    for entity in (
        "good_transactions", "loan_payments", "interactions", "campaign_contacts", "tier_overrides"
    ):  # fmt: skip
        wrong = files.execute(
            f"select count(*) from {entity} where greatest(known_at::date, date '{HISTORY}') <> delivered_on"
        ).fetchone()
        assert wrong == (0,), entity
    early = files.execute(
        "select count(*) from good_transactions where known_at::date < booked_on"
    ).fetchone()
    assert early == (0,)
    assert files.execute("select distinct known_at::time::varchar from good_transactions").fetchall() == [
        ("22:00:00",)
    ]


def test_things_have_one_row_in_history_and_a_version_for_each_change(
    files: duckdb.DuckDBPyConnection,
) -> None:
    for entity, key in (("customers", "customer_id"), ("accounts", "account_id"), ("cards", "card_id")):
        count = files.execute(
            f"select count(*), count(distinct {key}), max(coalesce(closed_on, opened)) from"
            f" (select *, {'issued_on' if entity == 'cards' else 'opened_on'} as opened from {entity})"
            f" where delivered_on = '{HISTORY}'"
        ).fetchone()
        assert count is not None
        assert count[0] == count[1]
        assert count[2].isoformat() <= HISTORY
        changed = files.execute(
            f"select count(*), count(*) filter (valid_from <> delivered_on) from {entity}"
            f" where delivered_on > '{HISTORY}'"
        ).fetchone()
        assert changed is not None
        assert changed[0] > 0
        assert changed[1] == 0
    # A customer's later version differs from the earlier one in more than its date.
    unchanged = files.execute(
        "select count(*) from (select distinct customers.* exclude (valid_from, delivered_on) from customers)"
    ).fetchone()
    assert unchanged == files.execute("select count(*) from customers").fetchone()


def test_three_rows_in_a_thousand_are_late(files: duckdb.DuckDBPyConnection) -> None:
    late, across, total = files.execute(
        "select count(*) filter (known_at::date > booked_on),"
        " count(*) filter (known_at::date > booked_on"
        "  and delivered_on > greatest(booked_on, date '2026-10-28')),"
        " count(*) from transactions"
    ).fetchone() or (0, 0, 0)
    assert across > 0
    # Four standard errors around LATE_SHARE, less the few of the last day that cannot be late.
    assert abs(late / total - 0.003) < 4 * (0.003 / total) ** 0.5 + 1e-5


def test_personal_data_are_recognisably_invented(files: duckdb.DuckDBPyConnection) -> None:
    real_looking = files.execute(
        "select count(*) from customers where email not like '%@example.com' or phone not like '+86 100 %'"
        " or national_id not like '000000%' or length(national_id) <> 18"
    ).fetchone()
    assert real_looking == (0,)
    names = files.execute("select count(distinct full_name), count(distinct email) from customers").fetchone()
    assert names is not None
    assert names[0] > 3000
    assert (
        names[1] == (files.execute("select count(distinct customer_id) from customers").fetchone() or (0,))[0]
    )


@pytest.fixture(scope="module")
def monthly(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A bank that arrives month by month, once in each format."""
    folders = {}
    for file_format in ("parquet", "csv"):
        folders[file_format] = tmp_path_factory.mktemp(file_format) / "monthly"
        parameters = Parameters(
            customers=300, months=8, end=date(2026, 9, 15), every="month", format=file_format
        )
        fill(folders[file_format], truth_of(folders[file_format]), parameters)
    return folders


def test_monthly_deliveries_are_dated_by_the_month_end_and_hold_its_rows(monthly: dict[str, Path]) -> None:
    landing = monthly["parquet"]
    folders = sorted(path.name for path in landing.iterdir() if path.is_dir())
    # Two months of history; the last month is not over.
    assert folders == [
        "2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30", "2026-07-31", "2026-08-31", "2026-09-15",
    ]  # fmt: skip
    earlier = "1900-01-01"
    for folder in folders:
        spans = duckdb.sql(
            f"select min(known_at)::date::varchar, max(known_at)::date::varchar"
            f" from read_parquet('{landing}/{folder}/transactions.parquet')"
        ).fetchall()
        ((first, last),) = spans
        assert earlier < first <= last == folder
        for entity in ("customers", "accounts"):
            since = duckdb.sql(
                f"select min(valid_from)::varchar, max(valid_from)::varchar,"
                f" count(*), count(distinct {entity[:-1]}_id)"
                f" from read_parquet('{landing}/{folder}/{entity}.parquet')"
            ).fetchall()
            ((first, last, rows, things),) = since
            assert earlier < first <= last <= folder, entity
            assert rows == things > 0, entity
        earlier = folder


def test_a_deposit_that_rolls_over_has_a_version_from_that_day_on(monthly: dict[str, Path]) -> None:
    rolled = duckdb.sql(
        f"""
        select count(*), count(*) filter (valid_from <> maturity_before)
        from (
            select maturity_on, valid_from, closed_on,
                lag(maturity_on) over (partition by account_id order by valid_from) as maturity_before
            from read_parquet('{monthly["parquet"]}/*/accounts.parquet')
        )
        where maturity_on <> maturity_before and closed_on is null
        """
    ).fetchall()
    ((versions, wrong),) = rolled
    assert versions > 0
    assert wrong == 0


def test_csv_holds_the_same_rows_as_parquet(monthly: dict[str, Path]) -> None:
    compared = 0
    for path in sorted(monthly["parquet"].glob("*/*.parquet")):
        twin = monthly["csv"] / path.parent.name / f"{path.stem}.csv"
        types = {row[0]: row[1] for row in duckdb.sql(f"describe from read_parquet('{path}')").fetchall()}
        wanted = duckdb.sql(f"from read_parquet('{path}')").fetchall()
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in types.items())
        found = duckdb.sql(
            f"from read_csv('{twin}', header = true, delim = ',', quote = '\"', columns = {{{columns}}})"
        ).fetchall()
        assert found == wanted, path
        assert twin.read_text(encoding="utf-8").splitlines()[0] == ",".join(types)
        compared += len(wanted)
    assert compared > 5_000


def test_csv_writes_days_amounts_flags_and_nulls_plainly(monthly: dict[str, Path]) -> None:
    lines = (monthly["csv"] / "2026-04-30" / "transactions.csv").read_text().splitlines()
    form = re.compile(
        r"T\d{10},A\d{8},2026-0\d-\d\d,(credit|debit),\d+\.\d\d,(CNY|USD),[a-z_]+,[a-z]+,(true|false),"
        r"(T\d{10})?,(\d|1\d|2[0-3])?,2026-04-\d\d 22:00:00\.000000"
    )
    assert len(lines) > 100
    assert [line for line in lines[1:] if not form.fullmatch(line)] == []


def test_large_files_have_row_groups_of_a_million_rows_and_small_ones_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "ROWS_OF_A_GROUP", 1_000)
    monkeypatch.setattr(files_module, "MOST_ROWS_WAITING", 1_500)
    writing = files_module.EntityFiles([tmp_path / "a", tmp_path / "b"], "parquet")
    for number in range(40):
        rows = pa.table({"n": list(range(number * 90, number * 90 + 90))})
        writing.write(number % 2, "cards", rows)
        assert writing.rows_waiting <= 1_500
    writing.close()
    for folder, first in (("a", 0), ("b", 90)):
        groups = pq.ParquetFile(tmp_path / folder / "cards.parquet").metadata
        sizes = [groups.row_group(number).num_rows for number in range(groups.num_row_groups)]
        assert len(sizes) <= 3
        assert max(sizes) < 2_000
        found = pq.read_table(tmp_path / folder / "cards.parquet")["n"].to_pylist()
        assert found == [start + n for start in range(first, 3_600, 180) for n in range(90)]
