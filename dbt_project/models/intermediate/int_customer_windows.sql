{#
    Trailing sums, and the last acts before the points at which silence is judged. One pass over the window: the facts
    are rows of a customer's day already.
#}
with

observations as (
    select * from {{ ref('int_observations') }}
),

days as (
    select
        facts.customer_id,
        facts.count_customer_transactions,
        facts.count_digital_transactions,
        facts.sum_customer_amount,
        facts.sum_inflow,
        facts.sum_outflow,
        case when facts.is_first_of_active_day then 1 else 0 end as count_active_days,
        {{ days_between('facts.activity_date', 'observations.observed_on') }} as days_ago,
        observations.lag_days,
        observations.silence_days,
        case when facts.count_customer_transactions > 0 then facts.activity_date end as acted_on,
        observations.observed_on,
        observations.known_by_on
    from observations
    inner join {{ ref('fct_customer_activity_daily') }} as facts
        on
            observations.observed_on >= facts.activity_date
            and observations.looked_back_to < facts.activity_date
            and observations.known_by_on >= facts.known_date
),

final as (
    select
        customer_id,
        {%- for length in [30, 90, 365] %}
            cast({{ sum_between('count_customer_transactions', 0, length) }} as integer)
                as count_transactions_{{ length }}d,
            cast({{ sum_between('count_active_days', 0, length) }} as integer)
                as count_active_days_{{ length }}d,
            cast({{ sum_between('sum_customer_amount', 0, length) }} as {{ money() }})
                as sum_amount_{{ length }}d,
        {%- endfor %}
        cast({{ sum_between('count_digital_transactions', 0, 90) }} as integer)
            as count_digital_transactions_90d,
        cast({{ sum_between('sum_inflow', 0, 90) }} as {{ money() }}) as sum_inflow_90d,
        cast({{ sum_between('sum_outflow', 0, 90) }} as {{ money() }}) as sum_outflow_90d,
        cast({{ sum_between('sum_customer_amount', 'lag_days', 'lag_days + 365') }} as {{ money() }})
            as sum_amount_365d_at_start,
        max(case when days_ago < 365 then acted_on end) as last_activity_on,
        max(case when days_ago >= lag_days then acted_on end) as last_act_by_start_on,
        max(case when days_ago >= silence_days then acted_on end) as last_act_before_silence_on,
        min(case when days_ago < silence_days then acted_on end) as first_act_after_silence_on,
        observed_on,
        known_by_on
    from days
    group by customer_id, observed_on, known_by_on
)

select * from final
