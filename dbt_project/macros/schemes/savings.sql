{#- The conditions of a savings rule all hold for the figures of a customer: loan_record, deposit_amount, mean_term_months,
    spending_amount. An empty condition asks for nothing, and what is unknown counts as 0. -#}
{% macro savings_rule_holds(figures, rule) -%}
    ({{ rule }}.loan_record is null or {{ figures }}.loan_record = {{ rule }}.loan_record)
    and (
        {{ rule }}.min_deposit_amount is null
        or coalesce({{ figures }}.deposit_amount, 0) >= {{ rule }}.min_deposit_amount
    )
    and (
        {{ rule }}.min_term_months is null
        or coalesce({{ figures }}.mean_term_months, 0) >= {{ rule }}.min_term_months
    )
    and (
        {{ rule }}.min_spending_amount is null
        or coalesce({{ figures }}.spending_amount, 0) >= {{ rule }}.min_spending_amount
    )
{%- endmacro %}

{#- Which loan record a customer has: poor when an instalment was late by the days of the policy, none who never borrowed. -#}
{% macro loan_record(arrears) -%}
    case
        when {{ arrears }}.customer_id is null then 'none'
        when {{ arrears }}.max_days_past_due_in_lookback >= {{ arrears }}.poor_from_days_past_due then 'poor'
        else 'sound'
    end
{%- endmacro %}
