with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

tier_policy as (
    {{ policy_in_force(ref('policy_value_tiers'), 'run_dates') }}
),

activity as (
    select
        customer_id,
        relationship_status,
        currency_code,
        as_of_date,
        coalesce(sum_amount_365d, 0) as annual_amount
    from {{ ref('fct_customer_activity') }}
),

{# The lowest tier has no lower bound, so a negative net amount has its place too. #}
tiered as (
    select
        activity.*,
        tier_policy.value_tier,
        tier_policy.value_tier_en,
        tier_policy.value_tier_zh,
        tier_policy.rule_version,
        tier_policy.lower_bound,
        tier_policy.upper_bound
    from activity
    inner join tier_policy
        on
            activity.as_of_date = tier_policy.as_of_date
            and {{ in_band('activity.annual_amount', 'tier_policy') }}
),

final as (
    select
        customer_id,
        relationship_status,
        value_tier,
        value_tier_en,
        value_tier_zh,
        currency_code,
        rule_version,
        case
            when lower_bound is not null
                then
                    'annual transactions ' || {{ format_amount('annual_amount') }}
                    || ' >= ' || {{ format_amount('lower_bound') }}
            else
                'annual transactions ' || {{ format_amount('annual_amount') }}
                || ' < ' || {{ format_amount('upper_bound') }}
        end as reason,
        cast(annual_amount as {{ money() }}) as metric_amount,
        as_of_date
    from tiered
)

select * from final
