-- Every mix of components has a score between 0 and 100 in every version of the weights; all in full give 100, and nothing
-- at all gives 0: tried at, below and above the full value of each component, unknown, 0 and negative.
{%- set components = score_components('loyalty_class') %}
with

weights as (
    select
        policy_set,
        customer_kind,
        {%- for component in components %}
            coalesce(max(weight) filter (where component = '{{ component }}'), 0) as weight_{{ component }},
            max(full_at) filter (where component = '{{ component }}') as full_at_{{ component }},
        {%- endfor %}
        effective_from
    from {{ ref('policy_tier_weights') }}
    where scheme = 'loyalty_class'
    group by policy_set, customer_kind, effective_from
),

sides as (
    select
        'below' as side,
        0.33 as share
    union all
    select
        'full' as side,
        1.00 as share
    union all
    select
        'above' as side,
        1.50 as share
    union all
    select
        'nothing' as side,
        0.00 as share
    union all
    select
        'negative' as side,
        -1.00 as share
    union all
    select
        'unknown' as side,
        cast(null as numeric(3, 2)) as share
),

tried as (
    select
        weights.policy_set,
        weights.customer_kind,
        {%- for component in components %}
            {{ component }}_sides.side as {{ component }}_side,
            {{ component }}_sides.share * weights.full_at_{{ component }} as {{ component }}_value,
            weights.weight_{{ component }},
            weights.full_at_{{ component }},
        {%- endfor %}
        weights.effective_from
    from weights
    {% for component in components %}
        cross join sides as {{ component }}_sides
    {% endfor %}
),

scored as (
    select
        {%- for component in components %}
            {{ component_score(component ~ '_value', 'full_at_' ~ component) }} as {{ component }}_score,
        {%- endfor %}
        *
    from tried
),

totals as (
    select
        *,
        {{ weighted_score('loyalty_class', 'scored', 'scored') }} as metric_score
    from scored
)

select *
from totals
where
    metric_score is null
    or metric_score < 0
    or metric_score > 100
    or (
        metric_score != 100
        {%- for component in components %}
            and {{ component }}_side in ('full', 'above')
        {%- endfor %}
    )
    or (
        metric_score != 0
        {%- for component in components %}
            and {{ component }}_side in ('nothing', 'negative', 'unknown')
        {%- endfor %}
    )
