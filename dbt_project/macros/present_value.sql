{#- What 1 a year, paid in equal parts at the end of each month for `months`, is worth today in years of it: discounted by
    the effective rate a year. One number a version of policy: six decimals are far from where engines differ. -#}
{% macro present_value_of_a_year(months, rate_annual) -%}
    {%- set monthly = 'power(1 + cast(' ~ rate_annual ~ ' as ' ~ double() ~ '), -1.0 / 12)' -%}
    cast(
        case
            when {{ rate_annual }} = 0 then cast({{ months }} as {{ double() }})
            else {{ monthly }} * (1 - power({{ monthly }}, {{ months }})) / (1 - {{ monthly }})
        end / 12 as numeric(9, 6)
    )
{%- endmacro %}
