"""Roles: what each may and may not do, tried on a server that asks for their passwords."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa
import pytest

from tests.conftest import environment_for
from tests.warehouse.planted import (
    BEFORE,
    DAY,
    plant_gates,
    plant_marts,
    plant_run,
    plant_source,
    plant_transactions,
)
from tests.warehouse.role_trials import TRIALS, Trial
from tests.warehouse.test_warehouse_health import plant_policy
from warehouse import Settings, WarehouseError, audit, embedded, open_warehouse, openings, roles, schema
from warehouse.clock import utc_now
from warehouse.connections import postgres_url
from warehouse.publish import publish, rollback
from warehouse.retention import retain
from warehouse.runs import fail_run, start_run
from warehouse.settings import PROJECT_ROOT, ROLES, role_name

INSUFFICIENT_PRIVILEGE = "42501"
TABLE_PRIVILEGES = ("select", "insert", "update", "delete", "truncate", "references", "trigger")
# Not `customers`: the planted marts lack what the lists with contact data show beside it.
PLANTED = (
    "create table restricted.contacts (customer_id varchar, full_name varchar)",
    "insert into restricted.contacts values ('C1', '王芳')",
    "insert into restricted.rejected_rows values ('b', 'customers', 'customers.csv', 2, 'C1,王芳')",
    "insert into ops.rejected_rows values ('b', 'customers', 'f', 2, 'c', 'type', 'why', 'C1,***')",
    "create table core.fct_customer_activity_daily (customer_id varchar)",
    "create table policy.policy_bands (band varchar)",
    "create view staging.stg_transactions as select * from raw.transactions",
)


@dataclass(frozen=True)
class Bank:
    """A warehouse with the roles in use, a published run and one that is being built."""

    owner: Settings
    password_dir: Path
    published: str
    started: str

    def settings(self, role: str) -> Settings:
        url = re.sub("://[^@]*@", "://", str(self.owner.url))
        return replace(self.owner, url=url, role=role, password_dir=self.password_dir)


@pytest.fixture(scope="module")
def bank(role_server: embedded.Address, password_dir: Path, short_dir: Path) -> Bank:
    """What an installation of one user has, and then `roles`: everything there has to change hands."""
    owner = Settings(home=short_dir / "home", url=role_server.url("keepwell_tests"))
    with open_warehouse(owner) as wh:
        schema.init(wh)
        plant_source(wh)
        plant_transactions(wh, BEFORE)
        for statement in PLANTED:
            wh.execute(statement)
        published = plant_run(wh, DAY, "published")
        publish(wh, published)
        started = plant_run(wh, BEFORE, "started")
        wh.create_table(f"{started}.raw_churn_scores", pa.schema([("customer_id", pa.string())]))
        for view in ("crm.customers_to_keep", "masked.customers"):
            if not wh.exists(view):
                wh.execute(f"create view {view} as select customer_id from restricted.contacts")
        roles.apply(wh, password_dir)
    return Bank(owner, password_dir, published, started)


@pytest.fixture(scope="module")
def sessions(bank: Bank) -> Iterator[dict[str, adbc.Connection]]:
    """A connection of each role, by its password; transactions are the tests'."""
    opened = {role: adbc.connect(postgres_url(bank.settings(role)), autocommit=True) for role in ROLES}
    yield opened
    for connection in opened.values():
        connection.close()


def answer(connection: adbc.Connection, statement: str) -> str | None:
    """The SQLSTATE of a statement that is taken back; None when it went through."""
    with connection.cursor() as cursor:
        cursor.execute("begin")
        try:
            cursor.execute(statement)
            if statement.startswith("select"):
                cursor.fetchall()
        except adbc.Error as fault:
            return str(fault.sqlstate)
        finally:
            cursor.execute("rollback")
    return None


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: f"{trial.role}-{trial.statement[:60]}")
def test_each_role_may_what_its_work_needs_and_no_more(
    bank: Bank, sessions: dict[str, adbc.Connection], trial: Trial
) -> None:
    statement = trial.statement.format(published=bank.published, started=bank.started)
    found = answer(sessions[trial.role], statement)
    assert found == (None if trial.may else INSUFFICIENT_PRIVILEGE)


@pytest.mark.parametrize(
    ("role", "table"), [("loader", "restricted.rejected_rows"), ("publisher", "ops.run_dates")]
)
def test_who_may_work_with_a_table_cannot_pass_it_on(
    sessions: dict[str, adbc.Connection], role: str, table: str
) -> None:
    """PostgreSQL warns and grants nothing, where it would refuse a role that has no right at all."""
    with sessions[role].cursor() as cursor:
        cursor.execute("begin")
        cursor.execute(f"grant all on {table} to keepwell_bi_reader")
        cursor.execute(f"select has_any_column_privilege('keepwell_bi_reader', '{table}', 'select, insert')")
        held = cursor.fetchone()
        cursor.execute("rollback")
    assert held == (False,)


def test_a_publisher_is_told_when_roles_are_of_before(bank: Bank) -> None:
    with open_warehouse(bank.settings("publisher")) as wh:
        run_id = start_run(wh, kind="daily", as_of_date=BEFORE, key="of before", source="demo")
    with open_warehouse(bank.settings("transformer")) as wh:
        plant_marts(wh, run_id)
        plant_gates(wh, run_id)
    with open_warehouse(bank.owner) as wh:
        wh.execute("drop function ops.seal_run(text)")
    told = command(bank.settings("publisher"), "publish", "--run", run_id)
    assert told.returncode == 2
    assert "run `python -m warehouse roles` as the owner" in told.stderr
    assert command(bank.owner, "roles").returncode == 0
    assert command(bank.settings("publisher"), "publish", "--run", run_id).returncode == 0


def test_the_trials_are_many_and_of_both_kinds() -> None:
    refused = {role: sum(trial.role == role and not trial.may for trial in TRIALS) for role in ROLES}
    allowed = {role: sum(trial.role == role and trial.may for trial in TRIALS) for role in ROLES}
    assert min(refused.values()) > 20
    assert min(allowed.values()) >= 2


def test_privileges_are_what_the_server_answers_for_every_role_and_table(bank: Bank) -> None:
    """The catalogue's lists against the server's own functions, which know of PUBLIC, members and schemas."""
    with open_warehouse(bank.owner) as wh:
        found = roles.rights(wh)
        asked = wh.query(
            f"""
            select
                replace(roles.rolname, 'keepwell_', '') as role,
                schemas.nspname::text as schema,
                relations.relname::text as relation,
                privileges.name as privilege
            from pg_roles as roles
            cross join pg_class as relations
            inner join pg_namespace as schemas on relations.relnamespace = schemas.oid
            cross join unnest(array{list(TABLE_PRIVILEGES)}) as privileges(name)
            where
                roles.rolname in ({", ".join(f"'{role_name(role)}'" for role in ROLES)})
                and relations.relkind in ('r', 'v')
                and schemas.nspname not in ('pg_catalog', 'information_schema')
                and relations.relowner != roles.oid
                and has_table_privilege(roles.oid, relations.oid, privileges.name)
            """
        ).to_pylist()
        lines = roles.table(wh)
    on_tables = {
        (right.role, right.schema, right.relation, right.privilege)
        for right in found
        if right.relation and "(" not in right.privilege and right.privilege != "own"
    }
    assert len(on_tables) > 200
    assert {tuple(row.values()) for row in asked} == on_tables
    assert not [line for line in lines if line[0] == "public"]
    assert ("crm_reader", "crm", "select on all") in lines
    of_runs = next(may for role, group, may in lines if (role, group) == ("publisher", "run_*"))
    assert of_runs.startswith("owns the schema; owns dim_customers, ")
    assert {line[1] for line in lines if line[0] == "crm_reader"} == {"(database)", "crm", "marts"}


def command(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "warehouse", *arguments],
        cwd=PROJECT_ROOT, env=environment_for(settings), capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_grant_too_many_is_told_and_taken_back(bank: Bank) -> None:
    assert command(bank.owner, "privileges").returncode == 0
    with open_warehouse(bank.owner) as wh:
        before = roles.rights(wh)
        wh.execute("grant usage on schema restricted to keepwell_bi_reader")
        wh.execute("grant select (full_name) on restricted.contacts to keepwell_bi_reader")
        wh.execute("grant usage on schema marts to public")
        wh.execute("revoke select on marts.dim_customers from keepwell_crm_reader")
        wh.execute("alter view marts.fct_kpis owner to postgres")
    told = command(bank.owner, "privileges")
    assert told.returncode == 1
    assert "| bi_reader | restricted | select on contacts (full_name) |" in told.stdout
    assert told.stderr.splitlines()[1:] == [
        "    too much: bi_reader: usage on restricted",
        "    too much: bi_reader: select (full_name) on restricted.contacts",
        "    too much: public: usage on marts",
        "    missing: crm_reader: select on marts.dim_customers",
        "    missing: publisher: own on marts.fct_kpis",
    ]
    mended = command(bank.owner, "roles")
    assert mended.returncode == 0, mended.stderr
    with open_warehouse(bank.owner) as wh:
        assert roles.rights(wh) == before


# What opens a door beside the grants, what `privileges` says of it, and what takes back what `roles` leaves.
OPENINGS = (
    (("alter role keepwell_bi_reader superuser",), "bi_reader: superuser", ()),
    (
        ("alter role keepwell_scorer createdb createrole bypassrls replication",),
        "scorer: createdb, createrole, bypassrls, replication",
        (),
    ),
    (("grant keepwell_loader to keepwell_auditor",), "auditor: member of keepwell_loader", ()),
    (("grant pg_read_all_data to keepwell_bi_reader",), "bi_reader: member of pg_read_all_data", ()),
    (
        (
            "grant pg_read_all_data to keepwell_owner_of_tests with admin option",
            "grant pg_read_all_data to keepwell_crm_reader granted by keepwell_owner_of_tests",
        ),
        "crm_reader: member of pg_read_all_data",
        ("revoke pg_read_all_data from keepwell_owner_of_tests cascade",),
    ),
    (
        ("grant select on marts.dim_customers to keepwell_crm_reader with grant option",),
        "crm_reader: may pass on select on marts.dim_customers",
        (),
    ),
    (
        (
            "alter default privileges for role keepwell_loader in schema restricted"
            " grant select on tables to public",
        ),
        "public: select on tables that keepwell_loader will make in restricted",
        (),
    ),
    (
        (
            "alter default privileges for role keepwell_publisher"
            " grant insert on tables to keepwell_crm_reader",
        ),
        "crm_reader: insert on tables that keepwell_publisher will make",
        (),
    ),
    (
        ("grant keepwell_auditor to keepwell_owner_of_tests",),
        "keepwell_owner_of_tests, who is none of Keepwell's: member of keepwell_auditor",
        ("revoke keepwell_auditor from keepwell_owner_of_tests",),
    ),
    (
        ("grant select on marts.dim_customers to keepwell_owner_of_tests",),
        "keepwell_owner_of_tests, who is none of Keepwell's: select on marts.dim_customers",
        ("revoke select on marts.dim_customers from keepwell_owner_of_tests",),
    ),
)


@pytest.mark.parametrize(("opened", "told", "closed"), OPENINGS, ids=[told for _, told, _ in OPENINGS])
def test_a_door_beside_the_grants_is_told_and_closed(
    bank: Bank, opened: tuple[str, ...], told: str, closed: tuple[str, ...]
) -> None:
    of_others = "none of Keepwell's" in told
    with open_warehouse(bank.owner) as wh:
        assert openings.find(wh) == []
        before = roles.rights(wh)
        try:
            for statement in opened:
                wh.execute(statement)
            assert [opening.what for opening in openings.find(wh)] == [told]
            said = command(bank.owner, "privileges")
            assert said.returncode == 1
            assert f"    too much: {told}" in said.stderr
            assert ("`roles` leaves it" in said.stderr) == of_others
            roles.apply(wh)
            # What somebody of the bank was granted is the bank's to take back.
            assert [opening.what for opening in openings.find(wh)] == ([told] if of_others else [])
        finally:
            for statement in closed:
                wh.execute(statement)
        roles.apply(wh)
        assert openings.find(wh) == []
        assert roles.rights(wh) == before
        assert roles.find_differences(wh) == ([], [])


def test_roles_twice_grants_the_same_and_tells_no_password(bank: Bank) -> None:
    with open_warehouse(bank.owner) as wh:
        before = roles.rights(wh)
    done = command(bank.owner, "roles", "--password-dir", str(bank.password_dir))
    assert done.returncode == 0, done.stderr
    assert "password of keepwell_loader set" in done.stdout
    assert "secret" not in done.stdout + done.stderr
    assert "SCRAM" not in done.stdout + done.stderr
    with open_warehouse(bank.owner) as wh:
        assert roles.rights(wh) == before
        defaults = wh.query("select count(*) as n from pg_default_acl")["n"][0].as_py()
        roles.apply(wh)
        assert wh.query("select count(*) as n from pg_default_acl")["n"][0].as_py() == defaults
    # A second run set no password; those of the first still open the door.
    assert command(bank.settings("bi_reader"), "sql", "select 1 as one").stdout == "one\n1\n"
    wrong = replace(bank.settings("bi_reader"), role="owner")
    assert "secret" not in command(wrong, "sql", "select 1 as one").stderr


def test_the_server_asks_for_the_password(bank: Bank, tmp_path: Path) -> None:
    (tmp_path / "keepwell_loader").write_text("another\n")
    refused = command(replace(bank.settings("loader"), password_dir=tmp_path), "sql", "select 1 as one")
    assert refused.returncode == 2
    assert "password authentication failed" in refused.stderr


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        ("", 0o600, "is empty"),
        ("\n", 0o600, "is empty"),
        ("two\nlines\n", 0o600, "one line of printable ASCII"),
        ("geheim§", 0o600, "one line of printable ASCII"),
        ("secret\n", 0o666, "may be written by others"),
        (None, 0, "there is no password file"),
    ],
)
def test_a_password_file_that_cannot_be_used_is_told(
    bank: Bank, tmp_path: Path, content: str | None, mode: int, words: str
) -> None:
    file = tmp_path / "keepwell_loader"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    with pytest.raises(WarehouseError, match=words) as fault:
        postgres_url(replace(bank.settings("loader"), password_dir=tmp_path))
    assert str(file) in str(fault.value)
    assert "secret" not in str(fault.value)
    with open_warehouse(bank.owner) as wh:
        before = roles.rights(wh)
        if content is not None:
            with pytest.raises(WarehouseError, match=words):
                roles.apply(wh, tmp_path)
        assert roles.rights(wh) == before


def test_the_life_of_a_run_under_its_roles(bank: Bank) -> None:
    """Start, build, score, publish, roll back, fail and forget, each by the role that does it."""
    publisher, transformer = bank.settings("publisher"), bank.settings("transformer")
    with open_warehouse(publisher) as wh:
        run_id = start_run(wh, kind="daily", as_of_date=DAY, key="by roles", source="demo")
    with open_warehouse(bank.settings("scorer")) as wh:
        wh.create_table(f"{run_id}.raw_churn_scores", pa.schema([("customer_id", pa.string())]))
    with open_warehouse(transformer) as wh:
        plant_marts(wh, run_id)
        plant_gates(wh, run_id)
        wh.query(f"select * from {run_id}.raw_churn_scores")
    with open_warehouse(publisher) as wh:
        # A view made anew is granted by default to all who read history.
        wh.execute("drop view history.fct_customer_features")
        assert publish(wh, run_id).run_id == run_id
    for builder, table in (("transformer", "dim_customers"), ("scorer", "raw_churn_scores")):
        with open_warehouse(bank.settings(builder)) as wh:
            for late in (
                f"create table {run_id}.late (one integer)",
                f"delete from {run_id}.{table}",
                f"truncate {run_id}.{table}",
            ):
                with pytest.raises(WarehouseError, match="permission denied"):
                    wh.execute(late)
            wh.query(f"select * from {run_id}.dim_customers")
            wh.query(f"select * from {run_id}.raw_churn_scores")
    with open_warehouse(bank.settings("bi_reader")) as wh:
        with pytest.raises(WarehouseError, match="permission denied"):
            wh.query("select * from history.fct_customer_features")
        shown = wh.query("select distinct label from marts.dim_customers")["label"].to_pylist()
        assert shown == [run_id]
        # Marts that lose a column are dropped and made again, and are still granted.
    with open_warehouse(publisher) as wh:
        wh.execute("drop view marts.dim_customers")
        wh.execute(f"create view marts.dim_customers as select customer_id from {run_id}.dim_customers")
        withdrawn, _ = rollback(wh)
        assert withdrawn.run_id == run_id
        failed = start_run(wh, kind="daily", as_of_date=DAY, key="to fail", source="demo")
        fail_run(wh, failed)
        retain(wh)
    with open_warehouse(bank.settings("crm_reader")) as wh:
        shown = wh.query("select distinct label from marts.dim_customers")["label"].to_pylist()
        assert shown == [bank.published]
    with open_warehouse(transformer) as wh, pytest.raises(WarehouseError, match="permission denied"):
        wh.execute(f"create table {failed}.late (one integer)")
    with open_warehouse(publisher) as wh:
        assert start_run(wh, kind="daily", as_of_date=DAY, key="to fail", source="demo") == failed
    with open_warehouse(transformer) as wh:
        wh.execute(f"create table {failed}.again (one integer)")
    with open_warehouse(bank.settings("auditor")) as wh:
        said = wh.query("select action, session_role from ops.audit_log where subject = $1", [run_id])
    assert said.to_pylist() == [
        {"action": "publish", "session_role": "keepwell_publisher"},
        {"action": "rollback", "session_role": "keepwell_publisher"},
    ]
    with open_warehouse(bank.owner) as wh:
        assert roles.find_differences(wh) == ([], [])


def test_init_by_a_role_looks_and_says_what_is_missing(bank: Bank) -> None:
    for role in ("publisher", "loader", "auditor", "crm_reader"):
        assert command(bank.settings(role), "init").returncode == 0
    with open_warehouse(bank.owner) as wh:
        wh.execute("alter table ops.experiments rename to kept_aside")
    try:
        told = command(bank.settings("publisher"), "init")
    finally:
        with open_warehouse(bank.owner) as wh:
            wh.execute("alter table ops.kept_aside rename to experiments")
    assert told.returncode == 2
    assert "lacks ops.experiments" in told.stderr
    assert "run `python -m warehouse init` and `roles` as the owner" in told.stderr


def test_init_and_roles_bring_an_old_log_its_defaults(bank: Bank) -> None:
    """A log whose rows the publisher could date and sign itself."""
    with open_warehouse(bank.owner) as wh:
        for column in ("happened_at", "session_role"):
            wh.execute(f"alter table ops.audit_log alter column {column} drop default")
        wh.execute("grant insert on ops.audit_log to keepwell_publisher")
        wh.execute("grant update on ops.publications to keepwell_publisher")
    told = command(bank.settings("publisher"), "status")
    assert told.returncode == 2
    assert "lacks the default of ops.audit_log.happened_at" in told.stderr
    assert command(bank.owner, "init").returncode == 0
    assert command(bank.owner, "roles").returncode == 0
    with open_warehouse(bank.settings("publisher")) as wh:
        before = utc_now()
        audit.record(wh, "rollback", "of old")
        after = utc_now()
        for forged in ("happened_at = now()", "session_role = 'x'"):
            with pytest.raises(WarehouseError, match="permission denied"):
                wh.execute(f"update ops.audit_log set {forged}")
    with open_warehouse(bank.settings("auditor")) as wh:
        (row,) = wh.query("select * from ops.audit_log where subject = 'of old'").to_pylist()
    assert row["session_role"] == "keepwell_publisher"
    assert before <= row["happened_at"] <= after
    with open_warehouse(bank.owner) as wh:
        assert roles.find_differences(wh) == ([], [])


def test_a_right_on_a_table_is_taken_back_without_those_on_its_columns(bank: Bank) -> None:
    """PostgreSQL takes both back at once."""
    with open_warehouse(bank.owner) as wh:
        before = roles.rights(wh)
        wh.execute("grant select on ops.audit_log to keepwell_publisher")
        roles.apply(wh)
        assert roles.rights(wh) == before


def test_roles_are_made_by_the_owner_only(bank: Bank) -> None:
    told = command(bank.settings("publisher"), "roles")
    assert told.returncode == 2
    assert "made by the owner of the database" in told.stderr


def test_a_database_beside_it_stays_closed_to_the_roles(
    bank: Bank, role_server: embedded.Address, short_dir: Path
) -> None:
    embedded.create_database(role_server, "beside")
    owner = Settings(home=short_dir / "beside", url=role_server.url("beside"))
    with open_warehouse(owner) as wh:
        schema.init(wh)
        plant_source(wh)
        run_id = plant_run(wh, DAY, "beside")
        publish(wh, run_id)
        assert {right for right in roles.rights(wh) if right.role != "public"} == set()
    beside = replace(bank.settings("bi_reader"), url=role_server.url("beside").replace("postgres@", ""))
    with open_warehouse(beside) as wh, pytest.raises(WarehouseError, match="permission denied"):
        wh.query("select * from marts.dim_customers")
    embedded.drop_database(role_server, "beside")


def test_an_owner_without_superuser_makes_the_roles_of_an_old_warehouse(
    role_server: embedded.Address, short_dir: Path, password_dir: Path, bank: Bank
) -> None:
    """As a bank's administrators hand a database out: its owner, and CREATEROLE."""
    folder = short_dir / "plain"
    embedded.up(folder, "bank")
    address = embedded.running(folder)
    assert address is not None
    try:
        with open_warehouse(Settings(home=short_dir, url=address.url("bank"))) as wh:
            wh.execute("create role keepwell_owner login createrole nosuperuser password null")
            wh.execute("alter database bank owner to keepwell_owner")
        owner = Settings(
            home=short_dir / "plainhome", url=address.url("bank").replace("postgres@", "keepwell_owner@")
        )
        with open_warehouse(owner) as wh:
            schema.init(wh)
            plant_source(wh)
            publish(wh, plant_run(wh, DAY, "first"))
            roles.apply(wh, password_dir)
            assert roles.find_differences(wh) == ([], [])
            roles.apply(wh)
            schema.init(wh)
            assert openings.find(wh) == []
        with open_warehouse(Settings(home=short_dir, url=address.url("bank"))) as wh:
            wh.execute("alter role keepwell_bi_reader superuser")
        # Who may not take that back says who may, and how.
        with open_warehouse(owner) as wh, pytest.raises(WarehouseError, match="as a superuser") as fault:
            roles.apply(wh)
        assert "alter role keepwell_bi_reader nosuperuser" in str(fault.value)
        with open_warehouse(Settings(home=short_dir, url=address.url("bank"))) as wh:
            wh.execute("alter role keepwell_bi_reader nosuperuser")
        publisher = replace(owner, url=owner.url.replace("_owner@", "_publisher@") if owner.url else None)
        with open_warehouse(publisher) as wh:
            start_run(wh, kind="daily", as_of_date=BEFORE, key="second", source="demo")
        # The owner goes on to reach what the roles own: to erase, for one.
        with open_warehouse(owner) as wh:
            wh.execute("delete from archive.dim_customers")
            assert roles.find_differences(wh) == ([], [])
    finally:
        embedded.down(folder)


def test_duckdb_has_no_roles(duckdb_settings: Settings) -> None:
    told = command(duckdb_settings, "roles")
    assert told.returncode == 2
    assert "DuckDB has no roles" in told.stderr


def test_the_watch_needs_no_more_than_the_publisher_may(bank: Bank) -> None:
    with open_warehouse(bank.settings("transformer")) as wh:
        plant_policy(wh)
    told = command(bank.settings("publisher"), "watch")
    assert "Traceback" not in told.stderr
    # What was published before the roles stands in the log too; nothing is known of deliveries.
    found = {line.split()[0]: line.split()[2] for line in told.stdout.splitlines()[1:]}
    assert found["audit_gap"] == "ok"
    assert found["publication_age"] == "unknown"
    with open_warehouse(bank.settings("bi_reader")) as wh:
        checks = wh.query("select distinct check_name from ops.health_checks")["check_name"].to_pylist()
    assert sorted(checks) == sorted(found)
