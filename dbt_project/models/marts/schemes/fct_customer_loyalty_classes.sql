with recursive

bands as (
    select *
    from {{ ref('int_tier_policy') }}
    where scheme = 'loyalty_class'
),

measured as (
    select
        scores.*,
        entered.tier as raw_tier,
        kept.tier as hold_tier,
        {{ score_reason('loyalty score', 'loyalty_class', 'scores', 'entered') }} as raw_reason
    from {{ ref('int_loyalty_scores') }} as scores
    {{ join_bands('scores', 'scores.metric_score') }}
),

{{ stable_tiers('loyalty_class') }},

final as (
    select
        customer_id,
        customer_kind,
        relationship_status,
        tier as loyalty_class,
        tier_en as loyalty_class_en,
        tier_zh as loyalty_class_zh,
        raw_tier,
        candidate_tier,
        earned_tier,
        action_en,
        action_zh,
        rule_version || ', ' || weights_version as rule_version,
        reason,
        override_author,
        metric_score,
        tenure_score,
        products_score,
        activity_score,
        referrals_score,
        points_score,
        count_referrals_365d,
        sum_points_365d,
        count_pending_snapshots,
        is_overridden,
        as_of_date,
        held_since_on,
        earned_since_on,
        pending_since_on
    from stated
)

select * from final
