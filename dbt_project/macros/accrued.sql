{#- What a yearly amount comes to in some days (actual days by 365), as an amount rounded half away from zero. Exact on every
    engine: `divide_exact` sees cents, so the up to twelve decimals of the yearly amount are brought above the point. -#}
{% macro accrued(yearly_amount, days) -%}
    {{
        divide_exact(
            'cast(' ~ yearly_amount ~ ' as numeric(36, 12)) * ' ~ (days * 10 ** 10), '3650000000000'
        )
    }}
{%- endmacro %}
