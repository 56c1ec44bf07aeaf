{#- The components of a score, in the order in which a reason tells them. -#}
{% macro score_components(scheme) -%}
    {{ return({
        'loyalty_class': ['tenure', 'products', 'activity', 'referrals', 'points'],
        'pyramid_tier': ['assets', 'transactions', 'products', 'loyalty'],
    }[scheme]) }}
{%- endmacro %}

{#- The weights of a scheme on each date side by side: weight_<component>, full_at_<component>; 0 and null for a component
    that the version does not name. -#}
{% macro score_weights(scheme, dates) -%}
    select
        customer_kind,
        max(rule_version) as weights_version,
        {%- for component in score_components(scheme) %}
            coalesce(max(weight) filter (where component = '{{ component }}'), 0) as weight_{{ component }},
            max(full_at) filter (where component = '{{ component }}') as full_at_{{ component }},
        {%- endfor %}
        as_of_date
    from ({{ policy_in_force(ref('policy_tier_weights'), dates, ['policy.scheme', 'policy.customer_kind']) }}) as weights
    where scheme = '{{ scheme }}'
    group by customer_kind, as_of_date
{%- endmacro %}

{#- A component from 0 to 100: its value as a share of the value that counts in full; 0 where it is unknown or not
    positive, or where the policy names no such value. -#}
{% macro component_score(value, full_at) -%}
    cast(
        case
            when {{ value }} >= {{ full_at }} and {{ full_at }} > 0 then 100
            when {{ value }} > 0 and {{ full_at }} > 0 then {{ divide_exact('100 * (' ~ value ~ ')', full_at, 4) }}
            else 0
        end as numeric(9, 4)
    )
{%- endmacro %}

{#- The weighted sum of the components <component>_score, from 0 to 100. -#}
{% macro weighted_score(scheme, scores, weights) -%}
    cast(
        round(
            {%- for component in score_components(scheme) %}
                {{ '+ ' if not loop.first }}{{ scores }}.{{ component }}_score * {{ weights }}.weight_{{ component }}
            {%- endfor %},
            4
        ) as numeric(9, 4)
    )
{%- endmacro %}

{#- Why a score gives the tier that it reaches, at all four decimals, and what it is made of. -#}
{% macro score_reason(name, scheme, scores, tier) -%}
    '{{ name }} ' || cast({{ scores }}.metric_score as {{ dbt.type_string() }}) || {{ against_bound(tier) }}
    || ' ('
    {%- for component in score_components(scheme) %}
        || '{{ component }} ' || cast({{ scores }}.{{ component }}_score as {{ dbt.type_string() }})
        {{- " || ', '" if not loop.last }}
    {%- endfor %}
    || ')'
{%- endmacro %}
