{#
    Trailing sums, and the last acts before the points at which silence is judged. One pass over the window: the facts
    are rows of a customer's day already.
#}
with

observations as (
    select * from {{ ref('int_observations') }}
),

observed_days as (
    {{ days_of('observations', 'looked_back_to', 'observed_on') }}
),

days as (
    select
        facts.customer_id,
        facts.count_customer_transactions,
        facts.count_digital_transactions,
        facts.sum_customer_amount,
        facts.sum_customer_outflow,
        facts.sum_inflow,
        facts.sum_outflow,
        facts.is_first_of_active_day,
        observed_days.days_ago,
        observed_days.lag_days,
        observed_days.silence_days,
        case when facts.count_customer_transactions > 0 then facts.activity_date end as acted_on,
        observed_days.observed_on,
        observed_days.known_by_on
    from observed_days
    inner join {{ ref('fct_customer_activity_daily') }} as facts
        on
            observed_days.day = facts.activity_date
            and observed_days.known_by_on >= facts.known_date
    {# The join says as much; this lets PostgreSQL read the range only. #}
    where facts.activity_date > (select min(observations.looked_back_to) from observations)
),

final as (
    select
        customer_id,
        {%- for length in [30, 90, 365] %}
            cast({{ sum_between('count_customer_transactions', 0, length) }} as integer)
                as count_transactions_{{ length }}d,
            cast(count(*) filter (where is_first_of_active_day and days_ago < {{ length }}) as integer)
                as count_active_days_{{ length }}d,
            cast({{ sum_between('sum_customer_amount', 0, length) }} as {{ money() }})
                as sum_amount_{{ length }}d,
        {%- endfor %}
        cast({{ sum_between('count_digital_transactions', 0, 90) }} as integer)
            as count_digital_transactions_90d,
        cast({{ sum_between('sum_inflow', 0, 90) }} as {{ money() }}) as sum_inflow_90d,
        cast({{ sum_between('sum_outflow', 0, 90) }} as {{ money() }}) as sum_outflow_90d,
        cast({{ sum_between('sum_customer_outflow', 0, 365) }} as {{ money() }}) as sum_customer_outflow_365d,
        {# The 90 days before the last 90, to see a trend by. #}
        cast(
            count(*) filter (where is_first_of_active_day and days_ago >= 90 and days_ago < 180) as integer
        ) as count_active_days_prior_90d,
        cast({{ sum_between('sum_customer_amount', 90, 180) }} as {{ money() }}) as sum_amount_prior_90d,
        cast({{ sum_between('sum_customer_amount', 'lag_days', 'lag_days + 365') }} as {{ money() }})
            as sum_amount_365d_at_start,
        max(acted_on) filter (where days_ago < 365) as last_activity_on,
        max(acted_on) filter (where days_ago >= lag_days) as last_act_by_start_on,
        max(acted_on) filter (where days_ago >= silence_days) as last_act_before_silence_on,
        min(acted_on) filter (where days_ago < silence_days) as first_act_after_silence_on,
        observed_on,
        known_by_on
    from days
    group by customer_id, observed_on, known_by_on
)

select * from final
