{# A score is the value's cumulative share cut into bins, from a count of values at or below it: equal values get equal
    scores, and no row order or id enters. Without activity there is nothing to rank: score 0. #}
with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

rfm_policy as (
    {{ policy_in_force(ref('policy_rfm'), 'run_dates') }}
),

measures as (
    select
        activity.customer_id,
        activity.relationship_status,
        activity.currency_code,
        rfm_policy.rule_version,
        rfm_policy.count_bins,
        activity.as_of_date,
        activity.days_since_last_activity as recency_days,
        activity.count_active_days_365d as frequency_days,
        activity.sum_amount_365d as monetary_amount,
        activity.count_active_days_365d > 0 as is_active
    from {{ ref('fct_customer_activity') }} as activity
    inner join rfm_policy on activity.as_of_date = rfm_policy.as_of_date
),

ranked as (
    select
        customer_id,
        as_of_date,
        count(*) over (partition by as_of_date) as count_active,
        count(*) over (partition by as_of_date order by recency_days desc) as count_at_or_below_r,
        count(*) over (partition by as_of_date order by frequency_days) as count_at_or_below_f,
        count(*) over (partition by as_of_date order by monetary_amount) as count_at_or_below_m
    from measures
    where is_active
),

scored as (
    select
        {%- for measure in ['r', 'f', 'm'] %}
            case
                when measures.is_active
                    then cast(
                        {{
                            divide_whole(
                                'measures.count_bins * ranked.count_at_or_below_' ~ measure
                                ~ ' + ranked.count_active - 1',
                                'ranked.count_active'
                            )
                        }} as integer
                    )
                else 0
            end as {{ measure }}_score,
        {%- endfor %}
        measures.*
    from measures
    left join ranked
        on
            measures.customer_id = ranked.customer_id
            and measures.as_of_date = ranked.as_of_date
),

segmented as (
    select
        scored.*,
        segments.segment,
        segments.segment_en,
        segments.segment_zh
    from scored
    inner join {{ ref('policy_rfm_segments') }} as segments
        on {{ in_segment('scored', 'segments') }}
),

final as (
    select
        customer_id,
        relationship_status,
        cast(r_score as {{ dbt.type_string() }})
        || cast(f_score as {{ dbt.type_string() }})
        || cast(m_score as {{ dbt.type_string() }}) as rfm_score,
        segment,
        segment_en,
        segment_zh,
        currency_code,
        rule_version,
        case when is_active then recency_days end as recency_days,
        frequency_days,
        r_score,
        f_score,
        m_score,
        monetary_amount,
        as_of_date
    from segmented
)

select * from final
