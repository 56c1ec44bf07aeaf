"""Exports under pseudonyms: one key, one pseudonym; another key, another; nothing personal leaves."""

from __future__ import annotations

import csv
import hashlib
import hmac
import stat
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from tests.warehouse.planted import BEFORE, DAY, plant_source, published
from warehouse import Settings, WarehouseError, open_warehouse
from warehouse.__main__ import main
from warehouse.export import export, undeclared_identifiers
from warehouse.pseudonyms import HARMLESS_IDS, IDENTIFIERS, NAMING_TEXTS, PERSONAL
from warehouse.publish import PUBLIC_MARTS
from warehouse.settings import PROJECT_ROOT

KEY, OTHER = b"0123456789abcdef0123456789abcdef", b"another key of two and thirty b."
PSEUDONYMS = {name: hmac.new(KEY, name.encode(), hashlib.sha256).hexdigest() for name in ("C1", "C2")}


def contracted_columns() -> dict[str, list[str]]:
    """The columns of every mart, by the contracts of dbt."""
    columns: dict[str, list[str]] = {}
    for file in sorted((PROJECT_ROOT / "dbt_project" / "models" / "marts").rglob("_*.yml")):
        for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models", []):
            columns[model["name"]] = [column["name"] for column in model.get("columns", [])]
    return columns


COLUMNS = contracted_columns()


def rows_of(file: Path) -> list[dict[str, object]]:
    if file.suffix == ".parquet":
        return pq.read_table(file).to_pylist()
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_identifiers_are_keyed_hashes_and_all_else_is_as_published(
    settings: Settings, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / "exports" / f"tiers{suffix}"
    out.parent.mkdir()
    with open_warehouse(settings) as wh:
        plant_source(wh)
        run_id = published(wh, DAY, "one").run_id
        assert export(wh, "fct_customer_tiers", out, KEY) == 2
        found = sorted((row["customer_id"], str(row["balance_amount"]), row["label"]) for row in rows_of(out))
        assert found == sorted(
            (PSEUDONYMS[name], amount, run_id) for name, amount in (("C1", "10.50"), ("C2", "21.00"))
        )
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
        assert list(out.parent.iterdir()) == [out]
        (audited,) = wh.query("select subject, detail from ops.audit_log where action = 'export'").to_pylist()
        assert audited["subject"] == "marts.fct_customer_tiers"
        assert audited["detail"].startswith(f"2 rows to tiers{suffix}, pseudonyms by key ")
        assert KEY.decode() not in audited["detail"]


def test_one_key_gives_one_pseudonym_in_every_mart_and_day_and_another_key_another(
    settings: Settings, tmp_path: Path
) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        published(wh, BEFORE, "one")
        published(wh, DAY, "two")

        def pseudonyms(mart: str, key: bytes, as_of_date: object = None) -> list[object]:
            file = tmp_path / "some.parquet"
            export(wh, mart, file, key, as_of_date=as_of_date)
            return [row["customer_id"] for row in rows_of(file)]

        ours = pseudonyms("dim_customers", KEY)
        assert set(ours) == set(PSEUDONYMS.values())
        # In one order too, which follows from the key.
        assert pseudonyms("fct_customer_rfm", KEY) == pseudonyms("dim_customers", KEY, BEFORE) == ours
        assert not set(pseudonyms("dim_customers", OTHER)) & set(ours)


def test_the_order_of_rows_follows_the_key_and_not_the_identifiers(
    settings: Settings, tmp_path: Path
) -> None:
    """Customers numbered as they came, published in that order: the file tells nobody's place."""
    with open_warehouse(settings) as wh:
        plant_source(wh)
        published(wh, DAY, "one")
        run_id = wh.query("select run_id from ops.publications")["run_id"][0].as_py()
        wh.execute(f"delete from {run_id}.dim_customers")
        number = "cast(range as varchar)" if wh.target == "duckdb" else "number::varchar"
        series = "range(100, 200)" if wh.target == "duckdb" else "generate_series(100, 199) as number"
        wh.execute(
            f"insert into {run_id}.dim_customers (as_of_date, customer_id)"
            f" select date '2026-10-31', 'C' || {number} from {series}"
        )
        orders = []
        for key in (KEY, OTHER):
            export(wh, "dim_customers", tmp_path / "some.csv", key)
            names = {hmac.new(key, f"C{n}".encode(), "sha256").hexdigest(): n for n in range(100, 200)}
            orders.append([names[str(row["customer_id"])] for row in rows_of(tmp_path / "some.csv")])
    ours, other = orders
    assert sorted(ours) == sorted(other) == list(range(100, 200))
    assert list(range(100, 200)) not in (ours, other)
    assert ours != other


def test_a_day_of_history(settings: Settings, tmp_path: Path) -> None:
    with open_warehouse(settings) as wh:
        plant_source(wh)
        before = published(wh, BEFORE, "one").run_id
        published(wh, DAY, "two")
        assert export(wh, "dim_customers", tmp_path / "a.csv", KEY, as_of_date=BEFORE) == 2
        assert {row["label"] for row in rows_of(tmp_path / "a.csv")} == {before}
        with pytest.raises(WarehouseError, match="no snapshot as of 2026-10-29 stands"):
            export(wh, "dim_customers", tmp_path / "b.csv", KEY, as_of_date=BEFORE.replace(day=29))
        assert not (tmp_path / "b.csv").exists()


@pytest.mark.parametrize("mart", sorted(mart for mart in PUBLIC_MARTS if "override_author" in COLUMNS[mart]))
def test_nobody_of_the_staff_is_named_in_any_column(
    duckdb_settings: Settings, tmp_path: Path, mart: str
) -> None:
    """The reason of a tier that was set by hand names who set it."""
    with open_warehouse(duckdb_settings) as wh:
        plant_source(wh)
        published(wh, DAY, "one")
        why = "set by li.wei until 2026-12-31: a friend of the house; without it: 5 years"
        wh.execute(
            f"create or replace view marts.{mart} as"
            f" select 'C1' as customer_id, '{why}' as reason, 'li.wei' as override_author"
            " union all select 'C2', '5 years', null"
        )
        assert export(wh, mart, tmp_path / "a.csv", KEY) == 2
    assert "li.wei" not in (tmp_path / "a.csv").read_text()
    by_customer = {row["customer_id"]: row for row in rows_of(tmp_path / "a.csv")}
    assert [by_customer[PSEUDONYMS[name]]["reason"] for name in ("C1", "C2")] == ["", "5 years"]
    author = hmac.new(KEY, b"li.wei", hashlib.sha256).hexdigest()
    assert [by_customer[PSEUDONYMS[name]]["override_author"] for name in ("C1", "C2")] == [author, ""]


def test_texts_that_may_name_an_author_are_declared() -> None:
    """Whatever a mart with an author has of texts: a word of a list, a version, a code, or declared."""
    marts = [mart for mart in PUBLIC_MARTS if "override_author" in COLUMNS[mart]]
    assert len(marts) >= 7
    free = {
        name
        for mart in marts
        for name in COLUMNS[mart]
        if any(word in name for word in ("reason", "note", "comment", "text", "remark"))
    }
    assert free == set(NAMING_TEXTS)


def test_what_is_not_for_export_is_refused(duckdb_settings: Settings, tmp_path: Path) -> None:
    with open_warehouse(duckdb_settings) as wh:
        plant_source(wh)
        for mart in ("fct_customer_features", "restricted.customers", "customer_tier_spells"):
            with pytest.raises(WarehouseError, match="is no public mart"):
                export(wh, mart, tmp_path / "a.csv", KEY)
        with pytest.raises(WarehouseError, match="publish a run first"):
            export(wh, "dim_customers", tmp_path / "a.csv", KEY)
        published(wh, DAY, "one")
        with pytest.raises(WarehouseError, match="has to end in"):
            export(wh, "dim_customers", tmp_path / "a.xlsx", KEY)
        for column, fault in (("phone", "personal columns.*phone"), ("device_id", "whether device_id names")):
            wh.execute(f"create or replace view marts.dim_customers as select 'x' as {column}")
            with pytest.raises(WarehouseError, match=fault):
                export(wh, "dim_customers", tmp_path / "a.csv", KEY)
    assert list(tmp_path.glob("*.csv")) == []


def test_the_command_takes_the_key_from_a_file(
    duckdb_settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with open_warehouse(duckdb_settings) as wh:
        plant_source(wh)
        published(wh, DAY, "one")
    for name, value in duckdb_settings.environment().items():
        monkeypatch.setenv(name, value)
    command = ["export", "--mart", "dim_customers", "--out", str(tmp_path / "a.csv")]
    assert main(command) == 2
    assert "KEEPWELL_PSEUDONYM_KEY_FILE" in capsys.readouterr().err
    key = tmp_path / "key"
    key.write_bytes(KEY)
    key.chmod(0o644)
    monkeypatch.setenv("KEEPWELL_PSEUDONYM_KEY_FILE", str(key))
    assert main(command) == 2
    assert "may be read by others" in capsys.readouterr().err
    key.chmod(0o600)
    assert main(command) == 0
    assert {row["customer_id"] for row in rows_of(tmp_path / "a.csv")} == set(PSEUDONYMS.values())


def test_every_identifier_of_every_public_mart_is_declared() -> None:
    """By the contracts of dbt: a new `*_id` is somebody's or nobody's, and somebody has to say so."""
    columns = COLUMNS
    assert set(PUBLIC_MARTS) <= set(columns)
    for mart in PUBLIC_MARTS:
        assert undeclared_identifiers(columns[mart]) == [], mart
        assert not set(columns[mart]) & set(PERSONAL), mart
    assert not set(IDENTIFIERS) & set(HARMLESS_IDS)
    assert sum("customer_id" in columns[mart] for mart in PUBLIC_MARTS) >= 15
    # The test can fail.
    assert undeclared_identifiers(["device_id", "branch_id", "customer_id"]) == ["device_id"]
