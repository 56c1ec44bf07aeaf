{#- Whether the mean balance of a window shows a drain against the mean of a base window whose first day is
    `base_from_on`. Balances before the data begin are unknown, and so no drain. -#}
{% macro is_drained(mean, base_mean, base_from_on) -%}
    case
        when observations.data_started_on > {{ base_from_on }} then false
        when {{ base_mean }} > 0 then {{ mean }} < observations.drain_share * {{ base_mean }}
        else false
    end
{%- endmacro %}
