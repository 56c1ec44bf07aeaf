with recursive

bands as (
    select *
    from {{ ref('int_tier_policy') }}
    where scheme = 'value_tier'
),

activity as (
    select
        customers.customer_id,
        customers.customer_kind,
        customers.relationship_status,
        customers.currency_code,
        customers.as_of_date,
        coalesce(activity.sum_amount_365d, 0) as metric_amount
    from {{ ref('int_customers_at') }} as customers
    inner join {{ ref('fct_customer_activity') }} as activity
        on
            customers.customer_id = activity.customer_id
            and customers.as_of_date = activity.as_of_date
),

{# The lowest tier has no bound, so a negative net amount has its place too. #}
measured as (
    select
        activity.*,
        entered.tier as raw_tier,
        kept.tier as hold_tier,
        {{ band_reason('annual transactions', 'activity.metric_amount', 'entered') }} as raw_reason
    from activity
    {{ join_bands('activity', 'activity.metric_amount') }}
),

{{ stable_tiers('value_tier') }},

final as (
    select
        customer_id,
        customer_kind,
        relationship_status,
        tier as value_tier,
        tier_en as value_tier_en,
        tier_zh as value_tier_zh,
        raw_tier,
        candidate_tier,
        earned_tier,
        action_en,
        action_zh,
        currency_code,
        rule_version,
        reason,
        override_author,
        cast(metric_amount as {{ money() }}) as metric_amount,
        count_pending_snapshots,
        is_overridden,
        as_of_date,
        held_since_on,
        earned_since_on,
        pending_since_on
    from stated
)

select * from final
