{#- The indicators of the risk index, in the order in which ties between them are broken. -#}
{% macro risk_indicators() -%}
    {{ return([
        'age', 'sex', 'education', 'income', 'assets', 'products', 'transactions', 'credit_use', 'rate_gap', 'policy_rate',
    ]) }}
{%- endmacro %}

{#- Columns of the policy's indicators side by side, one row a date and kind: <column>_<indicator>. -#}
{% macro risk_policy(indicator_rows, columns) -%}
    select
        customer_kind,
        max(rule_version) as indicators_version,
        {%- for indicator in risk_indicators() %}
            {%- for column in columns %}
                max({{ column }}) filter (where indicator = '{{ indicator }}') as {{ column }}_{{ indicator }},
            {%- endfor %}
        {%- endfor %}
        as_of_date
    from {{ indicator_rows }}
    group by customer_kind, as_of_date
{%- endmacro %}

{#- A value on the scale of the frozen reference, 0 (safest) to 100 (riskiest): 50 at the middle, the ends at the lower and
    the upper value and beyond, straight lines between; null where value or reference is unknown. `of` gives the
    reference: the prefix of its columns lower_value, middle_value, upper_value and direction (1: more is riskier). -#}
{% macro risk_scaled(value, of, suffix='') -%}
    {%- set lower, middle, upper = of ~ '.lower_value' ~ suffix, of ~ '.middle_value' ~ suffix, of ~ '.upper_value' ~ suffix -%}
    50 + {{ of }}.direction{{ suffix }} * case
        when {{ value }} <= {{ lower }} then -50
        when {{ value }} >= {{ upper }} then 50
        when {{ value }} < {{ middle }}
            then -{{ divide_exact('50 * (' ~ middle ~ ' - ' ~ value ~ ')', middle ~ ' - ' ~ lower, 4) }}
        when {{ value }} >= {{ middle }}
            then {{ divide_exact('50 * (' ~ value ~ ' - ' ~ middle ~ ')', upper ~ ' - ' ~ middle, 4) }}
    end
{%- endmacro %}

{#- Points of an indicator: its place on the scale by its weight, to four decimals; their sum is an index of 0 to 100. -#}
{% macro risk_points(scaled, weight) -%}
    round({{ scaled }} * {{ weight }}, 4)
{%- endmacro %}
