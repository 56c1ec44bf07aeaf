"""Views over the restricted schema: who is to be kept, with contact data, and who there is, masked.

Both show the newest version of a customer. `crm.customers_to_keep` follows the publication that marts.* show;
it is for those who call, `masked.customers` for those who audit.
"""

from __future__ import annotations

from warehouse.door import Warehouse

TO_KEEP = "crm.customers_to_keep"
MASKED = "masked.customers"
# The bands of policy_risk_bands in which somebody may call: those of fct_action_fairness.
CALLED_BANDS = ("high", "medium")
# What the first view reads of a run.
_READ = {
    "dim_customers": ("customer_id", "as_of_date", "branch_id"),
    "fct_customer_tiers": ("customer_id", "as_of_date", "value_tier"),
    "fct_churn_scores": (
        *("customer_id", "as_of_date", "risk_band", "reason_1", "reason_1_en", "reason_1_zh"),
        *("currency_code", "churn_probability", "expected_loss_amount"),
    ),
    "fct_churn_reason_codes": (
        *("customer_id", "as_of_date", "reason_rank", "action_code", "action_en", "action_zh"),
    ),
}
_NEWEST = "order by valid_from desc, known_at desc, batch_no desc"


def restricted_views(wh: Warehouse, run_id: str) -> dict[str, str | None]:
    """Both views by name, on this run; none where the warehouse holds no personal data.

    None in place of the first for a run of an older version, which lacks a mart or a column that it reads.
    """
    if not wh.exists("restricted.customers"):
        return {}
    is_whole = all(
        set(columns) <= set(wh.column_types(f"{run_id}.{mart}")) for mart, columns in _READ.items()
    )
    return {TO_KEEP: _customers_to_keep(run_id) if is_whole else None, MASKED: _masked_customers()}


def _customers_to_keep(run_id: str) -> str:
    bands = ", ".join(f"'{band}'" for band in CALLED_BANDS)
    return f"""
        with contacts as (
            select
                customer_id, full_name, phone, email,
                row_number() over (partition by customer_id {_NEWEST}) as recency_rank
            from restricted.customers
        ),
        permissions as (
            select
                customer_id, is_marketing_allowed,
                row_number() over (partition by customer_id {_NEWEST}) as recency_rank
            from raw.customers
        ),
        actions as (
            select
                customer_id, as_of_date, action_code, action_en, action_zh,
                row_number() over (partition by customer_id, as_of_date order by reason_rank) as action_rank
            from {run_id}.fct_churn_reason_codes
            where action_code is not null
        )
        select
            scores.customer_id,
            contacts.full_name,
            contacts.phone,
            contacts.email,
            customers.branch_id,
            tiers.value_tier,
            scores.risk_band,
            scores.reason_1,
            scores.reason_1_en,
            scores.reason_1_zh,
            actions.action_code,
            actions.action_en,
            actions.action_zh,
            scores.currency_code,
            scores.churn_probability,
            scores.expected_loss_amount,
            coalesce(permissions.is_marketing_allowed, false) as is_marketing_allowed,
            scores.as_of_date
        from {run_id}.fct_churn_scores as scores
        inner join {run_id}.dim_customers as customers
            on scores.customer_id = customers.customer_id and scores.as_of_date = customers.as_of_date
        inner join {run_id}.fct_customer_tiers as tiers
            on scores.customer_id = tiers.customer_id and scores.as_of_date = tiers.as_of_date
        left join contacts
            on scores.customer_id = contacts.customer_id and contacts.recency_rank = 1
        left join permissions
            on scores.customer_id = permissions.customer_id and permissions.recency_rank = 1
        left join actions
            on
                scores.customer_id = actions.customer_id
                and scores.as_of_date = actions.as_of_date
                and actions.action_rank = 1
        where scores.risk_band in ({bands})
    """


def _masked_customers() -> str:
    return f"""
        select
            customer_id,
            {_shown("full_name", "left", 1)} as masked_name,
            {_shown("phone", "right", 4)} as masked_phone,
            {_shown("national_id", "right", 2)} as masked_national_id,
            cast(extract(year from birth_date) as integer) as birth_year
        from (
            select
                customer_id, full_name, phone, national_id, birth_date,
                row_number() over (partition by customer_id {_NEWEST}) as recency_rank
            from restricted.customers
        ) as versions
        where recency_rank = 1
    """


def _shown(column: str, side: str, characters: int) -> str:
    """SQL of a value of which that many characters are seen; nothing of one that is no longer than that."""
    seen = f"{side}({column}, {characters})"
    masked = f"{seen} || '***'" if side == "left" else f"'***' || {seen}"
    return f"case when length({column}) > {characters} then {masked} when {column} is not null then '***' end"
