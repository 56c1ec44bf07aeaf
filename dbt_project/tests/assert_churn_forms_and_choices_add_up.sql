-- Voluntary and passive churn make all, the forms that count make any, the reasons make both, and shares make the whole.
with

rates as (
    select * from {{ ref('fct_churn_rates') }}
),

policy as (
    select * from {{ ref('int_observations') }}
    where observation_kind = 'snapshot'
),

by_choice as (
    select
        'choice' as part,
        as_of_date,
        period,
        dimension || ' ' || member || ' ' || churn_form as of_what,
        sum(case when choice = 'all' then count_churned else -count_churned end) as difference,
        sum(case when choice = 'all' then sum_balance_churned else -sum_balance_churned end) as amount_difference
    from rates
    group by as_of_date, period, dimension, member, churn_form
),

by_form as (
    select
        'form' as part,
        rates.as_of_date,
        rates.period,
        rates.dimension || ' ' || rates.member || ' ' || rates.choice as of_what,
        sum(case when rates.churn_form = 'any' then rates.count_churned else -rates.count_churned end) as difference,
        sum(
            case when rates.churn_form = 'any' then rates.sum_balance_churned else -rates.sum_balance_churned end
        ) as amount_difference
    from rates
    inner join policy on rates.as_of_date = policy.as_of_date
    where
        rates.churn_form = 'any'
        {%- for form in churn_forms() %}
            or (rates.churn_form = '{{ form }}' and policy.counts_{{ form }})
        {%- endfor %}
    group by rates.as_of_date, rates.period, rates.dimension, rates.member, rates.choice
),

told as (
    select
        as_of_date,
        period,
        churn_form,
        sum(count_churned) as count_churned,
        sum(coalesce(sum_balance_churned, 0)) as sum_balance_churned
    from {{ ref('fct_churn_reasons') }}
    group by as_of_date, period, churn_form
),

by_reason as (
    select
        'reason' as part,
        rates.as_of_date,
        rates.period,
        rates.churn_form as of_what,
        rates.count_churned - coalesce(told.count_churned, 0) as difference,
        rates.sum_balance_churned - coalesce(told.sum_balance_churned, 0) as amount_difference
    from rates
    inner join policy on rates.as_of_date = policy.as_of_date
    left join told
        on
            rates.as_of_date = told.as_of_date
            and rates.period = told.period
            and rates.churn_form = told.churn_form
    where
        rates.dimension = 'all'
        and rates.choice = 'all'
        and (
            false
            {%- for form in churn_forms() %}
                or (rates.churn_form = '{{ form }}' and policy.counts_{{ form }})
            {%- endfor %}
        )
),

dimensions as (
    {%- for trait in churn_traits() %}
        select '{{ trait }}' as dimension
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

{# Without a snapshot at the start the churn period is told of by kind and value tier only. #}
base_dates as (
    select * from {{ ref('int_tier_base_dates') }}
),

dimensions_due as (
    select
        bank.as_of_date,
        bank.period,
        bank.churn_form,
        bank.choice,
        dimensions.dimension,
        bank.count_active_at_start,
        bank.count_churned,
        bank.sum_balance_at_start,
        bank.sum_balance_churned
    from rates as bank
    cross join dimensions
    left join base_dates
        on
            bank.as_of_date = base_dates.as_of_date
            and bank.period = base_dates.period
    where
        bank.dimension = 'all'
        and (base_dates.as_of_date is not null or dimensions.dimension in ('customer_kind', 'value_tier'))
),

by_trait as (
    select
        'trait' as part,
        due.as_of_date,
        due.period,
        due.dimension || ' ' || due.churn_form || ' ' || due.choice as of_what,
        abs(coalesce(sum(of_trait.count_active_at_start), 0) - max(due.count_active_at_start))
        + abs(coalesce(sum(of_trait.count_churned), 0) - max(due.count_churned)) as difference,
        abs(coalesce(sum(of_trait.sum_balance_at_start), 0) - coalesce(max(due.sum_balance_at_start), 0))
        + abs(coalesce(sum(of_trait.sum_balance_churned), 0) - max(due.sum_balance_churned)) as amount_difference
    from dimensions_due as due
    left join rates as of_trait
        on
            due.as_of_date = of_trait.as_of_date
            and due.period = of_trait.period
            and due.churn_form = of_trait.churn_form
            and due.choice = of_trait.choice
            and due.dimension = of_trait.dimension
    group by due.as_of_date, due.period, due.dimension, due.churn_form, due.choice
),

every_part as (
    select * from by_choice
    union all
    select * from by_form
    union all
    select * from by_reason
    union all
    select * from by_trait
)

select *
from every_part
where
    difference != 0
    or amount_difference != 0
