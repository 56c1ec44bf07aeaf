with

days as (
    select * from {{ ref('int_customer_activity_days') }}
),

observations as (
    select * from {{ ref('int_observations') }}
),

final as (
    select
        days.customer_id,
        {%- for length in [30, 90, 365] %}
            cast({{ sum_between('days.count_customer_transactions', 0, length) }} as integer)
                as count_transactions_{{ length }}d,
            cast(
                {{ sum_between('case when days.count_customer_transactions > 0 then 1 else 0 end', 0, length) }}
                as integer
            ) as count_active_days_{{ length }}d,
            cast({{ sum_between('days.customer_amount', 0, length) }} as {{ money() }}) as sum_amount_{{ length }}d,
        {%- endfor %}
        cast({{ sum_between('days.count_digital_transactions', 0, 90) }} as integer)
            as count_digital_transactions_90d,
        cast({{ sum_between('days.inflow_amount', 0, 90) }} as {{ money() }}) as sum_inflow_90d,
        cast({{ sum_between('days.outflow_amount', 0, 90) }} as {{ money() }}) as sum_outflow_90d,
        cast(
            {{ sum_between('days.customer_amount', 'observations.lag_days', 'observations.lag_days + 365') }}
            as {{ money() }}
        ) as sum_amount_365d_at_start,
        max(case when days.count_customer_transactions > 0 and days.days_ago < 365 then days.activity_date end)
            as last_activity_on,
        days.observed_on,
        days.known_by_on
    from days
    inner join observations
        on
            days.observed_on = observations.observed_on
            and days.known_by_on = observations.known_by_on
    group by days.customer_id, days.observed_on, days.known_by_on
)

select * from final
