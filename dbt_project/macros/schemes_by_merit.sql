{#- Schemes whose tiers are better and worse. A bolder appetite for risk, a stage of life and an RFM segment are none. -#}
{% macro schemes_by_merit() -%}
    {{ return(['value_tier', 'asset_tier', 'pyramid_tier', 'savings_grade', 'loyalty_class']) }}
{%- endmacro %}
