{#- numerator / denominator as numeric(18, scale), rounded half away from zero. Exact on every engine: DuckDB divides
    decimals as doubles, so there the quotient is taken in whole units of the last place. Null where the denominator
    is null or not positive. -#}
{% macro divide_exact(numerator, denominator, scale=2) -%}
    {{ return(adapter.dispatch('divide_exact', 'keepwell')(numerator, denominator, scale)) }}
{%- endmacro %}

{% macro default__divide_exact(numerator, denominator, scale) -%}
    cast(
        round(
            cast({{ numerator }} as numeric) / case when {{ denominator }} > 0 then {{ denominator }} end,
            {{ scale }}
        ) as numeric(18, {{ scale }})
    )
{%- endmacro %}

{% macro duckdb__divide_exact(numerator, denominator, scale) -%}
    {#- Both sides are brought to whole cents (scale 2), which every amount and count fits. -#}
    {%- set top = "cast(cast(" ~ numerator ~ " as decimal(38, 2)) * 100 as hugeint) * " ~ (10 ** scale) -%}
    {%- set bottom = "cast(cast(" ~ denominator ~ " as decimal(38, 2)) * 100 as hugeint)" -%}
    cast(
        case
            when {{ denominator }} > 0
                then
                    cast(
                        sign({{ numerator }})
                        * ((2 * abs({{ top }}) + {{ bottom }}) // (2 * {{ bottom }})) as decimal(38, 0)
                    )
                    * cast(1.0 / {{ 10 ** scale }} as decimal({{ scale + 1 }}, {{ scale }}))
        end as decimal(18, {{ scale }})
    )
{%- endmacro %}

{#- Whole part of a quotient of two integers. -#}
{% macro divide_whole(numerator, denominator) -%}
    {{ return(adapter.dispatch('divide_whole', 'keepwell')(numerator, denominator)) }}
{%- endmacro %}

{% macro default__divide_whole(numerator, denominator) -%}
    ({{ numerator }}) / ({{ denominator }})
{%- endmacro %}

{% macro duckdb__divide_whole(numerator, denominator) -%}
    ({{ numerator }}) // ({{ denominator }})
{%- endmacro %}
