{#- The sum of a value over the rows of a group that are `among` them, as an amount; null where one of the values is
    unknown, for a part must not pass as the whole. Without any such row it is `of_none`. -#}
{% macro sum_if_known(value, among, of_none='null') -%}
    cast(
        case
            when count(*) filter (where {{ among }} and {{ value }} is null) = 0
                then
                    {% if of_none == 'null' -%}
                        sum({{ value }}) filter (where {{ among }})
                    {%- else -%}
                        coalesce(sum({{ value }}) filter (where {{ among }}), {{ of_none }})
                    {%- endif %}
        end as {{ money() }}
    )
{%- endmacro %}

{#- A value, or 0 where it is below; unknown stays unknown, which greatest() would make 0. -#}
{% macro not_below_zero(value) -%}
    case when {{ value }} > 0 then {{ value }} when {{ value }} <= 0 then 0 end
{%- endmacro %}
