with recursive

measured as (
    select * from {{ ref('int_lifecycle_measures') }}
),

{{ stable_tiers('lifecycle_stage') }},

final as (
    select
        customer_id,
        customer_kind,
        relationship_status,
        tier as lifecycle_stage,
        tier_en as lifecycle_stage_en,
        tier_zh as lifecycle_stage_zh,
        raw_tier,
        candidate_tier,
        earned_tier,
        action_en,
        action_zh,
        rule_version || ', ' || rules_version as rule_version,
        reason,
        override_author,
        tenure_days,
        balance_ratio,
        activity_ratio,
        count_pending_snapshots,
        is_overridden,
        as_of_date,
        held_since_on,
        earned_since_on,
        pending_since_on
    from stated
)

select * from final
