"""Erasure on planted tables: who goes with whom, what is refused, what the receipt says."""

from __future__ import annotations

import fcntl
import json
import stat
from pathlib import Path
from unittest.mock import Mock

import pyarrow as pa
import pytest

from ingest.contracts import load_contracts
from ingest.erased import HOLDERS, KINDS
from ingest.rules import MASK
from tests.warehouse.planted import plant_run, plant_source
from warehouse import Settings, Warehouse, WarehouseError, erasure, open_warehouse
from warehouse.__main__ import main
from warehouse.duck import DuckWarehouse
from warehouse.erasure import ERASED, SUBJECTS, erase, plan, receipt_of, write_receipt
from warehouse.errors import UnavailableError
from warehouse.pseudonyms import IDENTIFIERS, PERSONAL, keyed_hash, read_key
from warehouse.runs import end_run, fail_run

KEY = b"0123456789abcdef0123456789abcdef"

HOLDINGS = [
    ("A1", "C1", "owner"),
    ("A1", "C3", "authorised_user"),
    ("A2", "C1", "owner"),
    ("A2", "C2", "joint"),
    ("A3", "C2", "owner"),
    ("A3", "C1", "authorised_user"),
    ("A12", "C12", "owner"),
]


def plant(wh: Warehouse) -> None:
    """Three customers, of whom C1 holds A1 alone and A2 with C2, may use A3, and has a loan on A1."""

    def put(name: str, rows: list[dict[str, object]]) -> None:
        table = pa.Table.from_pylist(rows)
        wh.create_table(name, table.schema)
        wh.append(name, table)

    plant_source(wh)
    customers = ("C1", "C2", "C3", "C12")
    put("raw.customers", [{"customer_id": name} for name in customers])
    put(
        "restricted.customers",
        [
            {"customer_id": name, "full_name": f"Name {name}", "phone": f"1380000{name}", "row_hash": "h"}
            for name in customers
        ],
    )
    put(
        "raw.account_holders",
        [
            {"account_id": account, "customer_id": customer, "holder_role": role, "row_hash": "h"}
            for account, customer, role in HOLDINGS
        ],
    )
    accounts = ("A1", "A2", "A3", "A12")
    put("raw.accounts", [{"account_id": name} for name in accounts])
    put("raw.transactions", [{"transaction_id": f"T{name}", "account_id": name} for name in accounts])
    put("raw.loans", [{"loan_id": "L1", "account_id": "A1"}, {"loan_id": "L2", "account_id": "A2"}])
    put("raw.loan_payments", [{"loan_id": name, "due_amount": 1.0} for name in ("L1", "L2")])
    put(
        "core.fct_customer_activity_daily",
        [{"customer_id": name, "batch_no": 0} for name in customers],
    )
    put("core.fct_account_flows_daily", [{"account_id": name, "batch_no": 0} for name in accounts])


def ids(wh: Warehouse, table: str, column: str) -> list[str]:
    values = wh.query(f"select distinct {column} as id from {table} order by 1")["id"]
    return [str(value) for value in values.to_pylist()]


def erase_c1(wh: Warehouse, settings: Settings, **changes: str) -> dict[str, object]:
    texts = {"reason": "asked for it", "author": "S-12", **changes}
    return erase(wh, settings, "C1", key=KEY, **texts)


def test_sole_accounts_go_with_what_hangs_on_them_and_shared_ones_stay(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant(wh)
        receipt = erase_c1(wh, settings)
        assert ids(wh, "raw.customers", "customer_id") == ["C12", "C2", "C3"]
        assert ids(wh, "restricted.customers", "customer_id") == ["C12", "C2", "C3"]
        assert ids(wh, "raw.accounts", "account_id") == ["A12", "A2", "A3"]
        assert ids(wh, "raw.transactions", "account_id") == ["A12", "A2", "A3"]
        assert ids(wh, "raw.loans", "loan_id") == ids(wh, "raw.loan_payments", "loan_id") == ["L2"]
        assert ids(wh, "core.fct_customer_activity_daily", "customer_id") == ["C12", "C2", "C3"]
        assert ids(wh, "core.fct_account_flows_daily", "account_id") == ["A12", "A2", "A3"]
        # Whose account A2 was is not handed to C2; on A3 he was no holder.
        assert wh.query(
            "select account_id, customer_id, holder_role, row_hash from raw.account_holders order by 1, 2"
        ).to_pylist() == [
            {"account_id": account, "customer_id": customer, "holder_role": role, "row_hash": row_hash}
            for account, customer, role, row_hash in (
                ("A12", "C12", "owner", "h"),
                ("A2", "C2", "joint", "h"),
                ("A2", ERASED, "owner", ERASED),
                ("A3", "C2", "owner", "h"),
            )
        ]
        assert wh.query("select kind, id from restricted.erased_customers order by 1, 2").to_pylist() == [
            {"kind": kind, "id": name}
            for kind, name in (("account", "A1"), ("customer", "C1"), ("loan", "L1"))
        ]
        assert receipt["tables_erased"] == {
            "core.fct_account_flows_daily": 1,
            "core.fct_customer_activity_daily": 1,
            "raw.account_holders": 4,
            "raw.accounts": 1,
            "raw.customers": 1,
            "raw.loan_payments": 1,
            "raw.loans": 1,
            "raw.transactions": 1,
            "restricted.customers": 1,
        }
        assert receipt["rows_erased"] == 12
        assert (receipt["accounts_erased"], receipt["accounts_kept_for_other_holders"]) == (1, 1)


def test_an_account_goes_with_the_last_of_its_holders(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant(wh)
        erase_c1(wh, settings)
        erase(wh, settings, "C2", reason="asked too", author="S-12", key=KEY)
        assert ids(wh, "raw.accounts", "account_id") == ["A12"]
        assert ids(wh, "raw.account_holders", "customer_id") == ["C12"]
        assert ids(wh, "raw.loan_payments", "loan_id") == []


def test_unpublished_facts_are_built_again_where_a_shared_account_loses_its_owner(
    settings: Settings,
) -> None:
    with open_warehouse(settings) as wh:
        plant(wh)
        erase(wh, settings, "C12", reason="holds nothing with anybody", author="S-12", key=KEY)
        assert ids(wh, "core.fct_customer_activity_daily", "customer_id") == ["C1", "C2", "C3"]
        # Batch 2 has come since the last publication, batch 1 is covered by it.
        run_id = plant_run(wh, key="covering")
        wh.execute(
            "update ops.runs set newest_batch_no = 1, status = 'published' where run_id = $1", [run_id]
        )
        wh.execute(
            "insert into ops.publications (publication_no, run_id, kind, as_of_date, scores_status,"
            " rows_published, published_at) values (1, $1, 'daily', date '2026-10-31', 'none', 0,"
            " timestamp '2026-10-31 00:00:00')",
            [run_id],
        )
        wh.execute("insert into core.fct_customer_activity_daily values ('C1', 2), ('C3', 2)")
        wh.execute("insert into core.fct_account_flows_daily values ('A3', 2)")
        erase_c1(wh, settings)
        for table in ("core.fct_customer_activity_daily", "core.fct_account_flows_daily"):
            assert wh.query(f"select max(batch_no) as newest from {table}")["newest"].to_pylist() == [0]
        assert ids(wh, "core.fct_customer_activity_daily", "customer_id") == ["C2", "C3"]


def test_rejected_rows_that_name_him_go_and_others_stay(settings: Settings) -> None:
    lines = {
        1: (json.dumps({"customer_id": "C1"}), "x", True),
        2: (json.dumps({"customer_id": "C12"}), "x", False),
        3: ('T9,A1,2026-10-01,"', "x", True),
        4: ('T9,A12,2026-10-01,"', "x", False),
        5: (json.dumps({"customer_id": None, "city": "Name C1"}), "x", True),
        6: (json.dumps({"loan_id": "L1", "due_amount": "L"}), "x", True),
        7: (None, 'account_id: "A1" is not among the accounts', True),
        8: (None, 'account_id: "A2" is not among the accounts', False),
        9: (json.dumps({"city": "C1"}), "x", True),
    }
    with open_warehouse(settings) as wh:
        plant(wh)
        for line, (text, reason, _) in lines.items():
            wh.execute(
                "insert into ops.rejected_rows values ('B', 'e', 'f', $1, null, 'type', $2, $3)",
                [line, reason, text],
            )
            if text:
                wh.execute(
                    "insert into restricted.rejected_rows values ('B', 'e', 'f', $1, $2)", [line, text]
                )
        erase_c1(wh, settings)
        kept = [str(line) for line, (_, _, goes) in lines.items() if not goes]
        assert ids(wh, "ops.rejected_rows", "line_no") == kept
        assert ids(wh, "restricted.rejected_rows", "line_no") == [line for line in kept if line != "8"]


def test_a_name_with_marks_is_found_in_a_line_that_is_kept_as_json(settings: Settings) -> None:
    name = 'O"Neil \\ 北_京 100%'
    with open_warehouse(settings) as wh:
        plant(wh)
        wh.execute("insert into restricted.customers values ('C5', $1, '1', 'h')", [name])
        for line, found in ((1, name), (2, 'O"Neil')):
            text = json.dumps({"full_name": found}, ensure_ascii=False)
            wh.execute("insert into restricted.rejected_rows values ('B', 'e', 'f', $1, $2)", [line, text])
        erase(wh, settings, "C5", reason="asked", author="S-12", key=KEY)
        assert ids(wh, "restricted.rejected_rows", "line_no") == ["2"]


def test_a_number_is_not_taken_for_an_id_of_digits(settings: Settings) -> None:
    """Customer 2 with account 1, as in a bank whose ids count up from 1."""
    lines = {
        1: (json.dumps({"amount": "2"}), True),
        2: (json.dumps({"customer_id": "2"}), False),
        3: (json.dumps({"account_id": "1", "amount": "x"}), False),
        4: ("customer 2 moved,x", False),
        # Whose it is cannot be told.
        5: ("T9;1;77", True),
        6: ("T9;12;77", True),
    }
    with open_warehouse(settings) as wh:
        plant(wh)
        wh.execute("insert into raw.customers values ('2')")
        wh.execute("insert into raw.account_holders values ('1', '2', 'owner', 'h')")
        for line, (text, _) in lines.items():
            wh.execute("insert into restricted.rejected_rows values ('B', 'e', 'f', $1, $2)", [line, text])
        texts = {"count.log": "2 of 97 models, 1 warning", "named.log": 'customer_id: "2"', "zh.log": "客户2"}
        settings.logs_dir.mkdir(parents=True)
        settings.report_dir.mkdir(parents=True)
        (settings.report_dir / "money.html").write_text('<th scope="row">2</th><td>12</td>')
        (settings.report_dir / "other.html").write_text('<th scope="row">12</th><td>2</td>')
        for name, text in texts.items():
            (settings.logs_dir / name).write_text(text, encoding="utf-8")
        for telling in ("customer 2 asked", "account_id=1", "客户2要求"):
            with pytest.raises(WarehouseError, match="reason names the customer"):
                erase(wh, settings, "2", reason=telling, author="S-12", key=KEY)
        receipt = erase(wh, settings, "2", reason="Article 2 GDPR", author="S-1", key=KEY)
        assert receipt["files_removed"] == ["report/money.html", "logs/named.log", "logs/zh.log"]
        kept = wh.query("select line_no, raw_text from restricted.rejected_rows order by 1").to_pylist()
        assert {row["line_no"]: row["raw_text"] for row in kept} == {
            line: "***" if line == 5 else text for line, (text, stays) in lines.items() if stays
        }
        assert receipt["tables_erased"]["restricted.rejected_rows"] == 4


def test_nothing_is_erased_while_a_run_is_started(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant(wh)
        run_id = plant_run(wh)
        with pytest.raises(UnavailableError, match=f"{run_id} is started.*fail-run"):
            erase_c1(wh, settings)
        assert "C1" in ids(wh, "raw.customers", "customer_id")
        fail_run(wh, run_id)
        training = plant_run(wh, key="training")
        wh.execute("update ops.runs set kind = 'training' where run_id = $1", [training])
        with pytest.raises(UnavailableError, match=f"{training} is started"):
            erase_c1(wh, settings)
        end_run(wh, training)
        receipt = erase_c1(wh, settings)
        # The schema of a run that failed is kept for a look, and he is not in it.
        assert receipt["tables_erased"][f"{run_id}.dim_customers"] == 1
        assert ids(wh, f"{run_id}.dim_customers", "customer_id") == ["C2"]


def test_who_is_nowhere_is_told_so(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant(wh)
        for unknown in ("C99", ERASED):
            with pytest.raises(WarehouseError, match=f"no table holds a customer '{unknown}'"):
                erase(wh, settings, unknown, reason="asked", author="S-12", key=KEY)


@pytest.mark.parametrize("text", ["C1 asked", "for Name C1", "phone 1380000C1", "his account A1"])
def test_the_receipt_may_not_tell_whom_it_is_about(duckdb_settings: Settings, text: str) -> None:
    with open_warehouse(duckdb_settings) as wh:
        plant(wh)
        with pytest.raises(WarehouseError, match="reason names the customer"):
            erase_c1(wh, duckdb_settings, reason=text)
        with pytest.raises(WarehouseError, match="author names the customer"):
            erase_c1(wh, duckdb_settings, author=text)
        with pytest.raises(WarehouseError, match="reason is empty"):
            erase_c1(wh, duckdb_settings, reason=" ")
        assert "C1" in ids(wh, "raw.customers", "customer_id")


@pytest.mark.parametrize("text", ["客户C1本人要求", "张伟要求删除", "应张伟要求", "账户A1销户"])
def test_an_id_or_name_amid_chinese_characters_is_seen(duckdb_settings: Settings, text: str) -> None:
    with open_warehouse(duckdb_settings) as wh:
        plant(wh)
        wh.execute("insert into restricted.customers values ('C1', '张伟', '1', 'h')")
        with pytest.raises(WarehouseError, match="reason names the customer"):
            erase_c1(wh, duckdb_settings, reason=text)
        report, other = duckdb_settings.report_dir / "a.html", duckdb_settings.report_dir / "b.html"
        duckdb_settings.report_dir.mkdir(parents=True)
        report.write_text(f"<p>{text}</p>", encoding="utf-8")
        other.write_text("<p>客户C12的等级</p>", encoding="utf-8")
        wh.execute("insert into restricted.rejected_rows values ('B', 'e', 'f', 1, $1)", [text])
        wh.execute("insert into restricted.rejected_rows values ('B', 'e', 'f', 2, '客户C12')")
        receipt = erase_c1(wh, duckdb_settings, reason="本人要求删除")
        assert receipt["files_removed"] == ["report/a.html"]
        assert ids(wh, "restricted.rejected_rows", "line_no") == ["2"]


def test_the_receipt_is_kept_and_shown_the_second_time(settings: Settings, tmp_path: Path) -> None:
    with open_warehouse(settings) as wh:
        plant(wh)
        assert receipt_of(wh, "C1") is None
        receipt = erase_c1(wh, settings)
        assert receipt["customer_hash"] == keyed_hash(KEY, "C1")
        assert erase_c1(wh, settings, reason="again") == receipt == receipt_of(wh, "C1")
        (row,) = wh.query("select * from ops.erasures").to_pylist()
        assert (row["customer_hash"], row["rows_erased"]) == (receipt["customer_hash"], 12)
        assert json.loads(row["tables_erased"]) == receipt["tables_erased"]
        (audited,) = wh.query("select * from ops.audit_log where action = 'erase'").to_pylist()
        assert audited["subject"] == receipt["receipt_no"]
        assert "C1" not in json.dumps([audited["detail"], row["tables_erased"], receipt])
        second = erase(wh, settings, "C12", reason="asked", author="S-12", key=KEY)
        assert [str(one["receipt_no"])[-3:] for one in (receipt, second)] == ["001", "002"]
    file = write_receipt(receipt, tmp_path / "receipts")
    assert json.loads(file.read_text()) == receipt
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_no_receipt_is_written_over_another(tmp_path: Path) -> None:
    first, other = ({"receipt_no": "E20261122-001", "reason": text} for text in ("of one bank", "of another"))
    assert write_receipt(first, tmp_path).name == write_receipt(first, tmp_path).name == "E20261122-001.json"
    assert [write_receipt(other, tmp_path).name for _ in range(2)] == ["E20261122-001.2.json"] * 2
    found = {file.name: json.loads(file.read_text())["reason"] for file in tmp_path.iterdir()}
    assert found == {"E20261122-001.json": "of one bank", "E20261122-001.2.json": "of another"}


def test_what_has_come_back_goes_the_second_time_with_a_receipt_that_follows_the_first(
    settings: Settings,
) -> None:
    with open_warehouse(settings) as wh:
        plant(wh)
        first = erase_c1(wh, settings)
        assert erase_c1(wh, settings) == first
        # A report task that was under way, another host, a backup of one table.
        report = settings.report_dir / "report.html"
        settings.report_dir.mkdir(parents=True)
        report.write_text("<td>A1</td>")
        wh.execute("insert into raw.customers values ('C1')")
        wh.execute("insert into raw.transactions values ('T9', 'A1')")
        wh.execute("insert into raw.loan_payments values ('L1', 1.0)")
        wh.execute("insert into raw.account_holders values ('A9', 'C1', 'owner', 'h')")
        wh.execute("insert into raw.accounts values ('A9')")
        second = erase_c1(wh, settings)
        assert (first["follows"], second["follows"]) == (None, first["receipt_no"])
        assert second["tables_erased"] == {
            "raw.account_holders": 1,
            "raw.accounts": 1,
            "raw.customers": 1,
            "raw.loan_payments": 1,
            "raw.transactions": 1,
        }
        assert second["files_removed"] == ["report/report.html"]
        assert "C1" not in ids(wh, "raw.customers", "customer_id")
        assert wh.query("select count(*) as n from ops.erasures")["n"].to_pylist() == [2]
        # All of him is found under the first receipt, which is the one that is given when nothing came back.
        assert ids(wh, "restricted.erased_customers", "receipt_no") == [first["receipt_no"]]
        assert ids(wh, "restricted.erased_customers", "id") == ["A1", "A9", "C1", "L1"]
        assert erase_c1(wh, settings) == first


def test_the_command_says_whether_anything_had_come_back(
    duckdb_settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with open_warehouse(duckdb_settings) as wh:
        plant(wh)
    key = tmp_path / "key"
    key.write_bytes(KEY)
    key.chmod(0o600)
    for name, value in duckdb_settings.environment().items():
        monkeypatch.setenv(name, value)
    command = [
        *("erase", "--customer", "C1", "--reason", "asked", "--author", "S-12"),
        *("--key-file", str(key), "--receipt-dir", str(tmp_path / "receipts")),
    ]
    # The disk is full when the file is to be written anew: the receipt is there, and once more does the rest.
    for fault in (OSError(28, "No space left on device"), WarehouseError("IO Error: no space left")):
        with monkeypatch.context() as full:
            full.setattr(DuckWarehouse, "forget_deleted", Mock(side_effect=fault))
            assert main(command) == 75
        told = capsys.readouterr()
        assert "the rows are gone, their space is not" in told.err
        assert json.loads(told.out)["rows_erased"] == 12
        assert len(list((tmp_path / "receipts").iterdir())) == 1
    assert main(command) == 99
    assert "nothing of him has come back" in capsys.readouterr().err
    assert main([*command, "--dry-run"]) == 99
    with open_warehouse(duckdb_settings) as wh:
        wh.execute("insert into raw.customers values ('C1')")
    capsys.readouterr()
    assert main([*command, "--dry-run"]) == 0
    assert "1  raw.customers" in capsys.readouterr().out
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["tables_erased"] == {"raw.customers": 1}
    assert main(command) == 99
    assert len(list((tmp_path / "receipts").iterdir())) == 2


def test_a_trial_counts_and_changes_nothing(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant(wh)
        found = plan(wh, settings, "C1")
        assert (found.total, found.rows["raw.account_holders"]) == (12, 4)
        assert plan(wh, settings, "C1") == found
        assert erase_c1(wh, settings)["tables_erased"] == found.rows


def test_reports_that_show_him_go_and_models_are_named(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant(wh)
        report, other = settings.report_dir / "report.html", settings.report_dir / "model.html"
        settings.report_dir.mkdir(parents=True)
        report.write_text("<td>C1</td>")
        other.write_text("<td>C12</td>")
        run_id = plant_run(wh, key="training of the model")
        fail_run(wh, run_id)
        wh.execute(
            "insert into ops.training_runs (model_version, run_id, as_of_date, outcome, trained_at)"
            " values ('m1', $1, date '2026-10-31', 'promoted', timestamp '2026-10-31 00:00:00')",
            [run_id],
        )
        wh.execute(
            f"create table archive.fct_customer_features as select '{run_id}' as run_id, 'C1' as customer_id,"
            " date '2026-10-31' as as_of_date, true as is_eligible"
        )
        receipt = erase_c1(wh, settings)
    assert receipt["files_removed"] == ["report/report.html"]
    assert (report.exists(), other.exists()) == (False, True)
    assert receipt["models_trained_with_the_customer"]["versions"] == ["m1"]


def test_what_a_killed_load_left_goes(duckdb_settings: Settings) -> None:
    left = duckdb_settings.bank_home / "scratch" / "tmp1"
    left.mkdir(parents=True)
    (left / "customers.parquet").write_text("C1")
    (left.parent / "stray").write_text("C1")
    # Of a load that waits for the erasure to end.
    waiting = left.parent / "tmp2"
    waiting.mkdir()
    with open_warehouse(duckdb_settings) as wh, (waiting / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        plant(wh)
        erase_c1(wh, duckdb_settings)
    assert list(left.parent.iterdir()) == [waiting]


def test_free_texts_keep_their_rows_and_lose_his_ids(settings: Settings) -> None:
    texts = {
        "ops.test_results.message": "2 rows, first C1; C12 is well",
        "ops.runs.note": "客户C1, see Name C1",
        "ops.training_runs.metrics": '{"worst": "A1"}',
    }
    with open_warehouse(settings) as wh:
        plant(wh)
        run_id = plant_run(wh)
        wh.execute(
            "insert into ops.training_runs (model_version, run_id, as_of_date, outcome, trained_at)"
            " values ('m1', $1, date '2026-10-31', 'promoted', timestamp '2026-10-31 00:00:00')",
            [run_id],
        )
        fail_run(wh, run_id)
        for place, text in texts.items():
            table, column = place.rsplit(".", 1)
            wh.execute(f"update {table} set {column} = $1", [text])
        erase_c1(wh, settings)

        def now(place: str) -> list[str]:
            table, column = place.rsplit(".", 1)
            return ids(wh, table, column)

        assert [now(place) for place in texts] == [
            ["2 rows, first ***; C12 is well"],
            ["客户***, see ***"],
            ['{"worst": "***"}'],
        ]


def test_a_materialised_view_of_customers_is_refused_by_name(postgres_settings: Settings) -> None:
    with open_warehouse(postgres_settings) as wh:
        plant(wh)
        wh.execute("create materialized view core.mv_customers as select customer_id from raw.customers")
        with pytest.raises(WarehouseError, match=r"core\.mv_customers are materialised views"):
            erase_c1(wh, postgres_settings)
        assert "C1" in ids(wh, "raw.customers", "customer_id")
        wh.execute("drop materialized view core.mv_customers")
        erase_c1(wh, postgres_settings)


def test_tables_of_others_are_left_alone_and_named(settings: Settings) -> None:
    with open_warehouse(settings) as wh:
        plant(wh)
        wh.execute("create schema risk")
        wh.execute("create table risk.numbers as select 1 as account_id, 2 as customer_id")
        wh.execute("create table risk.campaign_loans as select 'C1' as customer_id, 'L1' as loan_id")
        wh.execute("create schema what_if")
        wh.execute("create table what_if.fct_customer_tiers as select 'C1' as customer_id")
        receipt = erase_c1(wh, settings)
        assert ids(wh, "risk.campaign_loans", "loan_id") == ["L1"]
        assert ids(wh, "what_if.fct_customer_tiers", "customer_id") == []
    named = [text for text in receipt["not_touched"] if "outside Keepwell" in text]
    assert [text.rsplit(" ", 1)[1] for text in named] == ["risk.campaign_loans", "risk.numbers"]


@pytest.mark.parametrize("before", range(-4, 4))
@pytest.mark.parametrize(("word", "is_found"), [("C1", True), ("C12", False), ("XC1", False)])
def test_a_file_is_read_in_blocks_and_no_word_is_cut(
    duckdb_settings: Settings, monkeypatch: pytest.MonkeyPatch, before: int, word: str, is_found: bool
) -> None:
    """The word before, on and after the border of two blocks, and as the last of the file."""
    monkeypatch.setattr(erasure, "BLOCK", 32)
    monkeypatch.setattr(erasure, "OVERLAP", 16)
    duckdb_settings.logs_dir.mkdir(parents=True)
    (duckdb_settings.logs_dir / "a.log").write_text("." * (64 + before) + word + "." * 100)
    (duckdb_settings.logs_dir / "b.log").write_text("." * (64 + before) + word)
    (duckdb_settings.logs_dir / "c.log").write_text(word)
    with open_warehouse(duckdb_settings) as wh:
        plant(wh)
        found = plan(wh, duckdb_settings, "C1").files
    assert [file.name for file in found] == (["a.log", "b.log", "c.log"] if is_found else [])


def test_a_file_that_vanishes_passes_and_one_that_cannot_be_read_is_told(
    duckdb_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    duckdb_settings.logs_dir.mkdir(parents=True)
    log = duckdb_settings.logs_dir / "a.log"
    log.write_text("C1")
    faults = {FileNotFoundError(2, "No such file"): None, PermissionError(13, "Permission denied"): "a.log"}
    with open_warehouse(duckdb_settings) as wh:
        plant(wh)
        for fault, told in faults.items():
            with monkeypatch.context() as patched:
                patched.setattr(Path, "open", Mock(side_effect=fault))
                if told is None:
                    assert plan(wh, duckdb_settings, "C1").files == []
                else:
                    with pytest.raises(WarehouseError, match=rf"cannot read .*{told}.*Permission denied"):
                        plan(wh, duckdb_settings, "C1")


def test_the_file_of_a_duckdb_warehouse_holds_him_no_more(duckdb_settings: Settings) -> None:
    with open_warehouse(duckdb_settings) as wh:
        plant(wh)
        wh.execute("insert into restricted.customers values ('C7', 'Quite Unmistakable', '1', 'h')")
        wh.execute("checkpoint")
        assert b"Quite Unmistakable" in duckdb_settings.duckdb_path.read_bytes()
        receipt = erase(wh, duckdb_settings, "C7", reason="asked", author="S-12", key=KEY)
        erasure.release_space(wh, receipt)
        wh.execute("create table ops.still_open as select 1 as one")
        assert ids(wh, "restricted.customers", "customer_id") == ["C1", "C12", "C2", "C3"]
    assert b"Quite Unmistakable" not in duckdb_settings.duckdb_path.read_bytes()
    assert [file.name for file in duckdb_settings.bank_home.iterdir() if "warehouse" in file.name] == [
        "warehouse.duckdb"
    ]


def test_contracts_refer_to_customers_by_the_columns_that_erasure_looks_for() -> None:
    """An entity that hangs on a customer, or on what he holds, is reached by a column of SUBJECTS."""
    contracts = load_contracts()
    # Nobody's: what they say is of the bank.
    impersonal = {"products", "branches", "campaigns", "exchange_rates", "market_environment"}
    personal = {
        entity for entity, contract in contracts.items() if set(contract.column_names) & set(SUBJECTS)
    }
    assert personal | impersonal == set(contracts)
    assert not personal & impersonal
    for contract in contracts.values():
        for column, parent in contract.parents.items():
            if parent in personal:
                assert column in SUBJECTS, f"{contract.entity}.{column} names one of {parent}"
    assert KINDS == SUBJECTS
    assert erasure.MASK == MASK
    assert f"raw.{HOLDERS}" == erasure.HOLDERS
    assert {
        column.name for contract in contracts.values() for column in contract.columns if column.is_personal
    } == set(PERSONAL)
    assert set(SUBJECTS) < set(IDENTIFIERS)


def test_a_key_is_long_and_private(tmp_path: Path) -> None:
    file = tmp_path / "key"
    with pytest.raises(WarehouseError, match=r"cannot read the key file.*openssl"):
        read_key(file)
    file.write_bytes(KEY + b"\n")
    file.chmod(0o640)
    with pytest.raises(WarehouseError, match=r"others than its owner \(mode 0640\): chmod 600"):
        read_key(file)
    file.chmod(0o600)
    assert read_key(file) == KEY
    file.write_bytes(KEY[:-1] + b"\n")
    with pytest.raises(WarehouseError, match="holds 31 bytes and needs at least 32") as refused:
        read_key(file)
    assert KEY[:-1].decode() not in str(refused.value)
