with recursive

measured as (
    select * from {{ ref('int_savings_measures') }}
),

{{ stable_tiers('savings_grade') }},

final as (
    select
        customer_id,
        customer_kind,
        relationship_status,
        tier as savings_grade,
        tier_en as savings_grade_en,
        tier_zh as savings_grade_zh,
        raw_tier,
        candidate_tier,
        earned_tier,
        action_en,
        action_zh,
        loan_record,
        currency_code,
        rule_version || ', ' || rules_version as rule_version,
        reason,
        override_author,
        tier_order as grade_no,
        precedence as rule_no,
        deposit_amount,
        mean_term_months,
        spending_amount,
        max_days_past_due,
        count_pending_snapshots,
        is_overridden,
        as_of_date,
        held_since_on,
        earned_since_on,
        pending_since_on
    from stated
)

select * from final
