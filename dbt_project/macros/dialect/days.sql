{#- Whole days from one date to another; dbt.datediff counts timestamps, at a cost that shows on window scans. -#}
{% macro days_between(start_date, end_date) -%}
    {{ return(adapter.dispatch('days_between', 'keepwell')(start_date, end_date)) }}
{%- endmacro %}

{% macro default__days_between(start_date, end_date) -%}
    cast({{ end_date }} - {{ start_date }} as integer)
{%- endmacro %}

{#- A date some days later (or earlier); dbt.dateadd gives a timestamp on PostgreSQL. -#}
{% macro add_days(date_expression, days) -%}
    {{ return(adapter.dispatch('add_days', 'keepwell')(date_expression, days)) }}
{%- endmacro %}

{% macro default__add_days(date_expression, days) -%}
    cast({{ date_expression }} + cast({{ days }} as integer) as date)
{%- endmacro %}

{#- One row per row of `relation` and day of (after, until], as `day` and `days_ago`. Joined to a fact by the day, an
    observation meets its own window and nothing else of the history. -#}
{% macro days_of(relation, after, until) -%}
    {{ return(adapter.dispatch('days_of', 'keepwell')(relation, after, until)) }}
{%- endmacro %}

{% macro default__days_of(relation, after, until) -%}
    select
        {{ relation }}.*,
        steps.days_ago,
        {{ until }} - steps.days_ago as day
    from {{ relation }}
    cross join lateral generate_series(0, {{ until }} - ({{ after }}) - 1) as steps(days_ago)
{%- endmacro %}

{% macro duckdb__days_of(relation, after, until) -%}
    select
        steps.*,
        {{ until }} - steps.days_ago as day
    from (
        select
            {{ relation }}.*,
            cast(unnest(generate_series(0, {{ until }} - ({{ after }}) - 1)) as integer) as days_ago
        from {{ relation }}
    ) as steps
{%- endmacro %}
