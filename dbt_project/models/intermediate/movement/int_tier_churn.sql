{# Churn of the trailing period by the tier that was shown when it began: a tier at the end would hold who left as low. #}
{%- set schemes = tier_schemes().keys() | list -%}
with

base_dates as (
    select *
    from {{ ref('int_tier_base_dates') }}
    where period = 'churn'
),

customers as (
    {{ rows_then_and_now('fct_customer_tiers', ['as_of_date', 'customer_id', 'customer_kind'] + schemes, ['churn']) }}
),

periods as (
    select
        {%- for scheme in schemes %}
            customers.{{ scheme }},
        {%- endfor %}
        customers.customer_kind,
        outcomes.is_churned,
        base_dates.from_date,
        outcomes.as_of_date
    from {{ ref('int_churn_outcomes') }} as outcomes
    inner join base_dates on outcomes.as_of_date = base_dates.as_of_date
    inner join customers
        on
            outcomes.customer_id = customers.customer_id
            and base_dates.from_date = customers.as_of_date
    where
        outcomes.observation_kind = 'snapshot'
        and not outcomes.is_silent_at_start
        and not outcomes.is_drained_before
),

final as (
    select
        {{ scheme_of_set() }} as scheme,
        {{ tier_of_set() }} as tier,
        customer_kind,
        cast(count(*) as integer) as count_at_start,
        cast(count(*) filter (where is_churned) as integer) as count_churned,
        as_of_date,
        from_date
    from periods
    group by {{ scheme_sets(['as_of_date', 'from_date', 'customer_kind']) }}  -- noqa: PRS
)

select * from final
