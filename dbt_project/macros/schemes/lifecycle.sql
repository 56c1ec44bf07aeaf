{#- Use of the last 90 days as a ratio to the 90 before, at four decimals; null where there was none before to compare with.
    What is held against the policy is what is shown. -#}
{% macro trend_ratio(now, before) -%}
    case when {{ before }} > 0 then {{ divide_exact(now, before, 4) }} end
{%- endmacro %}

{#- The stage by its signs: is_churned, was_churned, is_prospect, tenure_days, balance_ratio, activity_ratio,
    is_balance_from_nothing, is_activity_from_nothing. What is unknown decides nothing, and the first sign that is seen
    does; who shows none is mature. -#}
{% macro lifecycle_stage(signs, policy) -%}
    case
        when {{ signs }}.is_churned then 'churned'
        when {{ signs }}.was_churned then 'reactivated'
        when {{ signs }}.is_prospect or {{ signs }}.tenure_days < {{ policy }}.exploration_days then 'exploration'
        when
            {{ signs }}.balance_ratio < {{ policy }}.decline_to_ratio
            or {{ signs }}.activity_ratio < {{ policy }}.activity_decline_to_ratio
            then 'decline'
        when
            {{ signs }}.balance_ratio >= {{ policy }}.growth_from_ratio
            or {{ signs }}.activity_ratio >= {{ policy }}.activity_growth_from_ratio
            or {{ signs }}.is_balance_from_nothing
            or {{ signs }}.is_activity_from_nothing
            then 'growth'
        else 'maturity'
    end
{%- endmacro %}

{#- In words, the bound of the policy that a ratio has crossed, where it decided the stage; nothing else. -#}
{% macro ratio_against(ratio, growth_from, decline_to) -%}
    case
        when lifecycle_stage = 'decline' and {{ ratio }} < {{ decline_to }}
            then ' < ' || cast({{ decline_to }} as {{ dbt.type_string() }})
        when lifecycle_stage = 'growth' and {{ ratio }} >= {{ growth_from }}
            then ' >= ' || cast({{ growth_from }} as {{ dbt.type_string() }})
        else ''
    end
{%- endmacro %}
