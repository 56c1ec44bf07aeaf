"""Statements that the roles try, each with what the server has to answer.

`{published}` is the schema of a published run, `{started}` that of one being built. Every statement is taken
back. `python -m tests.warehouse.role_trials` prints them as Markdown.
"""

from __future__ import annotations

from typing import NamedTuple


class Trial(NamedTuple):
    """What a role tries, and whether it may."""

    role: str
    statement: str
    may: bool


ALL = ("loader", "transformer", "scorer", "publisher", "bi_reader", "crm_reader", "auditor")


def _except(*roles: str) -> tuple[str, ...]:
    return tuple(role for role in ALL if role not in roles)


# What the server fills in, a role cannot.
AUDIT_ROW = "insert into ops.audit_log (actor, action, subject) values ('me', 'publish', 'x')"
FORGED_TIME = (
    "insert into ops.audit_log (happened_at, actor, action, subject)"
    " values (timestamp '2020-01-01 00:00:00', 'me', 'publish', 'x')"
)
FORGED_ROLE = (
    "insert into ops.audit_log (session_role, actor, action, subject)"
    " values ('keepwell_auditor', 'me', 'publish', 'x')"
)
# Statement, and who may: everybody else is refused.
TRIED: tuple[tuple[str, tuple[str, ...]], ...] = (
    # Personal data.
    ("select full_name from restricted.contacts", ("loader", "publisher")),
    ("select raw_text from restricted.rejected_rows", ("loader",)),
    ("select id from restricted.erased_customers", ("loader",)),
    ("delete from restricted.erased_customers", ()),
    ("update restricted.contacts set full_name = 'x'", ("loader",)),
    ("select * from crm.customers_to_keep", ("publisher", "crm_reader")),
    ("select * from masked.customers", ("publisher", "auditor")),
    ("select raw_text from ops.rejected_rows", ("loader", "publisher", "auditor")),
    (
        "select entity, reason_code, count(*) from ops.rejected_rows group by 1, 2",
        ("loader", "bi_reader", "auditor"),
    ),
    ("select reason from ops.rejected_rows", ("loader", "auditor")),
    # Deliveries.
    ("select booked_on from raw.transactions", ("loader", "transformer", "publisher")),
    ("insert into raw.transactions values (date '2026-10-31')", ("loader",)),
    ("delete from raw.transactions", ("loader",)),
    ("alter table raw.transactions add column amount numeric", ("loader",)),
    ("create table raw.cards (card_id varchar)", ("loader",)),
    ("create table restricted.cards (card_id varchar)", ("loader",)),
    ("update ops.sources set policy_set = 'czk'", ("loader",)),
    ("delete from ops.batches", ("loader",)),
    # What dbt builds.
    ("select * from staging.stg_transactions", ("transformer",)),
    ("select * from core.fct_customer_activity_daily", ("transformer", "scorer")),
    ("delete from core.fct_customer_activity_daily", ("transformer",)),
    ("select * from policy.policy_bands", ("transformer", "scorer", "publisher")),
    ("drop table policy.policy_bands", ("transformer",)),
    ("create table {started}.dim_branches (branch_id varchar)", ("transformer", "scorer", "publisher")),
    # A closed run takes no more tables.
    ("create table {published}.dim_branches (branch_id varchar)", ("publisher",)),
    ("select * from {published}.dim_customers", ("transformer", "scorer", "publisher")),
    ("delete from {published}.dim_customers", ("publisher",)),
    ("drop table {published}.dim_customers cascade", ("publisher",)),
    ("alter table {published}.dim_customers rename to other", ("publisher",)),
    ("select ops.seal_run('{started}')::text", ("publisher",)),
    ("delete from {started}.raw_churn_scores", ("scorer",)),
    ("drop schema {started} cascade", ("publisher",)),
    ("create schema what_if", ("transformer", "publisher")),
    # What is published.
    ("select * from marts.dim_customers", ("publisher", "bi_reader", "crm_reader")),
    (
        "select * from history.dim_customers",
        ("transformer", "scorer", "publisher", "bi_reader"),
    ),
    # One row a customer with all that the model knows: of what is archived only this is no public mart.
    ("select * from history.fct_customer_features", ("transformer", "scorer", "publisher")),
    ("select * from archive.dim_customers", ("transformer", "scorer", "publisher")),
    ("delete from archive.dim_customers", ("publisher",)),
    ("drop view history.dim_customers", ("publisher",)),
    ("drop view marts.dim_customers", ("publisher",)),
    ("create view marts.mine as select 1 as one", ("publisher",)),
    ("create view crm.mine as select 1 as one", ("publisher",)),
    # Runs and their records.
    ("update ops.runs set status = 'published'", ("publisher",)),
    ("update ops.runs set note = 'no champion'", ("publisher", "scorer")),
    ("update ops.publications set withdrawn_at = null", ("publisher",)),
    ("update ops.publications set published_by = null", ()),
    ("update ops.publications set published_at = timestamp '2020-01-01 00:00:00'", ()),
    ("delete from ops.publications", ()),
    ("delete from ops.test_results", ("transformer", "publisher")),
    ("update ops.test_results set status = 'pass'", ()),
    ("delete from ops.training_runs", ("scorer",)),
    ("delete from ops.health_checks", ("publisher",)),
    ("select * from ops.publications", _except("loader", "crm_reader")),
    # Who did what.
    (AUDIT_ROW, ("publisher",)),
    (FORGED_TIME, ()),
    (FORGED_ROLE, ()),
    ("select actor from ops.audit_log", ("auditor",)),
    ("select action, subject from ops.audit_log", ("publisher", "auditor")),
    ("update ops.audit_log set actor = 'nobody'", ()),
    ("delete from ops.audit_log", ()),
    ("truncate ops.audit_log", ()),
    ("alter table ops.audit_log add column note varchar", ()),
    ("select * from ops.erasures", ("auditor",)),
    ("delete from ops.erasures", ()),
    # The server itself.
    ("create role keepwell_more", ()),
    ("alter role keepwell_bi_reader superuser", ()),
    ("grant keepwell_loader to current_user", ()),
    ("set role keepwell_owner_of_tests", ()),
    ("create table public.mine (one integer)", ()),
    ("create temporary table mine (one integer)", ("transformer",)),
    ("copy marts.dim_customers to program 'cat'", ()),
    ("select pg_read_file('pg_hba.conf')", ()),
    ("select rolpassword from pg_authid", ()),
)
TRIALS = [Trial(role, statement, role in may) for statement, may in TRIED for role in ALL]


def markdown() -> str:
    """A table: the statement, who may, who is refused."""
    lines = ["| tried | may | refused (42501) |", "|---|---|---|"]
    for statement, may in TRIED:
        refused = [role for role in ALL if role not in may]
        lines.append(f"| `{statement}` | {', '.join(may) or '-'} | {', '.join(refused) or '-'} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown())
