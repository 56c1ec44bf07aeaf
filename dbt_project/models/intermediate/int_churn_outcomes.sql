{# What became of each customer who was there at the start: the forms of churn in the outcome window, and in the gap
    before it. Snapshots (their last period) and labels (the period after) are the same rows here. #}
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
    select * from {{ ref('int_observations') }}
),

forms as (
    select
        forms.*,
        observations.is_mature,
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
        counts_balance_drain and has_drained_before as is_drained_before,
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
        observation_kind,
        headline_form as churn_form,
        reason_code,
        mean_balance_base_amount,
        mean_balance_outcome_amount,
        is_mature,
        is_silent_at_start,
        is_drained_before,
        is_gap_churn,
        is_balance_drain,
        {%- for form in dated_forms %}
            {{ form }}_in_outcome_on is not null as is_{{ form }},
        {%- endfor %}
        has_churned and {{ is_voluntary_by('reason_code') }} as is_voluntary,
        has_churned as is_churned,
        {# A silence that the customer has ended since is over; a drain holds at the end of its window. #}
        counted_account_closure_on is not null
        or counted_balance_drain_on is not null
        or counted_loan_runoff_on is not null
        or counted_card_stop_on is not null
        or (counts_silence and is_silent_at_end) as is_churned_at_end,
        as_of_date,
        started_on,
        observed_on,
        known_by_on,
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
