{#- The published snapshots of a mart, or none where none were published yet, or none with the column asked for. A unit test
    has the rows it gives and no history. -#}
{% macro published(mart, column=none) -%}
    {%- if model.resource_type != 'unit_test' -%}
        {%- set history = source('history', mart) -%}
        {%- set found = load_relation(history) if execute else none -%}
        {%- if found and (
            column is none or column in adapter.get_columns_in_relation(found) | map(attribute='name')
        ) -%}
            {{ return(history) }}
        {%- endif -%}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}

{#- The dates that a query gives, as literals: the archive is then read for them and not through. -#}
{% macro days_in_text(query) -%}
    {%- set days = [] -%}
    {%- for day in run_query(query).rows -%}
        {%- do days.append("date '" ~ day[0] ~ "'") -%}
    {%- endfor -%}
    {{ return(days) }}
{%- endmacro %}

{#- Rows of a mart as this run builds it, and of its history on the days that `days_of_history` gives, which reads the
    relation `dates` (without it there are none). A column that the mart has gained since is null in history. -#}
{% macro rows_of_history_too(mart, columns, dates, days_of_history) -%}
    {%- set history = published(mart) -%}
    {%- set days = days_in_text(days_of_history) if history and load_relation(dates) else [] %}
    select {{ columns | join(', ') }}
    from {{ ref(mart) }}
    {%- if days %}
        {%- set known = adapter.get_columns_in_relation(history) | map(attribute='name') | list -%}
        {%- set types = {} %}

        union all

        select
            {%- for column in adapter.get_columns_in_relation(ref(mart)) if column.name in columns %}
                {%- do types.update({column.name: column.data_type}) -%}
            {%- endfor %}
            {%- for column in columns %}
                {{ column if column in known else 'cast(null as ' ~ types[column] ~ ') as ' ~ column }}
                {{- ', ' if not loop.last }}
            {%- endfor %}
        from {{ history }}
        where as_of_date in ({{ days | join(', ') }})
    {%- endif %}
{%- endmacro %}

{#- The days whose rows of a mart this run can go on from or be compared with: its own, and those that history holds. A day
    that retention has dropped still stands, and has no rows to tell of. -#}
{% macro snapshot_days(mart) -%}
    select as_of_date
    from {{ ref('int_run_dates') }}
    where run_kind != 'training'

    union

    select standing.as_of_date
    from {{ source('ops', 'standing_snapshots') }} as standing
    inner join {{ source('ops', 'archived_days') }} as archived
        on
            standing.as_of_date = archived.as_of_date
            and standing.run_id = archived.run_id
            and archived.mart = '{{ mart }}'
{%- endmacro %}
