{#- One grouping set a scheme over columns of its name: what a `group by` takes behind its other columns. -#}
{% macro scheme_sets() -%}
    grouping sets ({% for scheme in tier_schemes() %}({{ scheme }}){{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}

{#- The scheme of a row that `scheme_sets` grouped. -#}
{% macro scheme_of_set() -%}
    case {% for scheme in tier_schemes() %}when grouping({{ scheme }}) = 0 then '{{ scheme }}' {% endfor %}end
{%- endmacro %}

{#- The tier of a row that `scheme_sets` grouped. -#}
{% macro tier_of_set() -%}
    case {% for scheme in tier_schemes() %}when grouping({{ scheme }}) = 0 then {{ scheme }} {% endfor %}end
{%- endmacro %}
