"""Erasure by the owner and export by the publisher, where everybody logs in with a password of his own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import environment_for
from tests.warehouse.planted import DAY, plant_run, plant_source
from warehouse import Settings, embedded, open_warehouse, roles, schema
from warehouse.publish import publish
from warehouse.settings import PROJECT_ROOT, role_name

PLANTED = (
    ("loader", "create table raw.customers as select 'C1' as customer_id union all select 'C2'"),
    (
        "loader",
        "create table raw.account_holders as select 'A1' as account_id, 'C1' as customer_id,"
        " 'owner' as holder_role, 'h' as row_hash",
    ),
    # Not `customers`: the planted marts lack what the lists with contact data show beside it.
    ("loader", "create table restricted.contacts as select 'C1' as customer_id, '王芳' as full_name"),
    ("loader", "insert into restricted.rejected_rows values ('b', 'e', 'f', 2, 'C1,王芳')"),
    ("transformer", "create table core.dim_customers as select 'C1' as customer_id"),
)


@pytest.fixture(scope="module")
def bank(short_dir: Path, password_dir: Path) -> Iterator[Settings]:
    """A bank whose owner is no superuser; the settings of all, without a role."""
    folder = short_dir / "personal"
    embedded.up(folder, "bank")
    address = embedded.running(folder)
    assert address is not None
    with open_warehouse(Settings(home=short_dir, url=address.url("bank"))) as wh:
        password = (password_dir / role_name("owner")).read_text().rstrip("\n").replace("'", "''")
        wh.execute(f"create role keepwell_owner login createrole nosuperuser password '{password}'")
        wh.execute("alter database bank owner to keepwell_owner")
        rules = folder / "pg_hba.conf"
        rules.write_text('local all "/^keepwell_" scram-sha-256\n' + rules.read_text())
        wh.query("select pg_reload_conf() as is_reloaded")
    url = re.sub("://[^@]*@", "://", address.url("bank"))
    settings = Settings(home=short_dir / "personalhome", url=url, password_dir=password_dir)
    with open_warehouse(replace(settings, role="owner")) as wh:
        schema.init(wh)
        plant_source(wh)
        roles.apply(wh, password_dir)
    for role, statement in PLANTED:
        with open_warehouse(replace(settings, role=role)) as wh:
            wh.execute(statement)
    with open_warehouse(replace(settings, role="owner")) as wh:
        publish(wh, plant_run(wh, DAY, "published"))
        roles.apply(wh, password_dir)
    yield settings
    embedded.down(folder)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_bytes(os.urandom(32))
    return file


def command(settings: Settings, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "warehouse", *map(str, words)],
        cwd=PROJECT_ROOT, env=environment_for(settings), capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_publisher_exports_and_the_owner_erases(bank: Settings, key_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiers.csv"
    export = ("export", "--mart", "fct_customer_tiers", "--out", out, "--key-file", key_file)
    told = command(replace(bank, role="publisher"), *export)
    assert told.returncode == 0, told.stderr
    assert len(out.read_text().splitlines()) == 3
    told = command(replace(bank, role="scorer"), *export)
    assert told.returncode == 2
    assert "permission denied" in told.stderr

    erase = ("erase", "--customer", "C1", "--reason", "asked", "--author", "S-12", "--key-file", key_file)
    told = command(replace(bank, role="publisher"), *erase)
    assert told.returncode == 2
    assert "Traceback" not in told.stderr
    owner = replace(bank, role="owner")
    told = command(owner, *erase)
    assert told.returncode == 0, told.stderr
    erased = json.loads(told.stdout)["tables_erased"]
    assert {
        *("raw.customers", "raw.account_holders", "restricted.contacts", "core.dim_customers"),
        *("restricted.rejected_rows", "archive.dim_customers"),
    } <= set(erased)
    assert any(table.startswith("run_") for table in erased)
    # Nothing of it had to be vacuumed by somebody else, who would have been told by the server alone.
    assert "permission denied" not in told.stderr
    assert "skipping" not in told.stderr
    assert command(owner, *erase).returncode == 99
    with open_warehouse(owner) as wh:
        for table in erased:
            if table != "restricted.rejected_rows":
                found = wh.query(f"select count(*) as n from {table} where customer_id = 'C1'")
                assert found["n"].to_pylist() == [0], table
        assert wh.query(
            "select action, session_role from ops.audit_log where action in ('export', 'erase') order by 1"
        ).to_pylist() == [
            {"action": "erase", "session_role": "keepwell_owner"},
            {"action": "export", "session_role": "keepwell_publisher"},
        ]
        # What the roles hold is as before.
        assert roles.find_differences(wh) == ([], [])
