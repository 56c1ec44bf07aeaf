{# How far the value tier and the RFM scores moved since the snapshots a month and a quarter before. Without such a
    snapshot, or when the customer was in none, that is unknown. #}
{%- set periods = {'month': '1m', 'quarter': '3m'} -%}

with

base_dates as (
    select *
    from {{ ref('int_tier_base_dates') }}
    where period in ('{{ periods | join("', '") }}')
),

tiers as (
    {{
        rows_then_and_now(
            'fct_customer_value_tiers', ['as_of_date', 'customer_id', 'customer_kind', 'value_tier'], periods | list
        )
    }}
),

rfm as (
    {{
        rows_then_and_now(
            'fct_customer_rfm', ['as_of_date', 'customer_id', 'r_score', 'f_score', 'm_score'], periods | list
        )
    }}
),

{# Steps by the policy of the later day; 1 is the best tier. #}
steps as (
    select
        as_of_date,
        customer_kind,
        tier,
        tier_order
    from {{ ref('int_tier_policy') }}
    where scheme = 'value_tier'
),

scored as (
    select
        tiers.*,
        rfm.r_score + rfm.f_score + rfm.m_score as rfm_points
    from tiers
    inner join rfm
        on
            tiers.customer_id = rfm.customer_id
            and tiers.as_of_date = rfm.as_of_date
),

moves as (
    select
        base_dates.period,
        after.customer_id,
        steps_before.tier_order - steps_after.tier_order as change_in_value_tier,
        after.rfm_points - before.rfm_points as change_in_rfm_points,
        base_dates.as_of_date
    from base_dates
    inner join scored as after on base_dates.as_of_date = after.as_of_date
    inner join scored as before
        on
            base_dates.from_date = before.as_of_date
            and after.customer_id = before.customer_id
    left join steps as steps_after
        on
            after.as_of_date = steps_after.as_of_date
            and after.customer_kind = steps_after.customer_kind
            and after.value_tier = steps_after.tier
    left join steps as steps_before
        on
            after.as_of_date = steps_before.as_of_date
            and after.customer_kind = steps_before.customer_kind
            and before.value_tier = steps_before.tier
),

final as (
    select
        customer_id,
        {%- for period, suffix in periods.items() %}
            max(case when period = '{{ period }}' then change_in_value_tier end) as change_in_value_tier_{{ suffix }},
            max(case when period = '{{ period }}' then change_in_rfm_points end) as change_in_rfm_points_{{ suffix }},
        {%- endfor %}
        as_of_date
    from moves
    group by customer_id, as_of_date
)

select * from final
