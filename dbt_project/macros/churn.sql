{#- The forms of churn (definitions, section 2). Of several that begin on one day the one named first is the headline. -#}
{% macro churn_forms() -%}
    {{ return(['account_closure', 'balance_drain', 'silence', 'loan_runoff', 'card_stop']) }}
{%- endmacro %}

{#- Closure reasons that are no choice of the customer's; of several on one day the one named first is told. -#}
{% macro passive_reasons() -%}
    {{ return(['death', 'fraud_block', 'bank_policy', 'matured']) }}
{%- endmacro %}

{#- Churn is the customer's choice unless what the bank has booked says otherwise. -#}
{% macro is_voluntary_by(reason) -%}
    coalesce({{ reason }} not in ('{{ passive_reasons() | join("', '") }}'), true)
{%- endmacro %}

{#- The reason of a group of rows of one each (null: none booked): the customer's own where a row has it, since then the
    customer chose, else the first of the passive ones. -#}
{% macro reason_of(reason) -%}
    case
        when count(*) filter (where {{ is_voluntary_by(reason) }}) > 0
            then max({{ reason }}) filter (where {{ is_voluntary_by(reason) }})
        {%- for passive in passive_reasons() %}
            when count(*) filter (where {{ reason }} = '{{ passive }}') > 0 then '{{ passive }}'
        {%- endfor %}
    end
{%- endmacro %}

{#- The form that begins first, of a dict of forms and columns that say when each did, null where it does not count; of
    several on one day the one named first in `churn_forms`. -#}
{% macro first_form(begun_on) -%}
    case
        {%- for form in churn_forms() %}
            when {{ begun_on[form] }} = least({{ begun_on.values() | join(', ') }}) then '{{ form }}'
        {%- endfor %}
    end
{%- endmacro %}
