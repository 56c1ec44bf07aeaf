{#- A rate of a period of `days` as a rate a year: 1 - (1 - rate)^(365 / days), for a hazard that stays as it is. -#}
{% macro annualised(rate, days) -%}
    cast(1 - power(1 - cast({{ rate }} as {{ double() }}), 365.0 / {{ days }}) as numeric(18, 6))
{%- endmacro %}
