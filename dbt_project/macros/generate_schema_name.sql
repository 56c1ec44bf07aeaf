{#- A folder's schema is its own name, without the target's prefix; `run` is the schema of this run. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name == 'run' -%}
        {{ var('run_id') }}
    {%- else -%}
        {{ custom_schema_name or target.schema }}
    {%- endif -%}
{%- endmacro %}
