{{ config(materialized='view') }}

{# In the mode `quantile` a score is the value's cumulative share cut into bins, from a count of values at or below it:
    equal values get equal scores, and no row order or id enters. In the modes `frozen` and `fixed` the value is held
    against the cuts of the policy. Without activity there is nothing to score: 0. #}
with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

rfm_policy as (
    {{ policy_in_force(ref('policy_rfm'), 'run_dates', ['policy.customer_kind']) }}
),

rfm_cuts as (
    {{ policy_in_force(ref('policy_rfm_cuts'), 'run_dates', ['policy.customer_kind']) }}
),

segment_map as (
    {{ policy_in_force(ref('policy_rfm_segments'), 'run_dates', ['policy.customer_kind']) }}
),

{# The cuts of a kind side by side, so that no customer is joined to each of them. #}
cuts as (
    select
        customer_kind,
        {%- for score in rfm_cut_scores() %}
            max(at_most) filter (where measure = 'r' and score = {{ score }}) as r_cut_{{ score }},
            max(at_least) filter (where measure = 'f' and score = {{ score }}) as f_cut_{{ score }},
            max(at_least) filter (where measure = 'm' and score = {{ score }}) as m_cut_{{ score }},
        {%- endfor %}
        max(rule_version) as cuts_version,
        as_of_date
    from rfm_cuts
    group by customer_kind, as_of_date
),

measures as (
    select
        customers.customer_id,
        customers.customer_kind,
        customers.relationship_status,
        customers.currency_code,
        rfm_policy.rfm_mode,
        rfm_policy.rule_version as mode_version,
        rfm_policy.count_bins,
        customers.as_of_date,
        activity.days_since_last_activity as recency_days,
        activity.count_active_days_365d as frequency_days,
        activity.sum_amount_365d as monetary_amount,
        activity.count_active_days_365d > 0 as is_active
    from {{ ref('int_customers_at') }} as customers
    inner join {{ ref('fct_customer_activity') }} as activity
        on
            customers.customer_id = activity.customer_id
            and customers.as_of_date = activity.as_of_date
    inner join rfm_policy
        on
            customers.as_of_date = rfm_policy.as_of_date
            and customers.customer_kind = rfm_policy.customer_kind
),

ranked as (
    select
        customer_id,
        as_of_date,
        count(*) over (partition by as_of_date, customer_kind) as count_active,
        count(*) over (partition by as_of_date, customer_kind order by recency_days desc) as count_at_or_below_r,
        count(*) over (partition by as_of_date, customer_kind order by frequency_days) as count_at_or_below_f,
        count(*) over (partition by as_of_date, customer_kind order by monetary_amount) as count_at_or_below_m
    from measures
    where is_active and rfm_mode = 'quantile'
),

scored as (
    select
        measures.*,
        {%- for measure in ['r', 'f', 'm'] %}
            case
                when not measures.is_active then 0
                when measures.rfm_mode = 'quantile'
                    then cast(
                        {{
                            divide_whole(
                                'measures.count_bins * ranked.count_at_or_below_' ~ measure
                                ~ ' + ranked.count_active - 1',
                                'ranked.count_active'
                            )
                        }} as integer
                    )
                else {{ rfm_cut_score(measure, 'measures', 'cuts') }}
            end as {{ measure }}_score,
        {%- endfor %}
        measures.mode_version
        || case when measures.rfm_mode = 'quantile' then '' else coalesce(', ' || cuts.cuts_version, '') end
            as scores_version
    from measures
    left join ranked
        on
            measures.customer_id = ranked.customer_id
            and measures.as_of_date = ranked.as_of_date
    left join cuts
        on
            measures.customer_kind = cuts.customer_kind
            and measures.as_of_date = cuts.as_of_date
),

final as (
    select
        scored.customer_id,
        scored.customer_kind,
        scored.relationship_status,
        segment_map.segment,
        scored.currency_code,
        scored.scores_version || ', ' || segment_map.rule_version as scores_version,
        case when scored.is_active then scored.recency_days end as recency_days,
        scored.frequency_days,
        scored.r_score,
        scored.f_score,
        scored.m_score,
        scored.monetary_amount,
        scored.is_active,
        scored.as_of_date
    from scored
    inner join segment_map
        on
            scored.as_of_date = segment_map.as_of_date
            and scored.customer_kind = segment_map.customer_kind
            and {{ in_segment('scored', 'segment_map') }}
)

select * from final
