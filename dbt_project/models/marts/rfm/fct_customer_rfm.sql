with recursive

measured as (
    select
        *,
        segment as raw_tier,
        segment as hold_tier,
        case
            when is_active
                then
                    'last act ' || cast(recency_days as {{ dbt.type_string() }}) || ' days ago (R'
                    || cast(r_score as {{ dbt.type_string() }}) || '), '
                    || cast(frequency_days as {{ dbt.type_string() }}) || ' active days (F'
                    || cast(f_score as {{ dbt.type_string() }}) || '), amount '
                    || {{ format_amount('monetary_amount') }} || ' (M'
                    || cast(m_score as {{ dbt.type_string() }}) || ')'
            else 'no act in 365 days'
        end as raw_reason
    from {{ ref('int_rfm_scores') }}
),

{{ stable_tiers('rfm_segment') }},

final as (
    select
        customer_id,
        customer_kind,
        relationship_status,
        cast(r_score as {{ dbt.type_string() }})
        || cast(f_score as {{ dbt.type_string() }})
        || cast(m_score as {{ dbt.type_string() }}) as rfm_score,
        tier as segment,
        tier_en as segment_en,
        tier_zh as segment_zh,
        raw_tier,
        candidate_tier,
        earned_tier,
        action_en,
        action_zh,
        currency_code,
        rule_version || ', ' || scores_version as rule_version,
        reason,
        override_author,
        recency_days,
        frequency_days,
        r_score,
        f_score,
        m_score,
        monetary_amount,
        count_pending_snapshots,
        is_overridden,
        as_of_date,
        held_since_on,
        earned_since_on,
        pending_since_on
    from stated
)

select * from final
