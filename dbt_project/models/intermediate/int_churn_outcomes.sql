{{ config(tags=['training']) }}

{# What became of each customer who was there when the features end: the forms of churn in the outcome window, and whether
    one came about in the gap before it. #}
{%- set dated_forms = {
    'account_closure': 'closed_on',
    'silence': 'silent_on',
    'loan_runoff': 'loan_runoff_on',
    'card_stop': 'card_stop_on',
} -%}
{%- set counted_on = {} -%}
{%- for form in churn_forms() -%}
    {%- do counted_on.update({form: 'counted_' ~ form ~ '_on'}) -%}
{%- endfor -%}
with

observations as (
    select *
    from {{ ref('int_observations') }}
    where observation_kind = 'label'
),

forms as (
    select
        forms.*,
        {%- for form in churn_forms() %}
            coalesce(observations.counts_{{ form }}, false) as counts_{{ form }},
        {%- endfor %}
        {%- for form, begun_on in dated_forms.items() %}
            case
                when forms.{{ begun_on }} > forms.started_on and forms.{{ begun_on }} <= forms.outcome_from_on
                    then forms.{{ begun_on }}
            end as {{ form }}_in_gap_on,
            case when forms.{{ begun_on }} > forms.outcome_from_on then forms.{{ begun_on }} end
                as {{ form }}_in_outcome_on,
        {%- endfor %}
        {# A drain is a fact of the whole window: it holds from the window's last day on. #}
        case when forms.is_balance_drain then forms.observed_on end as balance_drain_in_outcome_on
    from {{ ref('int_churn_forms') }} as forms
    inner join observations
        on
            forms.observed_on = observations.observed_on
            and forms.known_by_on = observations.known_by_on
    where forms.count_open_accounts_at_start > 0
),

counted as (
    select
        *,
        {%- for form in churn_forms() %}
            case when counts_{{ form }} then {{ form }}_in_outcome_on end as counted_{{ form }}_on,
        {%- endfor %}
        (counts_balance_drain and has_drained_before)
        {%- for form in dated_forms %}
            or (counts_{{ form }} and {{ form }}_in_gap_on is not null)
        {%- endfor %} as is_gap_churn
    from forms
),

headlined as (
    select
        *,
        {{ first_form(counted_on) }} as headline_form,
        least({{ counted_on.values() | join(', ') }}) as churned_on
    from counted
),

{# The reason is that of the form that began first; who drained and then died has left by death. #}
reasoned as (
    select
        *,
        case
            when headline_form = 'account_closure' then closure_reason
            when headline_form = 'loan_runoff' then loan_runoff_reason
            when headline_form = 'card_stop' then card_stop_reason
            when headline_form is not null then coalesce(block_reason, closure_reason)
        end as reason_code,
        headline_form is not null as has_churned
    from headlined
),

final as (
    select
        customer_id,
        headline_form as churn_form,
        reason_code,
        is_gap_churn,
        is_balance_drain,
        {%- for form in dated_forms %}
            {{ form }}_in_outcome_on is not null as is_{{ form }},
        {%- endfor %}
        has_churned and {{ is_voluntary_by('reason_code') }} as is_voluntary,
        has_churned as is_churned,
        as_of_date,
        churned_on,
        case
            when headline_form = 'account_closure' then closure_known_on
            when headline_form = 'loan_runoff' then loan_runoff_known_on
            when headline_form = 'card_stop' then card_stop_known_on
            else churned_on
        end as known_on
    from reasoned
)

select * from final
