{# What each customer was on the days that periods begin at, as the snapshot of the day showed it. Unknown is a member of its
    own, so that every trait tells of everybody. #}
{%- set periods = ['month', 'quarter', 'year', 'churn'] -%}
{%- set schemes = ['value_tier', 'asset_tier', 'pyramid_tier', 'rfm_segment', 'lifecycle_stage'] -%}
with

from_dates as (
    select distinct from_date
    from {{ ref('int_tier_base_dates') }}
),

tiers as (
    {{
        rows_then_and_now(
            'fct_customer_tiers', ['as_of_date', 'customer_id', 'customer_kind', 'is_open'] + schemes, periods
        )
    }}
),

customers as (
    {{
        rows_then_and_now(
            'dim_customers',
            [
                'as_of_date', 'customer_id', 'age_band', 'sex', 'education', 'tenure_days', 'count_product_families',
            ],
            periods
        )
    }}
),

behaviour as (
    {{ rows_then_and_now('fct_customer_behaviour', ['as_of_date', 'customer_id', 'preferred_channel'], periods) }}
),

activity as (
    {{ rows_then_and_now('fct_customer_activity', ['as_of_date', 'customer_id', 'mean_balance_90d'], periods) }}
),

final as (
    select
        tiers.customer_id,
        tiers.customer_kind,
        {%- for scheme in schemes %}
            tiers.{{ scheme }},
        {%- endfor %}
        case
            when customers.tenure_days < 365 then 'under_1_year'
            when customers.tenure_days < 3 * 365 then '1_to_3_years'
            when customers.tenure_days < 5 * 365 then '3_to_5_years'
            else '5_years_or_more'
        end as tenure_band,
        case
            when customers.count_product_families >= 4 then '4_or_more'
            else cast(customers.count_product_families as {{ dbt.type_string() }})
        end as product_families,
        coalesce(behaviour.preferred_channel, 'unknown') as preferred_channel,
        customers.age_band,
        coalesce(customers.sex, 'unknown') as sex,
        coalesce(customers.education, 'unknown') as education,
        {# An overdraft is no money that can leave. #}
        cast({{ not_below_zero('activity.mean_balance_90d') }} as {{ money() }}) as start_balance_amount,
        tiers.is_open,
        tiers.as_of_date as from_date
    from tiers
    inner join from_dates on tiers.as_of_date = from_dates.from_date
    inner join customers
        on
            tiers.customer_id = customers.customer_id
            and tiers.as_of_date = customers.as_of_date
    left join behaviour
        on
            tiers.customer_id = behaviour.customer_id
            and tiers.as_of_date = behaviour.as_of_date
    left join activity
        on
            tiers.customer_id = activity.customer_id
            and tiers.as_of_date = activity.as_of_date
)

select * from final
