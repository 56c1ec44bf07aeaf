{#- A table that is built again drops the views that stand on it: what readers may see is never built into. A what-if
    reads a published run and builds beside it (generate_schema_name). -#}
{% macro refuse_closed_run() -%}
    {%- if
        execute
        and flags.WHICH in ['build', 'run', 'seed']
        and var('run_id') != 'run_none'
        and not var('what_if', false)
    -%}
        {%- set found = run_query("select status from ops.runs where run_id = '" ~ var('run_id') ~ "'") -%}
        {%- set status = found.rows[0][0] if found.rows else 'unknown' -%}
        {%- if status != 'started' -%}
            {{
                exceptions.raise_compiler_error(
                    var('run_id') ~ ' is ' ~ status ~ ': only a started run is built into. Start a new one: clear the'
                    ~ ' DAG run from start_run on, or `python -m warehouse start-run`.'
                )
            }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
