{#- Whether two shares, `count` of `total` and `other_count` of `other_total`, differ beyond chance: the test of two
    proportions at 95 %, z squared above 1.96 squared. Sums, products and one quotient of doubles, which both engines round
    alike. False where both shares are 0 or 1. -#}
{% macro is_beyond_chance(count, total, other_count, other_total) -%}
    {%- set n, m = "cast(" ~ total ~ " as " ~ double() ~ ")", "cast(" ~ other_total ~ " as " ~ double() ~ ")" -%}
    {%- set difference = "(" ~ count ~ " * " ~ m ~ " - " ~ other_count ~ " * " ~ n ~ ")" -%}
    {%- set pooled = "(" ~ count ~ " + " ~ other_count ~ ")" -%}
    {{ difference }} * {{ difference }} * ({{ n }} + {{ m }})
    > 3.8416 * {{ n }} * {{ m }} * {{ pooled }} * ({{ n }} + {{ m }} - {{ pooled }})
{%- endmacro %}
