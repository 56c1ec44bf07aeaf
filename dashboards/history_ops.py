"""The tables of `ops` as far as a reader may read them.

A table that a warehouse made before lacks, or that the reader's role may not see (`ops.audit_log` is the
auditor's), has no rows and is no error.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.reading import Row
from warehouse import Warehouse

# Tests named for a run, and reasons for a refused delivery; their number is always told.
MOST_FINDINGS, MOST_REASONS = 10, 5
# What the audit log says of these is free of ids. Of an erasure or an export it tells that it was done, and
# by whom, and no more.
TOLD_ACTIONS = ("publish", "rollback", "retain", "fail-run", "roles")
MOST_ACTS = 300


class Ops:
    """The tables of `ops` as far as this reader may read them."""

    def __init__(self, wh: Warehouse) -> None:
        self.wh = wh

    def may_read(self, relation: str, columns: Sequence[str]) -> bool:
        """Whether a table is there, has these columns and lets this reader read them."""
        if not set(columns) <= set(self.wh.column_types(relation)):
            return False
        if self.wh.target != "postgres":
            return True
        allowed = [f"has_column_privilege($1, ${place}, 'select')" for place in range(2, len(columns) + 2)]
        sql = f"select {' and '.join(allowed)} as is_allowed"
        return bool(self.wh.query(sql, [relation, *columns])["is_allowed"][0].as_py())

    def rows(self, sql: str, needs: Mapping[str, Sequence[str]], values: Sequence[Any] = ()) -> list[Row]:
        """Rows of a query; none where the reader lacks one of the tables or columns that it needs."""
        if not all(self.may_read(relation, columns) for relation, columns in needs.items()):
            return []
        found: list[Row] = self.wh.query(sql, list(values)).to_pylist()
        return found

    def source(self) -> str | None:
        """The name of the bank, None before anything was delivered."""
        rows = self.rows(SOURCE, {"ops.sources": ("source",)})
        return rows[0]["source"] if rows else None

    def runs(self) -> list[Row]:
        """All runs, the newest first."""
        return self.rows(RUNS, {"ops.runs": ("run_id", "kind", "as_of_date", "status", "note", "started_at")})

    def batches(self) -> list[Row]:
        """All deliveries, the newest first; rows of erased customers were passed over."""
        table = "ops.batches"
        column = "rows_erased" if self.may_read(table, ["rows_erased"]) else "0 as rows_erased"
        return self.rows(BATCHES.format(rows_erased=column), {table: ("batch_id", "status", "loaded_at")})

    def trainings(self) -> list[Row]:
        """All trainings with their outcome, the newest first."""
        return self.rows(TRAININGS, {"ops.training_runs": ("run_id", "outcome", "trained_at")})

    def monitored(self) -> set[str]:
        """Runs that monitored a model."""
        rows = self.rows(MONITORED, {"ops.model_monitoring": ("run_id",)})
        return {row["run_id"] for row in rows}

    def gates(self) -> list[Row]:
        """One row a run and gate: how many of its tests passed, warned, failed and were skipped."""
        return self.rows(GATES, {"ops.test_results": ("run_id", "gate", "severity", "status")})

    def publications(self) -> list[Row]:
        """All publications, the newest first; who published is known since the column is there."""
        table = "ops.publications"
        column = "published_by" if self.may_read(table, ["published_by"]) else "null as published_by"
        return self.rows(
            PUBLICATIONS.format(published_by=column), {table: ("publication_no", "withdrawn_at")}
        )

    def findings(self, full_from: dt.date) -> list[Row]:
        """Tests that warned or failed, the failed first, at most MOST_FINDINGS a run."""
        needs = {
            "ops.test_results": ("run_id", "status", "test_name", "message"),
            "ops.runs": ("started_at",),
        }
        return self.rows(FINDINGS, needs, [dt.datetime.combine(full_from, dt.time())])

    def with_faults(self, batches: list[Row]) -> list[Row]:
        """Deliveries; a refused one with the files that had more rows rejected than the source allows."""
        faults = defaultdict(list)
        files = {"ops.batch_files": ("batch_id", "file_name", "rows_rejected"), "ops.batches": ("status",)}
        for row in self.rows(FAULTY_FILES, {**files, "ops.sources": ("max_rejected_share",)}):
            faults[row["batch_id"]].append(row)
        reasons = defaultdict(list)
        needs = {"ops.rejected_rows": ("batch_id", "entity", "reason_code"), "ops.batches": ("status",)}
        for row in self.rows(REASONS, needs):
            reasons[row["batch_id"]].append(row)
        return [
            {
                **batch,
                "faults": faults.get(batch["batch_id"], []),
                "reasons": reasons.get(batch["batch_id"], [])[:MOST_REASONS],
            }
            for batch in batches
        ]

    def health(self) -> list[Row] | None:
        """The newest checks, with the time since when each alerts; None where nothing was ever watched."""
        columns = (
            "checked_at",
            "check_name",
            "subject",
            "check_value",
            "threshold_value",
            "status",
            "message",
        )
        return self.rows(HEALTH, {"ops.health_checks": columns}) or None

    def audit(self, full_from: dt.date | None) -> list[Row] | None:
        """Acts of the full days; None where the log is not for this reader. No id of a customer is taken."""
        columns = ("happened_at", "actor", "action", "subject", "detail")
        if not self.may_read("ops.audit_log", columns):
            return None
        told = ", ".join(f"'{action}'" for action in TOLD_ACTIONS)
        since = dt.datetime.combine(full_from or dt.date.min, dt.time())
        return self.rows(AUDIT.format(told=told), {}, [since])


SOURCE = "select source from ops.sources order by source"

RUNS = """
select run_id, kind, as_of_date, status, note, started_at
from ops.runs
order by started_at desc, run_id desc
"""

PUBLICATIONS = """
select
    publication_no, run_id, kind, as_of_date, scores_status, model_version, rows_published, published_at,
    withdrawn_at, note, {published_by}
from ops.publications
order by publication_no desc
"""

GATES = """
select
    run_id,
    gate,
    sum(case when status = 'pass' then 1 else 0 end) as count_pass,
    sum(case when status in ('fail', 'error') and severity = 'error' then 1 else 0 end) as count_fail,
    sum(case when status = 'warn' or (status in ('fail', 'error') and severity <> 'error') then 1 else 0 end)
        as count_warn,
    sum(case when status = 'skipped' then 1 else 0 end) as count_skipped
from ops.test_results
group by run_id, gate
order by
    run_id,
    case gate
        when 'arrival' then 1 when 'facts' then 2 when 'marts' then 3 when 'lists' then 4 when 'scores' then 5
        else 6
    end,
    gate
"""

FINDINGS = f"""
select run_id, gate, tool, test_name, relation, severity, status, failures, message, count_findings
from (
    select
        results.*,
        count(*) over (partition by results.run_id) as count_findings,
        row_number() over (
            partition by results.run_id
            order by
                case when results.status = 'warn' or results.severity <> 'error' then 1 else 0 end,
                results.gate, results.tool, results.relation, results.test_name
        ) as place
    from ops.test_results as results
    inner join ops.runs as runs on results.run_id = runs.run_id
    where results.status not in ('pass', 'skipped') and runs.started_at >= $1
) as placed
where place <= {MOST_FINDINGS}
order by run_id, place
"""

BATCHES = """
select
    batch_id, batch_no, delivered_on, is_history, status, rows_read, rows_loaded, rows_rejected,
    rows_duplicate, {rows_erased}, loaded_at
from ops.batches
order by loaded_at desc, batch_no desc
"""

FAULTY_FILES = """
select
    files.batch_id, files.entity, files.file_name, files.rows_read, files.rows_rejected,
    sources.max_rejected_share
from ops.batch_files as files
inner join ops.batches as batches on files.batch_id = batches.batch_id
inner join ops.sources as sources on batches.source = sources.source
where
    batches.status = 'refused'
    and files.rows_rejected > sources.max_rejected_share * files.rows_read
order by files.batch_id, files.rows_rejected desc, files.file_name
"""

REASONS = """
select rejected.batch_id, rejected.entity, rejected.reason_code, count(*) as count_rows
from ops.rejected_rows as rejected
inner join ops.batches as batches on rejected.batch_id = batches.batch_id
where batches.status = 'refused'
group by rejected.batch_id, rejected.entity, rejected.reason_code
order by rejected.batch_id, count(*) desc, rejected.entity, rejected.reason_code
"""

TRAININGS = """
select
    model_version, run_id, as_of_date, outcome, chosen_model, rows_trained, churners_trained, auc,
    average_precision, brier, lift_top_decile, calibration_slope, trained_at
from ops.training_runs
order by trained_at desc, run_id desc
"""

MONITORED = "select distinct run_id from ops.model_monitoring"

# One watch writes all its checks at one time. A check alerts since the first alert after the last time that
# it was in order.
HEALTH = """
with calm as (
    select check_name, subject, max(checked_at) as calm_at
    from ops.health_checks
    where status <> 'alert'
    group by check_name, subject
),

alerting as (
    select checks.check_name, checks.subject, min(checks.checked_at) as alert_since
    from ops.health_checks as checks
    left join calm on checks.check_name = calm.check_name and checks.subject = calm.subject
    where checks.status = 'alert' and (calm.calm_at is null or checks.checked_at > calm.calm_at)
    group by checks.check_name, checks.subject
)

select
    checks.checked_at, checks.check_name, checks.subject, checks.check_value, checks.threshold_value,
    checks.unit, checks.status, checks.message, alerting.alert_since
from ops.health_checks as checks
left join alerting on checks.check_name = alerting.check_name and checks.subject = alerting.subject
where checks.checked_at = (select max(checked_at) from ops.health_checks)
order by
    case checks.status when 'alert' then 1 when 'unknown' then 2 else 3 end,
    checks.check_name,
    checks.subject
"""

AUDIT = f"""
select
    happened_at,
    actor,
    action,
    case when action in ({{told}}) then subject end as subject,
    case when action in ({{told}}) then detail end as detail
from ops.audit_log
where happened_at >= $1
order by happened_at desc, action, subject
limit {MOST_ACTS}
"""
