{# `potential` is no band of the score: those of the lowest band get it by the rule of the policy, but for those who could
    still keep a better one. #}
with recursive

bands as (
    select *
    from {{ ref('int_tier_policy') }}
    where scheme = 'pyramid_tier' and tier != 'potential'
),

tiered as (
    select
        scores.*,
        {{ pyramid_tier('entered', 'kept.exit_bound is null and scores.is_potential') }} as raw_tier,
        kept.tier as kept_tier,
        kept.exit_bound is null as is_lowest_band_kept,
        {{ score_reason('composite rank', 'pyramid_tier', 'scores', 'entered') }} as score_reason
    from {{ ref('int_pyramid_scores') }} as scores
    {{ join_bands('scores', 'scores.metric_score') }}
),

measured as (
    select
        *,
        case when is_lowest_band_kept then raw_tier else kept_tier end as hold_tier,
        score_reason
        || case
            when raw_tier != 'potential' then ''
            when relationship_status = 'no_account' then '; no account yet'
            else
                '; active days ' || cast(count_active_days_90d as {{ dbt.type_string() }}) || ' <= '
                || cast(max_active_days_90d as {{ dbt.type_string() }})
                || ', product families ' || cast(count_product_families as {{ dbt.type_string() }}) || ' <= '
                || cast(max_product_families as {{ dbt.type_string() }})
                || ', annual income ' || {{ format_amount('annual_income_amount') }} || ' >= '
                || {{ format_amount('min_annual_income_amount') }}
        end as raw_reason
    from tiered
),

{{ stable_tiers('pyramid_tier') }},

final as (
    select
        customer_id,
        customer_kind,
        relationship_status,
        tier as pyramid_tier,
        tier_en as pyramid_tier_en,
        tier_zh as pyramid_tier_zh,
        raw_tier,
        candidate_tier,
        earned_tier,
        action_en,
        action_zh,
        currency_code,
        rule_version || ', ' || rules_version as rule_version,
        reason,
        override_author,
        metric_score,
        assets_score,
        transactions_score,
        products_score,
        loyalty_score,
        count_active_days_90d,
        count_product_families,
        annual_income_amount,
        count_pending_snapshots,
        is_potential,
        is_overridden,
        as_of_date,
        held_since_on,
        earned_since_on,
        pending_since_on
    from stated
)

select * from final
