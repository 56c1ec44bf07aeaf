{# The days of each customer's accounts that any window looks at: a year before the start of the churn period. #}
with

observations as (
    select * from {{ ref('int_observations') }}
),

final as (
    select
        accounts.customer_id,
        cast(sum(facts.count_customer_transactions) as integer) as count_customer_transactions,
        cast(sum(facts.count_digital_transactions) as integer) as count_digital_transactions,
        cast({{ days_between('facts.activity_date', 'observations.observed_on') }} as integer) as days_ago,
        cast(sum(facts.sum_customer_amount) as {{ money() }}) as customer_amount,
        cast(sum(facts.sum_inflow) as {{ money() }}) as inflow_amount,
        cast(sum(facts.sum_outflow) as {{ money() }}) as outflow_amount,
        facts.activity_date,
        observations.observed_on,
        observations.known_by_on
    from observations
    inner join {{ ref('fct_account_activity_daily') }} as facts
        on
            observations.observed_on >= facts.activity_date
            and {{ add_days('observations.observed_on', '-observations.lag_days - 365') }} < facts.activity_date
            and observations.known_by_on >= facts.known_date
    inner join {{ ref('int_account_states') }} as accounts
        on
            facts.account_id = accounts.account_id
            and observations.observed_on = accounts.observed_on
            and observations.known_by_on = accounts.known_by_on
    group by
        accounts.customer_id,
        facts.activity_date,
        observations.observed_on,
        observations.known_by_on
)

select * from final
