{{ config(materialized='view') }}

{# Composite rank of each customer among the open customers of the kind, and whether the customer could be more. #}
with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

weights as (
    {{ score_weights('pyramid_tier', 'run_dates') }}
),

{# The loyalty score is one of the ranked values. #}
loyalty_weights as (
    {{ score_weights('loyalty_class', 'run_dates') }}
),

potential_policy as (
    {{ policy_in_force(ref('policy_potential'), 'run_dates', ['policy.customer_kind']) }}
),

foreign_incomes as (
    select distinct
        as_of_date,
        known_by_on,
        income_currency_code
    from {{ ref('int_customers_at') }}
    where income_currency_code != currency_code
),

rates_ranked as (
    select
        foreign_incomes.as_of_date,
        foreign_incomes.income_currency_code,
        rates.rate_to_reporting,
        row_number() over (
            partition by foreign_incomes.as_of_date, foreign_incomes.income_currency_code
            order by rates.rate_on desc
        ) as recency_rank
    from foreign_incomes
    inner join {{ ref('stg_exchange_rates') }} as rates
        on
            foreign_incomes.income_currency_code = rates.currency_code
            and foreign_incomes.as_of_date >= rates.rate_on
            and foreign_incomes.known_by_on >= rates.known_date
),

measures as (
    select
        customers.customer_id,
        customers.customer_kind,
        customers.relationship_status,
        customers.currency_code,
        activity.closing_assets,
        activity.sum_amount_365d,
        customers.count_product_families,
        activity.count_active_days_90d,
        loyalty.metric_score as loyalty_metric_score,
        {# An income in a currency without a rate is unknown; one without a currency is in the bank's own. #}
        cast(
            case
                when coalesce(customers.income_currency_code, customers.currency_code) = customers.currency_code
                    then customers.annual_income_amount
                else round(customers.annual_income_amount * rates_ranked.rate_to_reporting, 2)
            end as {{ money() }}
        ) as annual_income_amount,
        customers.is_open,
        customers.as_of_date
    from {{ ref('int_customers_at') }} as customers
    inner join {{ ref('fct_customer_activity') }} as activity
        on
            customers.customer_id = activity.customer_id
            and customers.as_of_date = activity.as_of_date
    inner join {{ ref('fct_customer_loyalty_classes') }} as loyalty
        on
            customers.customer_id = loyalty.customer_id
            and customers.as_of_date = loyalty.as_of_date
    left join rates_ranked
        on
            customers.as_of_date = rates_ranked.as_of_date
            and customers.income_currency_code = rates_ranked.income_currency_code
            and rates_ranked.recency_rank = 1
),

{# How many open customers have a value at or below this one. A `filter` on a window takes DuckDB five times as long. #}
counted as (
    select
        {%- for component, value in pyramid_values().items() %}
            count(case when is_open then 1 end) over (
                partition by as_of_date, customer_kind
                order by coalesce({{ value }}, 0)
            ) as count_at_or_below_{{ component }},
        {%- endfor %}
        count(case when is_open then 1 end) over (partition by as_of_date, customer_kind) as count_open,
        *
    from measures
),

ranked as (
    select
        {%- for component, value in pyramid_values().items() %}
            {{ cumulative_rank(value, 'count_at_or_below_' ~ component, 'count_open') }} as {{ component }}_score,
        {%- endfor %}
        *
    from counted
),

final as (
    select
        ranked.customer_id,
        ranked.customer_kind,
        ranked.relationship_status,
        ranked.currency_code,
        weights.weights_version
        || ', ' || loyalty_weights.weights_version
        || ', ' || potential_policy.rule_version as rules_version,
        {{ weighted_score('pyramid_tier', 'ranked', 'weights') }} as metric_score,
        {%- for component in score_components('pyramid_tier') %}
            ranked.{{ component }}_score,
        {%- endfor %}
        ranked.count_active_days_90d,
        ranked.count_product_families,
        ranked.annual_income_amount,
        potential_policy.max_active_days_90d,
        potential_policy.max_product_families,
        potential_policy.min_annual_income_amount,
        {{ is_potential('ranked', 'potential_policy') }} as is_potential,
        ranked.as_of_date
    from ranked
    inner join weights
        on
            ranked.as_of_date = weights.as_of_date
            and ranked.customer_kind = weights.customer_kind
    inner join loyalty_weights
        on
            ranked.as_of_date = loyalty_weights.as_of_date
            and ranked.customer_kind = loyalty_weights.customer_kind
    inner join potential_policy
        on
            ranked.as_of_date = potential_policy.as_of_date
            and ranked.customer_kind = potential_policy.customer_kind
)

select * from final
