with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

targets as (
    {{ policy_in_force(ref('policy_kpi_targets'), 'run_dates') }}
),

churn_policy as (
    {{ policy_in_force(ref('policy_churn'), 'run_dates') }}
),

{# A stock has no denominator; a share whose base is empty (no survey, no customer a period ago) has no value. #}
measured as (
    select
        shares.kpi_code,
        shares.dimension,
        shares.member,
        shares.as_of_date,
        case
            when shares.denominator is null and shares.kpi_code in ('customers', 'balance') then shares.numerator
            else {{ divide_exact('shares.numerator', 'shares.denominator', 6) }}
        end as kpi_value
    from {{ ref('int_kpi_shares') }} as shares
),

annualised as (
    select
        'churn_rate_annualised' as kpi_code,
        measured.dimension,
        measured.member,
        measured.as_of_date,
        {{ annualised('measured.kpi_value', 'churn_policy.outcome_days') }} as kpi_value
    from measured
    inner join churn_policy on measured.as_of_date = churn_policy.as_of_date
    where measured.kpi_code = 'churn_rate_period'
),

every_kpi as (
    select * from measured
    union all
    select * from annualised
),

final as (
    select
        every_kpi.kpi_code,
        names.kpi_en,
        names.kpi_zh,
        every_kpi.dimension,
        every_kpi.member,
        names.unit,
        case when names.unit = 'amount' then run_dates.reporting_currency_code end as currency_code,
        cast(every_kpi.kpi_value as numeric(24, 6)) as kpi_value,
        cast(targets.target_value as numeric(24, 6)) as target_value,
        case
            when targets.is_higher_better then every_kpi.kpi_value >= targets.target_value
            else every_kpi.kpi_value <= targets.target_value
        end as is_on_target,
        every_kpi.as_of_date
    from every_kpi
    inner join run_dates on every_kpi.as_of_date = run_dates.as_of_date
    inner join {{ ref('policy_kpis') }} as names on every_kpi.kpi_code = names.kpi_code
    left join targets
        on
            every_kpi.kpi_code = targets.kpi_code
            and every_kpi.as_of_date = targets.as_of_date
            and every_kpi.dimension = 'all'
)

select * from final
