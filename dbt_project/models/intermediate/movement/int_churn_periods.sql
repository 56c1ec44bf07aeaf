{# Who was active when the trailing churn period began, and the tiers held then: as shown by the snapshot of that time, for
    a tier at the end would hold who left as low. Who is in no such snapshot has the value tier that the amount at the
    start gives, and no tier of the other schemes. #}
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

tier_policy as (
    select *
    from {{ ref('int_tier_policy') }}
    where scheme = 'value_tier'
),

active as (
    select
        outcomes.customer_id,
        coalesce(shown.customer_kind, customers_at.customer_kind) as customer_kind,
        {%- for scheme in schemes %}
            shown.{{ scheme }},
        {%- endfor %}
        coalesce(windows.sum_amount_365d_at_start, 0) as annual_amount_at_start,
        outcomes.mean_balance_base_amount,
        outcomes.is_churned,
        outcomes.as_of_date
    from {{ ref('int_churn_outcomes') }} as outcomes
    inner join {{ ref('int_customers_at') }} as customers_at
        on
            outcomes.customer_id = customers_at.customer_id
            and outcomes.as_of_date = customers_at.as_of_date
    left join {{ ref('int_customer_windows') }} as windows
        on
            outcomes.customer_id = windows.customer_id
            and outcomes.observed_on = windows.observed_on
            and outcomes.known_by_on = windows.known_by_on
    left join base_dates on outcomes.as_of_date = base_dates.as_of_date
    left join customers as shown
        on
            outcomes.customer_id = shown.customer_id
            and base_dates.from_date = shown.as_of_date
    where
        outcomes.observation_kind = 'snapshot'
        and not outcomes.is_silent_at_start
        and not outcomes.is_drained_before
),

final as (
    select
        active.customer_id,
        active.customer_kind,
        {%- for scheme in schemes %}
            {%- if scheme == 'value_tier' %}
                coalesce(active.value_tier, tier_policy.tier) as value_tier,
            {%- else %}
                active.{{ scheme }},
            {%- endif %}
        {%- endfor %}
        active.mean_balance_base_amount,
        active.is_churned,
        active.as_of_date
    from active
    inner join tier_policy
        on
            active.as_of_date = tier_policy.as_of_date
            and active.customer_kind = tier_policy.customer_kind
            and {{ reaches('active.annual_amount_at_start', 'tier_policy') }}
)

select * from final
