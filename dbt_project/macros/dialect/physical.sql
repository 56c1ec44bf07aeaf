{#- Statistics after a build: PostgreSQL plans the next model by them, and has none for a table just made. -#}
{% macro analyze(relation) -%}
    {{ return(adapter.dispatch('analyze', 'keepwell')(relation)) }}
{%- endmacro %}

{% macro default__analyze(relation) -%}{%- endmacro %}

{% macro postgres__analyze(relation) -%}
    {% if relation.type != 'view' %} analyze {{ relation }} {% endif %}
{%- endmacro %}

{#- Memory for sorts and hash tables for the rest of this transaction: PostgreSQL's own 4 MB would take every grouping of
    a build through the disk. Compiling a query takes it longer than running one here. -#}
{% macro memory_for_builds() -%}
    {{ return(adapter.dispatch('memory_for_builds', 'keepwell')()) }}
{%- endmacro %}

{% macro default__memory_for_builds() -%}{%- endmacro %}

{% macro postgres__memory_for_builds() -%}
    set local work_mem = '256MB'; set local jit = off
{%- endmacro %}

{#- Joins by hash for the rest of this transaction. A snapshot picks versions by rank, and PostgreSQL takes one row in 200
    to have rank 1; from there it plans nested and merge joins for what are hundreds of thousands of rows. -#}
{% macro join_by_hash() -%}
    {{ return(adapter.dispatch('join_by_hash', 'keepwell')()) }}
{%- endmacro %}

{% macro default__join_by_hash() -%}{%- endmacro %}

{% macro postgres__join_by_hash() -%}
    set local enable_nestloop = off; set local enable_mergejoin = off
{%- endmacro %}

{#- A small index on a column that rows arrive in the order of, so that a window is a range of the table. DuckDB keeps
    such ranges by itself. -#}
{% macro index_on(relation, column) -%}
    {{ return(adapter.dispatch('index_on', 'keepwell')(relation, column)) }}
{%- endmacro %}

{% macro default__index_on(relation, column) -%}{%- endmacro %}

{% macro postgres__index_on(relation, column) -%}
    create index if not exists {{ relation.identifier }}_{{ column }} on {{ relation }} using brin ({{ column }})
{%- endmacro %}

{#- The conditions by which a fact takes its new arrivals, one after the other. DuckDB groups a history of millions of
    customer-days within its memory month by month; the other engines sort on disk, in one pass. -#}
{% macro parts_of_arrivals(newest_batch) -%}
    {{ return(adapter.dispatch('parts_of_arrivals', 'keepwell')(newest_batch)) }}
{%- endmacro %}

{% macro default__parts_of_arrivals(newest_batch) -%}
    {{ return(['batch_no > ' ~ newest_batch]) }}
{%- endmacro %}

{% macro duckdb__parts_of_arrivals(newest_batch) -%}
    {%- set parts = [] -%}
    {%- if newest_batch == 0 -%}
        {%- set months -%}
            select distinct
                cast(date_trunc('month', booked_on) as date) as starts_on,
                cast(date_trunc('month', booked_on) + interval 1 month as date) as ends_before
            from {{ ref('stg_transactions') }}
            order by starts_on
        {%- endset -%}
        {%- for month in run_query(months).rows -%}
            {%- do parts.append("booked_on >= date '" ~ month[0] ~ "' and booked_on < date '" ~ month[1] ~ "'") -%}
        {%- endfor -%}
        {#- A bank without a transaction gets an empty fact. -#}
        {{ return(parts or ['true']) }}
    {%- endif -%}
    {{ return(['batch_no > ' ~ newest_batch]) }}
{%- endmacro %}
