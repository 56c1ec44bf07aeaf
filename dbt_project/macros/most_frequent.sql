{#- The name with the highest count; of equal counts the one written first. `counts` maps names to integer columns that
    are never null. -#}
{% macro most_frequent(counts) -%}
    {%- set highest = 'greatest(' ~ counts.values() | join(', ') ~ ')' -%}
    case
        {%- for name, count in counts.items() %}
            {{ 'else' if loop.last else 'when ' ~ count ~ ' = ' ~ highest ~ ' then' }} '{{ name }}'
        {%- endfor %}
    end
{%- endmacro %}
