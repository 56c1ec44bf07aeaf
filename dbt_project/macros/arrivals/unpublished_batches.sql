{#- True for the batches that no publication covers yet: those that came after the newest published run was started.
    Older ones passed the same tests before they were published. A full refresh looks at all. -#}
{% macro is_of_unpublished_batch() -%}
    {%- if not execute or flags.WHICH not in ['build', 'test'] or flags.FULL_REFRESH -%}
        true
    {%- else -%}
        {%- set covered -%}
            select coalesce(max(batches.batch_no), 0)
            from {{ source('ops', 'batches') }} as batches
            where batches.loaded_at < (
                select max(runs.started_at)
                from {{ source('ops', 'runs') }} as runs
                inner join {{ source('ops', 'publications') }} as publications on runs.run_id = publications.run_id
            )
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
