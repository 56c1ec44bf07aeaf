{#- An amount in words: 103200 as '103,200.00'. -#}
{% macro format_amount(amount) -%}
    {{ return(adapter.dispatch('format_amount', 'keepwell')(amount)) }}
{%- endmacro %}

{% macro default__format_amount(amount) -%}
    to_char({{ amount }}, 'FM999,999,999,999,999,990.00')
{%- endmacro %}

{% macro duckdb__format_amount(amount) -%}
    format('{:,.2f}', cast({{ amount }} as double))
{%- endmacro %}
