with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

observations as (
    select *
    from {{ ref('int_observations') }}
    where observation_kind = 'snapshot'
),

churners as (
    select
        'churn' as period,
        periods.customer_id,
        periods.churn_form,
        periods.reason_code,
        periods.destination,
        periods.mean_balance_base_amount as start_balance_amount,
        periods.is_voluntary,
        periods.as_of_date,
        observations.started_on as from_date
    from {{ ref('int_churn_periods') }} as periods
    inner join observations on periods.as_of_date = observations.as_of_date
    where periods.is_churned

    union all

    select
        base_dates.period,
        cases.customer_id,
        cases.churn_form,
        cases.reason_code,
        cases.destination,
        traits.start_balance_amount,
        cases.is_voluntary,
        base_dates.as_of_date,
        base_dates.from_date
    from {{ ref('int_churn_cases') }} as cases
    inner join {{ ref('int_tier_base_dates') }} as base_dates
        on
            cases.as_of_date = base_dates.as_of_date
            and cases.period = base_dates.period
            and cases.period != 'churn'
    inner join {{ ref('int_churn_traits') }} as traits
        on
            cases.customer_id = traits.customer_id
            and base_dates.from_date = traits.from_date
    where
        traits.is_open
        and not cases.is_in_spell_at_start
        and cases.churn_form is not null
),

counted as (
    select
        period,
        churn_form,
        coalesce(reason_code, 'unknown') as reason_code,
        coalesce(destination, 'unknown') as destination,
        is_voluntary,
        count(*) as count_churned,
        count(start_balance_amount) as count_known_balances,
        sum(start_balance_amount) as sum_balance,
        as_of_date,
        from_date
    from churners
    group by
        period, churn_form, coalesce(reason_code, 'unknown'), coalesce(destination, 'unknown'), is_voluntary,
        as_of_date, from_date
),

final as (
    select
        counted.period,
        counted.churn_form,
        counted.reason_code,
        counted.destination,
        run_dates.reporting_currency_code as currency_code,
        cast(counted.count_churned as integer) as count_churned,
        {{
            divide_exact(
                'counted.count_churned',
                'sum(counted.count_churned) over (partition by counted.as_of_date, counted.period)', 6
            )
        }} as share_of_churned,
        cast(counted.count_known_balances as integer) as count_known_balances,
        cast(counted.sum_balance as {{ money() }}) as sum_balance_churned,
        counted.is_voluntary,
        counted.as_of_date,
        counted.from_date
    from counted
    inner join run_dates on counted.as_of_date = run_dates.as_of_date
)

select * from final
