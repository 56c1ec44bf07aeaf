{#- The type of every amount. -#}
{% macro money() -%}
    numeric(18, 2)
{%- endmacro %}

{#- The type of every feature; dbt.type_float() is single precision on DuckDB. -#}
{% macro double() -%}
    double precision
{%- endmacro %}

{#- A sum of whole cents as an exact amount. -#}
{% macro from_cents(cents) -%}
    cast({{ cents }} as numeric(36, 0)) * 0.01
{%- endmacro %}
