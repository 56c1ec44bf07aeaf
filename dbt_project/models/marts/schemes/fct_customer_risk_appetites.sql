with recursive

measured as (
    select * from {{ ref('int_risk_measures') }}
),

{{ stable_tiers('risk_appetite') }},

final as (
    select
        customer_id,
        customer_kind,
        relationship_status,
        tier as risk_appetite,
        tier_en as risk_appetite_en,
        tier_zh as risk_appetite_zh,
        raw_tier,
        candidate_tier,
        earned_tier,
        action_en,
        action_zh,
        questionnaire_appetite,
        capped_at,
        rule_version || ', ' || rules_version as rule_version,
        reason,
        override_author,
        experience_years,
        count_pending_snapshots,
        is_overridden,
        as_of_date,
        held_since_on,
        earned_since_on,
        pending_since_on,
        answered_on,
        expires_on
    from stated
)

select * from final
