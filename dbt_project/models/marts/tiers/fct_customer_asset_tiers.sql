with recursive

bands as (
    select *
    from {{ ref('int_tier_policy') }}
    where scheme = 'asset_tier'
),

assets as (
    select
        customers.customer_id,
        customers.customer_kind,
        customers.relationship_status,
        customers.currency_code,
        customers.as_of_date,
        coalesce(balances.closing_assets_amount, 0) as metric_amount,
        balances.customer_id is not null and balances.closing_assets_amount is null as is_unknown
    from {{ ref('int_customers_at') }} as customers
    left join {{ ref('int_customer_balances') }} as balances
        on
            customers.customer_id = balances.customer_id
            and customers.observed_on = balances.observed_on
            and customers.known_by_on = balances.known_by_on
),

{# Assets that nobody told of give no better tier than none. #}
measured as (
    select
        assets.*,
        entered.tier as raw_tier,
        kept.tier as hold_tier,
        case
            when assets.is_unknown then 'investable assets unknown'
            else {{ band_reason('investable assets', 'assets.metric_amount', 'entered') }}
        end as raw_reason
    from assets
    {{ join_bands('assets', 'assets.metric_amount') }}
),

{{ stable_tiers('asset_tier') }},

final as (
    select
        customer_id,
        customer_kind,
        relationship_status,
        tier as asset_tier,
        tier_en as asset_tier_en,
        tier_zh as asset_tier_zh,
        raw_tier,
        candidate_tier,
        earned_tier,
        action_en,
        action_zh,
        currency_code,
        rule_version,
        reason,
        override_author,
        cast(case when not is_unknown then metric_amount end as {{ money() }}) as metric_amount,
        count_pending_snapshots,
        is_overridden,
        as_of_date,
        held_since_on,
        earned_since_on,
        pending_since_on
    from stated
)

select * from final
