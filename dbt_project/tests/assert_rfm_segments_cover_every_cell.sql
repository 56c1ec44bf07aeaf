-- Every cell of scores has one segment; without activity all three scores are 0 together.
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
)

select
    cells.r_score,
    cells.f_score,
    cells.m_score,
    count(segments.segment) as count_segments
from cells
left join {{ ref('policy_rfm_segments') }} as segments
    on {{ in_segment('cells', 'segments') }}
group by cells.r_score, cells.f_score, cells.m_score
having count(segments.segment) != 1
