{#- The type of every amount. -#}
{% macro money() -%}
    numeric(18, 2)
{%- endmacro %}

{#- The type of every feature; dbt.type_float() is single precision on DuckDB. -#}
{% macro double() -%}
    double precision
{%- endmacro %}
