"""Schemas and ops tables: what `init` creates. Types are the same words on both engines."""

from __future__ import annotations

from warehouse.door import Warehouse
from warehouse.errors import WarehouseError

SCHEMAS = (
    "raw", "restricted", "ops", "staging", "core", "policy", "archive", "history", "marts", "crm", "masked",
)  # fmt: skip

# A regular expression, of Python and of PostgreSQL: the schema of a run.
IS_RUN = r"run_\d{8}_\d{2,}"

# Name to columns. Rejected rows and test results have no key: they are replaced by batch, by run and gate.
OPS_TABLES: dict[str, str] = {
    "ops.sources": """
        source varchar primary key,
        policy_set varchar not null,
        reporting_currency_code varchar not null,
        landing_lag_days integer not null,
        max_rejected_share double precision not null""",
    "ops.batches": """
        batch_id varchar primary key,
        batch_no integer not null,
        source varchar not null,
        delivered_on date not null,
        is_history boolean not null,
        status varchar not null,
        rows_read bigint not null,
        rows_loaded bigint not null,
        rows_rejected bigint not null,
        rows_duplicate bigint not null,
        loaded_at timestamp not null,
        rows_erased bigint""",
    "ops.batch_files": """
        batch_id varchar not null,
        entity varchar not null,
        file_name varchar not null,
        content_hash varchar not null,
        rows_read bigint not null,
        rows_loaded bigint not null,
        rows_rejected bigint not null,
        rows_duplicate bigint not null,
        rows_erased bigint,
        primary key (batch_id, entity, file_name)""",
    "ops.rejected_rows": """
        batch_id varchar not null,
        entity varchar not null,
        file_name varchar not null,
        line_no bigint,
        column_name varchar,
        reason_code varchar not null,
        reason varchar not null,
        raw_text varchar""",
    "restricted.rejected_rows": """
        batch_id varchar not null,
        entity varchar not null,
        file_name varchar not null,
        line_no bigint,
        raw_text varchar""",
    # Whose rows the loader passes over from the erasure on: `kind` is customer, account or loan.
    "restricted.erased_customers": """
        kind varchar not null,
        id varchar not null,
        receipt_no varchar not null,
        erased_on date not null,
        primary key (kind, id)""",
    "ops.runs": """
        run_id varchar primary key,
        run_key varchar not null unique,
        kind varchar not null,
        as_of_date date not null,
        knowledge_cutoff_on date not null,
        status varchar not null,
        note varchar,
        started_at timestamp not null,
        newest_batch_no integer""",
    "ops.run_dates": """
        run_id varchar not null,
        as_of_date date not null,
        knowledge_cutoff_on date not null,
        primary key (run_id, as_of_date)""",
    "ops.publications": """
        publication_no integer primary key,
        run_id varchar not null,
        kind varchar not null,
        as_of_date date not null,
        scores_status varchar not null,
        model_version varchar,
        rows_published bigint not null,
        published_at timestamp not null,
        withdrawn_at timestamp,
        note varchar,
        published_by varchar""",
    "ops.archived_days": """
        mart varchar not null,
        as_of_date date not null,
        run_id varchar not null,
        primary key (mart, as_of_date, run_id)""",
    "ops.test_results": """
        run_id varchar not null,
        as_of_date date,
        tool varchar not null,
        gate varchar not null,
        test_name varchar not null,
        relation varchar,
        severity varchar not null,
        status varchar not null,
        failures bigint,
        message varchar,
        executed_at timestamp not null""",
    "ops.training_runs": """
        model_version varchar,
        run_id varchar not null,
        as_of_date date not null,
        outcome varchar not null,
        chosen_model varchar,
        rows_trained bigint,
        churners_trained bigint,
        auc double precision,
        average_precision double precision,
        brier double precision,
        lift_top_decile double precision,
        calibration_slope double precision,
        metrics varchar,
        trained_at timestamp not null""",
    "ops.experiments": """
        run_id varchar not null,
        as_of_date date not null,
        candidate varchar not null,
        settings varchar not null,
        count_folds integer not null,
        average_precision double precision,
        auc double precision,
        empc double precision,
        is_chosen boolean not null,
        recorded_at timestamp not null""",
    "ops.model_metrics": """
        model_version varchar not null,
        run_id varchar not null,
        as_of_date date not null,
        part varchar not null,
        dimension varchar not null,
        member varchar not null,
        metric varchar not null,
        metric_value double precision,
        low_value double precision,
        high_value double precision""",
    "ops.model_monitoring": """
        run_id varchar not null,
        as_of_date date not null,
        model_version varchar not null,
        check_name varchar not null,
        subject varchar not null,
        reference_value double precision,
        check_value double precision,
        threshold_value double precision,
        status varchar not null,
        message varchar,
        monitored_at timestamp not null""",
    # Who did what, for the auditor: only ever added to. `actor` is who asked, `session_role` whom the
    # database saw. In PostgreSQL the server fills in that and the time (LOG_DEFAULTS).
    "ops.audit_log": """
        happened_at timestamp not null,
        actor varchar not null,
        session_role varchar not null,
        action varchar not null,
        subject varchar not null,
        detail varchar""",
    # `customer_hash` is keyed, with a key outside the database: a receipt can be checked, never read back.
    "ops.erasures": """
        receipt_no varchar primary key,
        customer_hash varchar not null,
        reason varchar not null,
        author varchar not null,
        rows_erased bigint not null,
        tables_erased varchar not null,
        receipt varchar,
        erased_at timestamp not null""",
    "ops.health_checks": """
        checked_at timestamp not null,
        check_name varchar not null,
        subject varchar not null,
        check_value double precision,
        threshold_value double precision,
        unit varchar not null,
        status varchar not null,
        message varchar not null""",
    "ops.build_results": """
        run_id varchar not null,
        gate varchar not null,
        node_name varchar not null,
        resource_type varchar not null,
        status varchar not null,
        duration_seconds double precision not null,
        built_at timestamp not null""",
}

# PostgreSQL only: who writes a row of ops.audit_log may not say when, nor as whom.
LOG_DEFAULTS = {
    "happened_at": "(clock_timestamp() at time zone 'utc')",
    "session_role": "session_user::text",
}

# The one rule of what stands: for each as-of date the latest publication, not withdrawn, whose run built it.
STANDING_SNAPSHOTS = """
    select as_of_date, run_id
    from (
        select
            run_dates.as_of_date,
            publications.run_id,
            row_number() over (
                partition by run_dates.as_of_date
                order by publications.publication_no desc
            ) as place
        from ops.publications as publications
        inner join ops.run_dates as run_dates on publications.run_id = run_dates.run_id
        where publications.withdrawn_at is null
    ) as publications_by_date
    where place = 1
"""


# Which batches need no further look: those that were loaded when a run began whose publication stands.
COVERING_RUNS = """
    select
        runs.run_id,
        coalesce(runs.newest_batch_no, 0) as newest_batch_no
    from ops.runs as runs
    inner join ops.publications as publications on runs.run_id = publications.run_id
    where publications.withdrawn_at is null
"""


def init(wh: Warehouse) -> None:
    """Create what is missing: schemas, ops tables, the standing rule. Idempotent, in one transaction.

    For who does not own them it only looks: WarehouseError when something is missing.
    """
    if _is_of_another(wh):
        _refuse_missing(wh)
        return
    with wh.transaction():
        wh.lock("init")
        for schema in SCHEMAS:
            wh.execute(f"create schema if not exists {schema}")
        for name, columns in OPS_TABLES.items():
            wh.execute(f"create table if not exists {name} ({columns})")
        # For warehouses that were made before runs and publications kept them.
        wh.execute("alter table ops.runs add column if not exists newest_batch_no integer")
        wh.execute("alter table ops.publications add column if not exists published_by varchar")
        for table in ("ops.batches", "ops.batch_files"):
            wh.execute(f"alter table {table} add column if not exists rows_erased bigint")
        wh.execute("alter table ops.erasures add column if not exists receipt varchar")
        for column in _missing_defaults(wh):
            wh.execute(f"alter table ops.audit_log alter column {column} set default {LOG_DEFAULTS[column]}")
        _note_archived_days(wh)
        wh.replace_views({"ops.standing_snapshots": STANDING_SNAPSHOTS, "ops.covering_runs": COVERING_RUNS})


def _is_of_another(wh: Warehouse) -> bool:
    """Does another user own the warehouse, so that this one could create nothing in it?"""
    if wh.target != "postgres":
        return False
    owned = wh.query(
        "select pg_has_role(nspowner, 'usage') as is_ours from pg_namespace where nspname = 'ops'"
    )
    if owned.num_rows:
        return not owned["is_ours"][0].as_py()
    may_create = wh.query("select has_database_privilege(current_database(), 'create') as may_create")
    return not may_create["may_create"][0].as_py()


def _refuse_missing(wh: Warehouse) -> None:
    # From the catalogue, which shows what a user may not read too.
    rows = wh.query(
        """
        select
            schemas.nspname::text || '.' || relations.relname::text as name,
            columns.attname::text as column
        from pg_class as relations
        inner join pg_namespace as schemas on relations.relnamespace = schemas.oid
        inner join pg_attribute as columns on relations.oid = columns.attrelid
        where schemas.nspname in ('ops', 'restricted') and columns.attnum > 0 and not columns.attisdropped
        """
    )
    held: dict[str, set[str]] = {}
    for row in rows.to_pylist():
        held.setdefault(row["name"], set()).add(row["column"])
    missing = [f"the schema {schema}" for schema in sorted(set(SCHEMAS) - set(wh.schemas()))]
    missing += [
        name for name in (*OPS_TABLES, "ops.standing_snapshots", "ops.covering_runs") if name not in held
    ]
    for name, definition in OPS_TABLES.items():
        columns = [line.split()[0] for line in definition.strip().splitlines()]
        missing += [
            f"{name}.{column}"
            for column in columns
            if column != "primary" and column not in held.get(name, columns)
        ]
    if "ops.audit_log" in held:
        missing += [f"the default of ops.audit_log.{column}" for column in _missing_defaults(wh)]
    if missing:
        raise WarehouseError(
            f"the warehouse lacks {', '.join(missing[:5])}{' ...' if len(missing) > 5 else ''}, and this "
            "user does not own it: run `python -m warehouse init` and `roles` as the owner"
        )


def _missing_defaults(wh: Warehouse) -> list[str]:
    """Columns of the audit log that the server does not fill in by itself."""
    if wh.target != "postgres":
        return []
    rows = wh.query(
        """
        select attname::text as name
        from pg_attribute
        inner join pg_class on attrelid = pg_class.oid
        inner join pg_namespace on relnamespace = pg_namespace.oid
        where nspname = 'ops' and relname = 'audit_log' and atthasdef
        """
    )
    return sorted(set(LOG_DEFAULTS) - set(rows["name"].to_pylist()))


def _note_archived_days(wh: Warehouse) -> None:
    """For warehouses that archived days before they were noted; nothing to do once one is."""
    if wh.query("select 1 as one from ops.archived_days limit 1").num_rows:
        return
    archived = wh.query(
        "select table_name as mart from information_schema.tables where table_schema = 'archive'"
    )
    for mart in archived["mart"].to_pylist():
        wh.execute(
            "insert into ops.archived_days (mart, as_of_date, run_id)"
            f" select distinct '{mart}', as_of_date, run_id from archive.{mart}"
        )


def ensure(wh: Warehouse) -> None:
    """`init` unless it was done; costs a small query or two when it was."""
    if not (
        wh.exists("ops.archived_days")
        and wh.exists("ops.build_results")
        and "published_by" in wh.column_types("ops.publications")
        and "rows_erased" in wh.column_types("ops.batch_files")
        and not _missing_defaults(wh)
    ):
        init(wh)
