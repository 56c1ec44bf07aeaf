{# Who was active when the trailing churn period began (an open account, and in no spell), and the tiers held then: as shown
    by the snapshot of that time, for a tier at the end would hold who left as low. Who is in no such snapshot has the value
    tier that the amount at the start gives, and no tier of the other schemes. Churned is whose spell began in the period. #}
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

cases as (
    select *
    from {{ ref('int_churn_cases') }}
    where period = 'churn'
),

tier_policy as (
    select *
    from {{ ref('int_tier_policy') }}
    where scheme = 'value_tier'
),

active as (
    select
        forms.customer_id,
        coalesce(shown.customer_kind, customers_at.customer_kind) as customer_kind,
        {%- for scheme in schemes %}
            shown.{{ scheme }},
        {%- endfor %}
        coalesce(windows.sum_amount_365d_at_start, 0) as annual_amount_at_start,
        {# An overdraft is no money that can leave. #}
        cast({{ not_below_zero('forms.mean_balance_base_amount') }} as {{ money() }}) as mean_balance_base_amount,
        cases.churn_form,
        cases.reason_code,
        cases.destination,
        cases.loan_runoff_choice,
        cases.card_stop_choice,
        coalesce(cases.is_voluntary, false) as is_voluntary,
        forms.as_of_date,
        base_dates.from_date
    from {{ ref('int_churn_forms') }} as forms
    inner join {{ ref('int_customers_at') }} as customers_at
        on
            forms.customer_id = customers_at.customer_id
            and forms.as_of_date = customers_at.as_of_date
    left join {{ ref('int_customer_windows') }} as windows
        on
            forms.customer_id = windows.customer_id
            and forms.observed_on = windows.observed_on
            and forms.known_by_on = windows.known_by_on
    left join base_dates on forms.as_of_date = base_dates.as_of_date
    left join customers as shown
        on
            forms.customer_id = shown.customer_id
            and base_dates.from_date = shown.as_of_date
    left join cases
        on
            forms.customer_id = cases.customer_id
            and forms.as_of_date = cases.as_of_date
    where
        forms.observation_kind = 'snapshot'
        and forms.count_open_accounts_at_start > 0
        and not coalesce(cases.is_in_spell_at_start, false)
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
        active.churn_form,
        active.reason_code,
        active.destination,
        active.loan_runoff_choice,
        active.card_stop_choice,
        active.is_voluntary,
        active.churn_form is not null as is_churned,
        active.as_of_date,
        active.from_date
    from active
    inner join tier_policy
        on
            active.as_of_date = tier_policy.as_of_date
            and active.customer_kind = tier_policy.customer_kind
            and {{ reaches('active.annual_amount_at_start', 'tier_policy') }}
)

select * from final
