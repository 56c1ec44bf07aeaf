{#- A folder's schema is its own name, without the target's prefix; `run` is the schema of this run. A what-if builds
    everything into one schema of its own, whatever it is asked to build, so it cannot touch what is published. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if var('what_if', false) -%}
        what_if
    {%- elif custom_schema_name == 'run' -%}
        {{ var('run_id') }}
    {%- else -%}
        {{ custom_schema_name or target.schema }}
    {%- endif -%}
{%- endmacro %}
