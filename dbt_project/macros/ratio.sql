{#- A quotient as a feature: double precision, null where the denominator is null or not positive. -#}
{% macro ratio(numerator, denominator) -%}
    case
        when {{ denominator }} > 0
            then
                cast({{ numerator }} as {{ dbt.type_float() }}) / cast({{ denominator }} as {{ dbt.type_float() }})
    end
{%- endmacro %}
