"""A customer of a real bank is erased: he was everywhere, is nowhere, and the bank's days go on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from keepwell_dags import commands
from tests.dbt_project.conftest import ROOT, Bank
from tests.warehouse.hunt import find_in_files, find_in_tables
from warehouse import open_warehouse

AS_OF, NEXT = "2026-10-29", "2026-10-30"
MONTH_END = date(2026, 9, 30)
# Shares an account with somebody, holds others alone, has a loan, and is in the delivery of the next day.
SUBJECT = "C0000038"
SUPPRESSED = "restricted.erased_customers"


def traces(bank: Bank) -> list[str]:
    """What to look for: the customer, his sole accounts and loans, his name, phone, e-mail and number."""
    accounts = [
        row["account_id"]
        for row in bank.rows(
            f"""
            select account_id from raw.account_holders where holder_role <> 'authorised_user'
            group by account_id
            having min(customer_id) = '{SUBJECT}' and max(customer_id) = '{SUBJECT}'
            """
        )
    ]
    loans = [
        row["loan_id"]
        for row in bank.rows(
            "select distinct loan_id from raw.loans where account_id in ({})".format(
                ", ".join(f"'{account}'" for account in accounts)
            )
        )
    ]
    personal = [
        value
        for row in bank.rows(
            "select full_name, phone, email, national_id from restricted.customers"
            f" where customer_id = '{SUBJECT}'"
        )
        for value in row.values()
        if value
    ]
    assert len(accounts) >= 2
    assert len(loans) >= 1
    assert len(personal) >= 4
    return [SUBJECT, *accounts, *loans, *personal]


def plant_rejections(bank: Bank, texts: list[str]) -> None:
    """Rejected rows that name him: by his id, by an account, by his name alone; one of somebody else."""
    name = texts[-4]
    lines = {
        1: ("campaign_contacts", json.dumps({"contact_id": "X", "customer_id": SUBJECT}), "no such campaign"),
        2: ("transactions", f'T1,{texts[1]},"', f'account_id: "{texts[1]}" is not sound'),
        3: ("customers", f'{{"customer_id":null,"full_name":"{name}"}}', "customer_id is empty"),
        4: ("customers", json.dumps({"customer_id": "C9999999", "full_name": "Another"}), "no kind"),
    }
    with open_warehouse(bank.settings) as wh:
        for line, (entity, text, reason) in lines.items():
            wh.execute(
                "insert into ops.rejected_rows values ('B', $1, 'f', $2, 'c', 'type', $3, $4)",
                [entity, line, reason, text if line != 3 else "***"],
            )
            wh.execute(
                "insert into restricted.rejected_rows values ('B', $1, 'f', $2, $3)", [entity, line, text]
            )


def erase(bank: Bank, key: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "warehouse", "erase", "--customer", SUBJECT, "--reason", "asked for it"),
            *("--author", "S-0012", "--key-file", str(key), *more),
        ],
        cwd=ROOT, env={**os.environ, **bank.settings.environment()},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("target", ["duckdb", "postgres"])
def test_who_is_erased_is_nowhere_and_the_next_day_passes(
    target: str, make_bank: Callable[[str, str], Bank], tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("k" * 64)
    key.chmod(0o600)
    bank = make_bank(target, f"erase{target[:4]}")
    bank.ingest(AS_OF)
    built = bank.bootstrap(AS_OF, since=MONTH_END, until=MONTH_END)
    plant_rejections(bank, traces(bank))
    report = bank.settings.report_dir / "report.html"
    report.parent.mkdir(parents=True)
    report.write_text(f"<td>{SUBJECT}</td>")
    texts = traces(bank)
    with open_warehouse(bank.settings) as wh:
        before = find_in_tables(wh, texts)
        neighbours = wh.query("select customer_id from history.dim_customers order by 1")["customer_id"]
    schemas = {table.partition(".")[0] for table in before}
    assert {"raw", "restricted", "core", "archive", "ops", built} <= schemas
    # The list of the tables in which one customer is found, as docs/operations.md has it.
    assert {
        *("raw.customers", "raw.account_holders", "raw.accounts", "raw.transactions", "raw.loans"),
        *("raw.loan_payments", "raw.month_end_balances", "restricted.customers", "restricted.rejected_rows"),
        *("ops.rejected_rows", "core.fct_customer_activity_daily", "core.fct_account_flows_daily"),
        *("archive.fct_customer_features", "archive.fct_customer_tiers", f"{built}.dim_customers"),
    } <= set(before)
    assert str(report.relative_to(bank.settings.home)) in find_in_files(bank.settings, texts)

    counted = erase(bank, key, "--dry-run")
    assert counted.returncode == 0, counted.stderr
    done = erase(bank, key)
    assert done.returncode == 0, done.stderr
    receipt = json.loads(done.stdout)
    assert receipt["accounts_kept_for_other_holders"] == 1
    assert f"{receipt['rows_erased']:,}  rows in all would go" in counted.stdout
    assert receipt["files_removed"] == ["report/report.html"]
    # In ops his name alone was masked: that row names nobody, and stays.
    rejected = [receipt["tables_erased"][f"{schema}.rejected_rows"] for schema in ("restricted", "ops")]
    assert rejected == [3, 2]
    again = erase(bank, key)
    assert (again.returncode, json.loads(again.stdout)) == (99, receipt)

    def nowhere() -> None:
        with open_warehouse(bank.settings) as wh:
            assert set(find_in_tables(wh, texts)) == {SUPPRESSED}
            assert find_in_tables(wh, texts[-4:]) == {}, "the list of the erased has ids alone"
        # The list of the erased lies in the file of a DuckDB warehouse, too.
        held = {"banks/demo-duckdb/warehouse.duckdb"} if target == "duckdb" else set()
        assert find_in_files(bank.settings, texts) == held
        assert find_in_files(bank.settings, texts[-4:]) == set()

    nowhere()
    with open_warehouse(bank.settings) as wh:
        left = wh.query("select customer_id from history.dim_customers order by 1")["customer_id"]
        assert left.to_pylist() == [name for name in neighbours.to_pylist() if name != SUBJECT]
        assert wh.query("select line_no from restricted.rejected_rows where batch_id = 'B'")[
            "line_no"
        ].to_pylist() == [4]

    # A delivery that names him and his accounts: passed over, counted, and nothing of it kept.
    bank.ingest(NEXT)
    (counts,) = bank.rows(
        "select status, rows_read, rows_loaded, rows_rejected, rows_duplicate, rows_erased"
        " from ops.batches order by batch_no desc limit 1"
    )
    assert counts["status"] == "loaded"
    assert counts["rows_rejected"] == "0"
    assert int(counts["rows_erased"]) >= 1
    assert int(counts["rows_read"]) == sum(
        int(counts[name]) for name in ("rows_loaded", "rows_rejected", "rows_duplicate", "rows_erased")
    )
    nowhere()
    run_id = bank.start("daily", NEXT)
    bank.shell(commands.expectations("arrival"), RUN_ID=run_id)
    bank.build(run_id, "facts_and_snapshot")
    bank.build_lists(run_id)
    bank._pass_gates(run_id, "daily")
    bank.publish(run_id)
    nowhere()
    # A day that was built before, again: the same customers, and what is known of them, without him.
    if target == "duckdb":
        audit = bank.start("audit", str(MONTH_END))
        bank.build(audit, "features")
        bank.shell(commands.expectations("leakage"), RUN_ID=audit)
        # Built from nothing, the facts pass their tests of every batch as well.
        run_id = bank.start("daily", NEXT)
        environment = f"{commands._PREAMBLE}{commands._dbt_build('facts')}"
        bank.shell(
            environment.replace(" build --selector", " build --full-refresh --selector"), RUN_ID=run_id
        )
        nowhere()
