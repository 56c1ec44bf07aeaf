"""Roles of the PostgreSQL server: who may do what, each no more than its work needs.

The grants stand below as tables. `apply` brings the server to them, `find_differences` says where it is not.
DuckDB has no users and so none of this.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from warehouse import audit, openings
from warehouse.door import Warehouse
from warehouse.errors import WarehouseError
from warehouse.names import quoted, quoted_name
from warehouse.passwords import read_password, scram_verifier
from warehouse.schema import IS_RUN, OPS_TABLES, SCHEMAS
from warehouse.settings import ROLES, role_name

# All run schemas together, in the tables of this module.
RUNS = "run_*"
SCORES = "raw_churn_scores"

# Whose tables and views a schema holds. They are made by their owner, in a schema of the warehouse's owner.
OWNED = {
    "loader": ("raw", "restricted"),
    "transformer": ("staging", "core", "policy", RUNS),
    "publisher": ("archive", "history", "marts", "crm", "masked"),
}
# In a run the scorer makes one table, beside dbt's.
OWNED_IN_RUNS = {SCORES: "scorer"}

# Which schemas of others a role reads, with every table that is made in them later. Of `restricted` that is
# what the loader makes: the personal columns of entities, for the views of crm and masked.
READ = {
    "transformer": ("raw", "archive", "history", RUNS),
    "scorer": ("core", "policy", "archive", "history", RUNS),
    "publisher": ("raw", "restricted", "policy", RUNS),
    "bi_reader": ("marts", "history"),
    "crm_reader": ("marts", "crm"),
    "auditor": ("ops", "masked"),
}

# What a role does not read of a schema that it reads: no public mart, and nothing of BI needs it.
WITHHELD = {"bi_reader": ("history.fct_customer_features",)}

# Single tables of the owner: what a role may do, and with which. The auditor reads all of `ops`.
GRANTED: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "loader": (
        ("select, insert, update", ("ops.sources",)),
        (
            "select, insert, delete",
            ("ops.batches", "ops.batch_files", "ops.rejected_rows", "restricted.rejected_rows"),
        ),
        ("select, insert", ("restricted.erased_customers",)),
    ),
    "transformer": (
        (
            "select",
            (
                *("ops.sources", "ops.batches", "ops.batch_files", "ops.runs", "ops.run_dates"),
                *("ops.publications", "ops.archived_days", "ops.standing_snapshots", "ops.covering_runs"),
                "ops.training_runs",
            ),
        ),
        # The leakage suite asks whether somebody was erased since a day was published.
        ("select (erased_at)", ("ops.erasures",)),
        ("select, insert, delete", ("ops.test_results", "ops.build_results")),
    ),
    "scorer": (
        (
            "select",
            ("ops.sources", "ops.runs", "ops.run_dates", "ops.publications", "ops.standing_snapshots"),
        ),
        # Why a day has no scores.
        ("update (note)", ("ops.runs",)),
        (
            "select, insert, delete",
            ("ops.training_runs", "ops.experiments", "ops.model_metrics", "ops.model_monitoring"),
        ),
    ),
    "publisher": (
        (
            "select",
            (
                *("ops.sources", "ops.batches", "ops.batch_files", "ops.training_runs"),
                *("ops.standing_snapshots", "ops.covering_runs"),
            ),
        ),
        ("select, insert, update, delete", ("ops.runs", "ops.run_dates", "ops.archived_days")),
        ("select, insert", ("ops.publications",)),
        ("update (withdrawn_at)", ("ops.publications",)),
        ("select, insert, delete", ("ops.health_checks",)),
        # A run that starts again is forgotten, and retention lets old results go.
        ("select, delete", ("ops.test_results", "ops.build_results")),
        # It lets rejected texts go too, without reading those of the restricted table.
        ("select (batch_id)", ("restricted.rejected_rows",)),
        ("delete", ("restricted.rejected_rows",)),
        ("select (batch_id, raw_text)", ("ops.rejected_rows",)),
        ("update (raw_text)", ("ops.rejected_rows",)),
        # Nobody but the owner changes or deletes a row, and the server fills in when and as whom. `watch`
        # asks whether every publication has one.
        ("insert (actor, action, subject, detail)", ("ops.audit_log",)),
        ("select (action, subject)", ("ops.audit_log",)),
    ),
    "bi_reader": (
        (
            "select",
            (
                *("ops.sources", "ops.batches", "ops.batch_files", "ops.runs", "ops.publications"),
                *("ops.test_results", "ops.build_results", "ops.health_checks", "ops.standing_snapshots"),
                *("ops.training_runs", "ops.experiments", "ops.model_metrics", "ops.model_monitoring"),
            ),
        ),
        # To count them, never their text.
        ("select (batch_id, entity, reason_code)", ("ops.rejected_rows",)),
    ),
}

# `policy diff` makes a schema of its own and drops it; a unit test of dbt makes temporary tables.
ON_DATABASE = {"publisher": ("create",), "transformer": ("create", "temporary")}


@dataclass(frozen=True, order=True)
class Right:
    """`role` has `privilege` on something: `own`, `select`, `update (note)` ...

    `role` is one of ROLES or `public`. Without a `relation` it is on the schema, and without a schema on the
    database.
    """

    role: str
    schema: str
    relation: str
    privilege: str

    @property
    def on(self) -> str:
        """What it is on, for a grant."""
        if self.relation:
            return f"table {quoted(self.schema)}.{quoted(self.relation)}"
        return f"schema {quoted(self.schema)}" if self.schema else "database"

    def __str__(self) -> str:
        place = f"{self.schema}.{self.relation}" if self.relation else self.schema or "the database"
        return f"{self.role}: {self.privilege} on {place}"


@dataclass(frozen=True)
class _Default:
    """What `maker` makes (in `schema`, or anywhere when it is empty) `reader` may read from the start."""

    maker: str
    schema: str
    reader: str


def apply(wh: Warehouse, password_dir: Path | None = None) -> list[str]:
    """Make the roles that are missing and bring all grants to those of this module; what was done, in words.

    A role with a file of its name in `password_dir` may log in with that password; without one its login
    stays as it is. Existing tables, views and run schemas go to the roles that own them. One transaction.
    Raises WarehouseError on DuckDB, when the caller may not, or a password file cannot be used.
    """
    _refuse_without_roles(wh)
    # Before anything is changed.
    passwords = _passwords(password_dir)
    with wh.transaction():
        wh.lock("runs")
        wh.lock("roles")
        _refuse_others(wh)
        done = [*_create(wh), *_let_log_in(wh, passwords)]
        _join(wh)
        openings.close(wh)
        _make_seal(wh)
        _set_rights(wh, kinds=("database", "schema"))
        _transfer(wh)
        _set_rights(wh, kinds=("database", "schema", "table"))
        _set_defaults(wh)
        audit.record(wh, "roles", "all grants", "; ".join(done) or None)
    return done


def find_differences(wh: Warehouse) -> tuple[list[Right], list[Right]]:
    """Rights that the roles and PUBLIC have and should not, and those that they lack."""
    with _one_look(wh):
        expected, actual = _expected(wh), rights(wh)
    return sorted(actual - expected), sorted(expected - actual)


def rights(wh: Warehouse) -> set[Right]:
    """What the server's catalogue says of the roles and of PUBLIC, on the database and Keepwell's schemas."""
    _refuse_without_roles(wh)
    return {Right(**row) for row in wh.query(_RIGHTS).to_pylist()}


def table(wh: Warehouse) -> list[tuple[str, str, str]]:
    """Role, schema and privileges in words, from the catalogue; all run schemas are one line.

    A privilege inside a schema that the role may not enter is none and is left out.
    """
    with _one_look(wh):
        found, relations = rights(wh), _relations(wh)
    lines = []
    for role in ("public", *ROLES):
        own = {right for right in found if right.role == role}
        entered = {right.schema for right in own if not right.relation and right.privilege != "create"}
        on_database = sorted(right.privilege for right in own if not right.schema)
        if on_database:
            lines.append((role, "(database)", ", ".join(on_database)))
        for group in sorted({_group(schema) for schema in entered if schema}):
            inside = {right for right in own if _group(right.schema) == group and right.schema in entered}
            held = {(schema, name) for schema, name, _ in relations if _group(schema) == group}
            lines.append((role, group, _words(inside, held)))
    return lines


def open_run(wh: Warehouse, run_id: str) -> None:
    """Create the schema of a run; where roles are used it is the publisher's, for dbt and ml to build in."""
    if not _in_use(wh):
        wh.execute(f"create schema {run_id}")
        return
    wh.execute(f"create schema {run_id} authorization {role_name('publisher')}")
    for role in _BUILDERS:
        wh.execute(f"grant usage, create on schema {run_id} to {role_name(role)}")


def close_run(wh: Warehouse, run_id: str) -> None:
    """Nobody makes a table in the run's schema any more; for a run that is published or failed."""
    if _in_use(wh) and run_id in wh.schemas():
        for role in _BUILDERS:
            wh.execute(f"revoke create on schema {run_id} from {role_name(role)}")


def seal_run(wh: Warehouse, run_id: str) -> None:
    """Close a run that is published: its tables are the publisher's, and who built them only reads them.

    Raises WarehouseError when `apply` has not been at work since an older version.
    """
    if not _in_use(wh):
        return
    close_run(wh, run_id)
    found = wh.query("select 1 as one from pg_proc where proname = 'seal_run'")
    if not found.num_rows:
        raise WarehouseError(
            "the roles are those of an older version, which could not seal a run: "
            "run `python -m warehouse roles` as the owner"
        )
    wh.query("select ops.seal_run($1)::text as done", [run_id])


def withhold(wh: Warehouse, views: Iterable[str]) -> None:
    """Views that are made anew are granted to all who read their schema: take back what is withheld."""
    if _in_use(wh):
        for role, names in WITHHELD.items():
            for name in sorted(set(names) & set(views)):
                wh.execute(f"revoke select on {quoted_name(name)} from {role_name(role)}")


_BUILDERS = ("transformer", "scorer")
# To hand a table over, one has to be a member of both roles, and neither is of the other: the owner is, whose
# function it is. Views stay with who made them, for they read with the rights of their owner.
_SEAL_RUN = """
    create or replace function ops.seal_run(sealed text) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp
    as $seal$
    declare
        built text;
    begin
        if sealed !~ '{is_run}' then
            raise exception '% is no run', sealed;
        end if;
        for built in
            select format('%I.%I', schemas.nspname, relations.relname)
            from pg_class as relations
            inner join pg_namespace as schemas on relations.relnamespace = schemas.oid
            where
                schemas.nspname = sealed
                and relations.relkind in ('r', 'p')
                and pg_get_userbyid(relations.relowner) in ({builders})
            order by 1
        loop
            execute format('alter table %s owner to {publisher}', built);
            execute format('grant select on %s to {readers}', built);
        end loop;
    end
    $seal$
"""


def _group(schema: str) -> str:
    return RUNS if re.fullmatch(IS_RUN, schema) else schema


def _in_use(wh: Warehouse) -> bool:
    """Are the roles used in this database? The server may have them for another one."""
    if wh.target != "postgres":
        return False
    found = wh.query(
        """
        select 1 as one
        from pg_roles as roles
        cross join pg_namespace as schemas
        where
            roles.rolname = $1
            and schemas.nspname = 'core'
            and has_schema_privilege(roles.oid, schemas.oid, 'usage')
        """,
        [role_name("transformer")],
    )
    return bool(found.num_rows)


@contextmanager
def _one_look(wh: Warehouse) -> Iterator[None]:
    """All that is read is of one moment: a build may be at work, whose tables come and go."""
    _refuse_without_roles(wh)
    with wh.transaction():
        wh.execute("set transaction isolation level repeatable read, read only")
        yield


def _refuse_without_roles(wh: Warehouse) -> None:
    if wh.target != "postgres":
        raise WarehouseError("DuckDB has no roles: its file is one user's; set KEEPWELL_TARGET=postgres")


def _refuse_others(wh: Warehouse) -> None:
    """Who is neither superuser nor owner of database and schemas cannot, and is told so at once."""
    may = wh.query(
        """
        select
            roles.rolsuper as is_superuser,
            roles.rolcreaterole as may_create,
            pg_has_role(databases.datdba, 'usage') as owns_database,
            exists (
                select 1 from pg_class
                inner join pg_namespace on relnamespace = pg_namespace.oid
                where nspname = 'ops' and relname = 'audit_log'
            ) as has_tables,
            coalesce((select pg_has_role(nspowner, 'usage') from pg_namespace where nspname = 'ops'), false)
                as owns_ops
        from pg_roles as roles
        cross join pg_database as databases
        where roles.rolname = current_user and databases.datname = current_database()
        """
    ).to_pylist()[0]
    if not may["has_tables"]:
        raise WarehouseError("tables are missing: run `python -m warehouse init` first, as the owner")
    if not (may["is_superuser"] or (may["may_create"] and may["owns_database"] and may["owns_ops"])):
        raise WarehouseError(
            "roles are made by the owner of the database and of its schemas, who has CREATEROLE, or by a "
            "superuser: connect as that user (KEEPWELL_ROLE=owner, or another KEEPWELL_WAREHOUSE_URL)"
        )


def _passwords(folder: Path | None) -> dict[str, str]:
    if folder is None:
        return {}
    if not folder.is_dir():
        raise WarehouseError(f"there is no folder of passwords {folder}")
    names = {role: folder / role_name(role) for role in ROLES}
    return {role: read_password(file) for role, file in names.items() if file.exists()}


def _create(wh: Warehouse) -> list[str]:
    held = wh.query("select rolname::text as name from pg_roles")["name"].to_pylist()
    missing = [role_name(role) for role in ROLES if role_name(role) not in held]
    for name in missing:
        wh.execute(f"create role {name} nologin nosuperuser nocreatedb nocreaterole")
    return [f"created {name}" for name in missing]


def _let_log_in(wh: Warehouse, passwords: dict[str, str]) -> list[str]:
    for role, password in passwords.items():
        wh.execute(f"alter role {role_name(role)} with login password '{scram_verifier(password)}'")
    return [f"password of {role_name(role)} set" for role in passwords]


def _join(wh: Warehouse) -> None:
    """An owner who is no superuser is a member of the roles, to hand tables over and to erase from them."""
    lacking = wh.query(
        f"""
        select rolname::text as name from pg_roles
        where rolname in ({_listed(map(role_name, ROLES))}) and not pg_has_role(oid, 'usage')
        """
    )
    for name in lacking["name"].to_pylist():
        wh.execute(f"grant {name} to current_user")


def _make_seal(wh: Warehouse) -> None:
    names = [role_name(role) for role in _BUILDERS]
    wh.execute(
        _SEAL_RUN.format(
            is_run=f"^{IS_RUN}$",
            builders=_listed(names),
            readers=", ".join(names),
            publisher=role_name("publisher"),
        )
    )
    wh.execute("revoke all on function ops.seal_run(text) from public")
    wh.execute(f"grant execute on function ops.seal_run(text) to {role_name('publisher')}")


def _set_rights(wh: Warehouse, *, kinds: tuple[str, ...]) -> None:
    expected = _expected(wh)
    for verb, side in (("revoke", "from"), ("grant", "to")):
        # Read again: to revoke a privilege on a table takes it from the columns too.
        actual = rights(wh)
        found = actual - expected if verb == "revoke" else expected - actual
        grouped: dict[tuple[str, str, str], list[str]] = {}
        for right in sorted(found):
            kind, _, place = right.on.partition(" ")
            if kind in kinds and right.privilege != "own":
                grouped.setdefault((right.role, right.privilege, kind), []).append(place)
        for (role, privilege, kind), places in grouped.items():
            where = ", ".join(places) if kind != "database" else _database(wh)
            wh.execute(f"{verb} {privilege} on {kind} {where} {side} {_grantee(role)}")


def _transfer(wh: Warehouse) -> None:
    """Existing run schemas, tables and views to their owners; nothing to do the second time."""
    expected, actual = ({right for right in side if right.privilege == "own"} for side in _both(wh))
    for right in sorted(expected - actual):
        owner = role_name(right.role)
        if right.relation:
            # Whoever takes a table over has to be allowed to make one there; a closed run is closed again.
            wh.execute(f"grant usage, create on schema {quoted(right.schema)} to {owner}")
        wh.execute(f"alter {right.on} owner to {owner}")
    handed_over = {(right.schema, right.relation) for right in expected}
    for right in sorted(actual - expected):
        if (right.schema, right.relation) not in handed_over:
            wh.execute(f"alter {right.on} owner to current_user")


def _both(wh: Warehouse) -> tuple[set[Right], set[Right]]:
    return _expected(wh), rights(wh)


def _set_defaults(wh: Warehouse) -> None:
    """Views that are dropped and made again, and tables of tomorrow, are granted as those of today."""
    owner = wh.query("select current_user::text as name")["name"][0].as_py()
    expected, actual = _expected_defaults(owner), _defaults(wh, owner)
    for verb, side, found in (("revoke", "from", actual - expected), ("grant", "to", expected - actual)):
        for default in sorted(found, key=lambda each: (each.maker, each.schema, each.reader)):
            place = f"in schema {default.schema}" if default.schema else ""
            wh.execute(
                f"alter default privileges for role {quoted(default.maker)} {place} "
                f"{verb} select on tables {side} {role_name(default.reader)}"
            )


def _expected_defaults(owner: str) -> set[_Default]:
    found = {_Default(owner, "ops", "auditor")}
    for maker, schemas in (*OWNED.items(), ("scorer", (RUNS,))):
        for reader, read in READ.items():
            for schema in set(schemas) & set(read) if reader != maker else ():
                # The schemas of runs to come have no name yet: what is made anywhere, and the right to enter
                # a schema decides.
                is_anywhere = maker in _BUILDERS
                found.add(_Default(role_name(maker), "" if is_anywhere else schema, reader))
    return found


def _defaults(wh: Warehouse, owner: str) -> set[_Default]:
    rows = wh.query(
        f"""
        select
            pg_get_userbyid(defaults.defaclrole)::text as maker,
            coalesce(schemas.nspname::text, '') as schema,
            pg_get_userbyid(acl.grantee)::text as reader
        from pg_default_acl as defaults
        cross join lateral aclexplode(defaults.defaclacl) as acl
        left join pg_namespace as schemas on defaults.defaclnamespace = schemas.oid
        where
            defaults.defaclobjtype = 'r'
            and acl.grantee != defaults.defaclrole
            and acl.privilege_type = 'SELECT'
            and pg_get_userbyid(acl.grantee) in ({_listed(map(role_name, ROLES))})
            and pg_get_userbyid(defaults.defaclrole) in ({_listed((owner, *map(role_name, ROLES)))})
        """
    ).to_pylist()
    return {_Default(row["maker"], row["schema"], row["reader"].removeprefix("keepwell_")) for row in rows}


def _expected(wh: Warehouse) -> set[Right]:
    relations = _relations(wh)
    schemas = [schema for schema in wh.schemas() if schema in SCHEMAS or re.fullmatch(IS_RUN, schema)]
    status = {
        row["run_id"]: row["status"] for row in wh.query("select run_id, status from ops.runs").to_pylist()
    }
    started = {run_id for run_id, word in status.items() if word == "started"}
    sealed = {run_id for run_id, word in status.items() if word in ("published", "withdrawn")}
    return {
        *(Right(role, "", "", "connect") for role in ROLES),
        *(Right(role, "", "", privilege) for role, held in ON_DATABASE.items() for privilege in held),
        *(right for schema in schemas for right in _of_schema(schema, is_open=schema in started)),
        *(
            right
            for schema, name, is_table in relations
            for right in _of_relation(schema, name, is_sealed=is_table and schema in sealed)
        ),
    }


def _of_schema(schema: str, *, is_open: bool) -> Iterator[Right]:
    group = _group(schema)
    if group == RUNS:
        yield Right("publisher", schema, "", "own")
        for role in _BUILDERS:
            yield Right(role, schema, "", "usage")
            if is_open:
                yield Right(role, schema, "", "create")
        return
    for role in ROLES:
        owns = group in OWNED.get(role, ())
        if owns:
            yield Right(role, schema, "", "create")
        single = {name.partition(".")[0] for _, names in GRANTED.get(role, ()) for name in names}
        if owns or group in READ.get(role, ()) or schema in single:
            yield Right(role, schema, "", "usage")


def _of_relation(schema: str, name: str, *, is_sealed: bool) -> Iterator[Right]:
    group = _group(schema)
    if group == "ops" or f"{schema}.{name}" in OPS_TABLES:
        for role, grants in GRANTED.items():
            for privileges, names in grants:
                if f"{schema}.{name}" in names:
                    for privilege in _each(privileges):
                        yield Right(role, schema, name, privilege)
        if group == "ops":
            yield Right("auditor", schema, name, "select")
        return
    owner = next((role for role, schemas in OWNED.items() if group in schemas), None)
    if group == RUNS:
        owner = "publisher" if is_sealed else OWNED_IN_RUNS.get(name, owner)
    if owner is None:
        return
    yield Right(owner, schema, name, "own")
    for role, read in READ.items():
        # What dbt makes is granted wherever it is made (`_expected_defaults`).
        reads = set(read) & set(OWNED[owner]) if owner == "transformer" else group in read
        if reads and role != owner and f"{schema}.{name}" not in WITHHELD.get(role, ()):
            yield Right(role, schema, name, "select")


def _each(privileges: str) -> list[str]:
    """`select, insert` as two; `select (a, b)` as one for each column, as the catalogue has it."""
    if "(" not in privileges:
        return privileges.split(", ")
    privilege, columns = privileges.rstrip(")").split(" (")
    return [f"{privilege} ({column})" for column in columns.split(", ")]


def _relations(wh: Warehouse) -> list[tuple[str, str, bool]]:
    """Schema and name of every table and view in Keepwell's schemas, and whether it is a table."""
    rows = wh.query(
        f"""
        select
            schemas.nspname::text as schema,
            relations.relname::text as name,
            relations.relkind in ('r', 'p') as is_table
        from pg_class as relations
        inner join pg_namespace as schemas on relations.relnamespace = schemas.oid
        where relations.relkind in ('r', 'v', 'm', 'p') and {_IS_OURS}
        order by 1, 2
        """
    ).to_pylist()
    return [(row["schema"], row["name"], row["is_table"]) for row in rows]


def _words(rights_inside: set[Right], held: set[tuple[str, str]]) -> str:
    """`create; owns all; select on all`, or with names where it is not all of `held`."""
    parts = []
    on_schema = {right.privilege for right in rights_inside if not right.relation}
    if "own" in on_schema:
        parts.append("owns the schema")
    elif "create" in on_schema:
        parts.append("create")
    columns: dict[tuple[str, str, str], list[str]] = {}
    by_privilege: dict[str, set[tuple[str, str]]] = {}
    for right in sorted(right for right in rights_inside if right.relation):
        privilege, _, column = right.privilege.rstrip(")").partition(" (")
        if column:
            columns.setdefault((privilege, right.schema, right.relation), []).append(column)
        else:
            by_privilege.setdefault(privilege, set()).add((right.schema, right.relation))
    same: dict[frozenset[tuple[str, str]], list[str]] = {}
    for privilege in sorted(by_privilege, key=_ORDER.index):
        same.setdefault(frozenset(by_privilege[privilege]), []).append(privilege)
    for where, privileges in same.items():
        names = "all" if where == held else ", ".join(sorted({name for _, name in where}))
        verb = "owns" if privileges == ["own"] else ", ".join(privileges) + " on"
        parts.append(f"{verb} {names}")
    for (privilege, _, relation), names_of in columns.items():
        parts.append(f"{privilege} on {relation} ({', '.join(names_of)})")
    return "; ".join(parts) or "enter"


_ORDER = ["own", "select", "insert", "update", "delete", "truncate", "references", "trigger", "maintain"]


def _grantee(role: str) -> str:
    return role if role == "public" else role_name(role)


def _database(wh: Warehouse) -> str:
    return quoted(wh.query("select current_database()::text as name")["name"][0].as_py())


def _listed(names: Iterable[str]) -> str:
    return ", ".join("'" + name.replace("'", "''") + "'" for name in names)


_IS_OURS = f"(schemas.nspname in ({_listed((*SCHEMAS, 'public'))}) or schemas.nspname ~ '^{IS_RUN}$')"
# Owners have every right on what is theirs; it is told once, as `own`.
_RIGHTS = f"""
    with

    acls as (
        select '' as schema, '' as relation, '' as column_name, datdba as owner,
            coalesce(datacl, acldefault('d', datdba)) as acl
        from pg_database
        where datname = current_database()

        union all

        select nspname::text, '', '', nspowner, coalesce(nspacl, acldefault('n', nspowner))
        from pg_namespace as schemas
        where {_IS_OURS}

        union all

        select schemas.nspname::text, relname::text, '', relowner, coalesce(relacl, acldefault('r', relowner))
        from pg_class
        inner join pg_namespace as schemas on relnamespace = schemas.oid
        where relkind in ('r', 'v', 'm', 'p') and {_IS_OURS}

        union all

        select schemas.nspname::text, relname::text, attname::text, relowner, attacl
        from pg_attribute
        inner join pg_class on attrelid = pg_class.oid
        inner join pg_namespace as schemas on relnamespace = schemas.oid
        where attacl is not null and not attisdropped and {_IS_OURS}
    ),

    held as (
        select
            acls.schema,
            acls.relation,
            case when acl.grantee = 0 then 'public' else pg_get_userbyid(acl.grantee)::text end as grantee,
            lower(acl.privilege_type)
                || case when acls.column_name = '' then '' else ' (' || acls.column_name || ')' end
                as privilege
        from acls
        cross join lateral aclexplode(acls.acl) as acl
        where acl.grantee != acls.owner

        union

        select schema, relation, pg_get_userbyid(owner)::text, 'own' as privilege
        from acls
        where column_name = ''
    )

    select replace(grantee, 'keepwell_', '') as role, schema, relation, privilege
    from held
    where grantee in ({_listed(("public", *map(role_name, ROLES)))})
"""
