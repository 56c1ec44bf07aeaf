{#- A quotient as a feature: double precision, null where the denominator is null or not positive. -#}
{% macro ratio(numerator, denominator) -%}
    case
        when {{ denominator }} > 0
            then
                cast({{ numerator }} as {{ double() }}) / cast({{ denominator }} as {{ double() }})
    end
{%- endmacro %}
