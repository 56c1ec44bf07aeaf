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
