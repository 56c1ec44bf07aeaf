{#- One grouping set a scheme, for a `group by` over columns of its name: the keys and the scheme's column. The linter's
    dialect of DuckDB has no grouping sets: `noqa: PRS` where they are called. -#}
{% macro scheme_sets(keys) -%}
    grouping sets (
        {%- for scheme in tier_schemes() %}
            ({{ keys | join(', ') }}, {{ scheme }}){{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{#- The scheme of a row that `scheme_sets` grouped. -#}
{% macro scheme_of_set() -%}
    case
        {%- for scheme in tier_schemes() %}
            when grouping({{ scheme }}) = 0 then '{{ scheme }}'
        {%- endfor %}
    end
{%- endmacro %}

{#- The tier of a row that `scheme_sets` grouped. -#}
{% macro tier_of_set() -%}
    case
        {%- for scheme in tier_schemes() %}
            when grouping({{ scheme }}) = 0 then {{ scheme }}
        {%- endfor %}
    end
{%- endmacro %}
