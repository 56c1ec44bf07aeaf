{# Numerator and denominator of every indicator, for the whole bank and by value tier and kind of customer. Churn is
    counted in the tier and kind that the customer had at the start of the period. #}
with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

satisfaction_policy as (
    {{ policy_in_force(ref('policy_satisfaction'), 'run_dates') }}
),

customers as (
    select * from {{ ref('int_customers_at') }}
),

stock as (
    select
        customers.customer_id,
        customers.customer_kind,
        tiers.value_tier,
        customers.count_product_families,
        activity.count_active_days_90d,
        activity.closing_balance,
        customers.as_of_date
    from customers
    inner join {{ ref('fct_customer_activity') }} as activity
        on
            customers.customer_id = activity.customer_id
            and customers.as_of_date = activity.as_of_date
    inner join {{ ref('fct_customer_value_tiers') }} as tiers
        on
            customers.customer_id = tiers.customer_id
            and customers.as_of_date = tiers.as_of_date
    where customers.is_open
),

periods as (
    select * from {{ ref('int_churn_periods') }}
),

answers as (
    select
        stock.customer_kind,
        stock.value_tier,
        stock.as_of_date,
        case when surveys.score >= satisfaction_policy.satisfied_from_score then 1 else 0 end as is_satisfied
    from stock
    inner join run_dates on stock.as_of_date = run_dates.as_of_date
    inner join satisfaction_policy on stock.as_of_date = satisfaction_policy.as_of_date
    inner join {{ ref('stg_satisfaction_surveys') }} as surveys
        on
            stock.customer_id = surveys.customer_id
            and stock.as_of_date >= surveys.answered_on
            and {{ add_days('stock.as_of_date', '-satisfaction_policy.survey_days') }} < surveys.answered_on
            and run_dates.knowledge_cutoff_on >= surveys.known_date
),

{%- set dimensions = {'all': "'all'", 'value_tier': 'value_tier', 'customer_kind': 'customer_kind'} %}
{%- set measures = [
    ('customers', 'stock', 'count(*)', 'null'),
    ('balance', 'stock', 'sum(closing_balance)', 'null'),
    ('multi_product_share', 'stock', 'sum(case when count_product_families >= 2 then 1 else 0 end)', 'count(*)'),
    ('active_share', 'stock', 'sum(case when count_active_days_90d > 0 then 1 else 0 end)', 'count(*)'),
    ('churn_rate_period', 'periods', 'sum(case when is_churned then 1 else 0 end)', 'count(*)'),
    (
        'balance_churn_rate_period', 'periods',
        'sum(case when is_churned then mean_balance_base_amount else 0 end)', 'sum(mean_balance_base_amount)',
    ),
    ('satisfaction_share', 'answers', 'sum(is_satisfied)', 'count(*)'),
] %}

shares as (
    {%- for dimension, member in dimensions.items() %}
        {%- set outer_loop = loop %}
        {%- for kpi_code, base, numerator, denominator in measures %}
            select
                '{{ kpi_code }}' as kpi_code,
                '{{ dimension }}' as dimension,
                {{ member }} as member,
                cast({{ numerator }} as {{ money() }}) as numerator,
                cast({{ denominator }} as {{ money() }}) as denominator,
                as_of_date
            from {{ base }}
            group by as_of_date{{ ', ' ~ member if dimension != 'all' }}
            {{ 'union all' if not (loop.last and outer_loop.last) }}
        {%- endfor %}
    {%- endfor %}
)

select * from shares
