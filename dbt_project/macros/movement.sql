{#- Every column of fct_customer_tiers whose moves are counted: scheme, basis (what is shown, or what the day's figures alone
    would give) and the column. -#}
{% macro tier_columns() -%}
    {%- set columns = [] -%}
    {%- for scheme in tier_schemes() -%}
        {%- do columns.append((scheme, 'effective', scheme)) -%}
    {%- endfor -%}
    {%- for scheme in banded_schemes() -%}
        {%- do columns.append((scheme, 'raw', 'raw_' ~ scheme)) -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}

{#- The end of the month `months` before: the day before the same day of the month as the morrow of `day`. A month-end goes to
    a month-end, 2026-02-28 less one month to 2026-01-31. -#}
{% macro months_before(day, months) -%}
    cast(cast({{ day }} + 1 - {{ months }} * interval '1 month' as date) - 1 as date)
{%- endmacro %}

{#- Rows of a customer mart on the days of this run, and on the earlier days that int_tier_base_dates compares them with for
    `periods`: its columns `day_columns`. -#}
{% macro rows_then_and_now(mart, columns, periods, day_columns=['from_date']) -%}
    {%- set base_dates = ref('int_tier_base_dates') -%}
    {%- set run_dates = ref('int_run_dates') -%}
    {%- set days_of_history -%}
        {%- for column in day_columns %}
            select {{ column }}
            from {{ base_dates }}
            where
                period in ('{{ periods | join("', '") }}')
                and {{ column }} not in (select built.as_of_date from {{ run_dates }} as built)
            {{ 'union' if not loop.last else 'order by 1' }}
        {%- endfor %}
    {%- endset -%}
    {{ rows_of_history_too(mart, columns, base_dates, days_of_history) }}
{%- endmacro %}

{#- The rows of a relation twice: as they are, and with `all` for the kind of customer. -#}
{% macro with_all_kinds(relation, columns) -%}
    select
        customer_kind,
        {{ columns | join(', ') }}
    from {{ relation }}

    union all

    select
        'all' as customer_kind,
        {{ columns | join(', ') }}
    from {{ relation }}
{%- endmacro %}
