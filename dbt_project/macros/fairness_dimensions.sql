{#- What the fairness of scores and offers is looked at by: columns of dim_customers. -#}
{% macro fairness_dimensions() -%}
    {{ return(['sex', 'age_band', 'customer_kind', 'is_elderly', 'is_disabled']) }}
{%- endmacro %}
