{#- The type of every amount. -#}
{% macro money() -%}
    numeric(18, 2)
{%- endmacro %}
