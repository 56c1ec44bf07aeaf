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

by_trait as (
    select
        'trait' as part,
        of_trait.as_of_date,
        of_trait.period,
        of_trait.dimension || ' ' || of_trait.churn_form || ' ' || of_trait.choice as of_what,
        sum(of_trait.count_active_at_start) - max(bank.count_active_at_start)
        + sum(of_trait.count_churned) - max(bank.count_churned) as difference,
        sum(of_trait.sum_balance_churned) - max(bank.sum_balance_churned) as amount_difference
    from rates as of_trait
    inner join rates as bank
        on
            of_trait.as_of_date = bank.as_of_date
            and of_trait.period = bank.period
            and of_trait.churn_form = bank.churn_form
            and of_trait.choice = bank.choice
            and bank.dimension = 'all'
    where of_trait.dimension not in ('all', 'product_held')
    group by of_trait.as_of_date, of_trait.period, of_trait.dimension, of_trait.churn_form, of_trait.choice
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
