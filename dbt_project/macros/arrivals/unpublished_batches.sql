{#- True for the batches that no standing publication covers: those that were not loaded when its run began. Older ones
    passed the same tests before they were published. A full refresh looks at all. -#}
{% macro is_of_unpublished_batch() -%}
    {%- if not execute or flags.WHICH not in ['build', 'test'] or flags.FULL_REFRESH -%}
        true
    {%- else -%}
        {%- set covered -%}
            select coalesce(max(covering_runs.newest_batch_no), 0)
            from {{ source('ops', 'covering_runs') }} as covering_runs
            where covering_runs.run_id != '{{ var("run_id") }}'
        {%- endset -%}
        batch_no > {{ run_query(covered).rows[0][0] }}
    {%- endif -%}
{%- endmacro %}

{#- What a generic test reads: the rows of the `where` of its config, which may ask for `unpublished batches`. -#}
{% macro get_where_subquery(relation) -%}
    {%- set where = config.get('where', '') -%}
    {%- if where -%}
        {%- set condition = where | replace('unpublished batches', is_of_unpublished_batch()) -%}
        (select * from {{ relation }} where {{ condition }}) as rows_to_test
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}
