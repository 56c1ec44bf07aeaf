-- Every cell of scores has one segment in every version of the map, and the tiers of the scheme name it; without activity
-- all three scores are 0 together.
with

scores as (
    {% for score in range(1, 6) %}
        select {{ score }} as score
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

cells as (
    select
        r.score as r_score,
        f.score as f_score,
        m.score as m_score
    from scores as r
    cross join scores as f
    cross join scores as m

    union all

    select
        0 as r_score,
        0 as f_score,
        0 as m_score
),

versions as (
    select distinct
        policy_set,
        customer_kind,
        effective_from
    from {{ ref('policy_rfm_segments') }}
),

named_segments as (
    select distinct
        policy_set,
        customer_kind,
        tier
    from {{ ref('policy_tiers') }}
    where scheme = 'rfm_segment'
)

select
    versions.policy_set,
    versions.customer_kind,
    versions.effective_from,
    cells.r_score,
    cells.f_score,
    cells.m_score,
    count(segments.segment) as count_segments
from versions
cross join cells
left join {{ ref('policy_rfm_segments') }} as segments
    on
        versions.policy_set = segments.policy_set
        and versions.customer_kind = segments.customer_kind
        and versions.effective_from = segments.effective_from
        and {{ in_segment('cells', 'segments') }}
left join named_segments
    on
        segments.policy_set = named_segments.policy_set
        and segments.customer_kind = named_segments.customer_kind
        and segments.segment = named_segments.tier
group by
    versions.policy_set,
    versions.customer_kind,
    versions.effective_from,
    cells.r_score,
    cells.f_score,
    cells.m_score
having count(segments.segment) != 1 or count(named_segments.tier) != 1
