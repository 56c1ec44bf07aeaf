{#- A rate of a period of `days` as a rate a year: 1 - (1 - rate)^(365 / days), for a hazard that stays as it is. What is no
    share of a whole has no hazard: null. -#}
{% macro annualised(rate, days) -%}
    case
        when {{ rate }} between 0 and 1
            then cast(1 - power(1 - cast({{ rate }} as {{ double() }}), 365.0 / {{ days }}) as numeric(18, 6))
    end
{%- endmacro %}
