{# Every tier of every scheme as it holds on each date, beside the scheme's rules of stability. Each band ends where the
    next better tier begins, so bands leave no gap and do not overlap. #}
with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

tiers as (
    {{ policy_in_force(ref('policy_tiers'), 'run_dates', ['policy.scheme', 'policy.customer_kind']) }}
),

stability as (
    {{ policy_in_force(ref('policy_tier_stability'), 'run_dates', ['policy.scheme', 'policy.customer_kind']) }}
),

final as (
    select
        tiers.scheme,
        tiers.customer_kind,
        tiers.tier,
        tiers.tier_en,
        tiers.tier_zh,
        tiers.unit,
        tiers.action_en,
        tiers.action_zh,
        tiers.rule_version,
        stability.rule_version as stability_version,
        tiers.tier_order,
        tiers.entry_bound,
        {# A window function loses the scale on PostgreSQL. #}
        cast(min(tiers.entry_bound) over better_tiers as {{ money() }}) as entry_below,
        tiers.exit_bound,
        cast(min(tiers.exit_bound) over better_tiers as {{ money() }}) as exit_below,
        stability.promote_after_snapshots,
        stability.demote_after_snapshots,
        stability.grace_days,
        stability.dwell_days,
        tiers.as_of_date
    from tiers
    inner join stability
        on
            tiers.as_of_date = stability.as_of_date
            and tiers.scheme = stability.scheme
            and tiers.customer_kind = stability.customer_kind
    window better_tiers as (
        partition by tiers.as_of_date, tiers.scheme, tiers.customer_kind
        order by tiers.tier_order
        rows between unbounded preceding and 1 preceding
    )
)

select * from final
