-- Every value of an active customer has a score from 1 to 5 by the cuts of each version; at the cut of a score it is that
-- score or better, and just short of it it is worse.
with

cuts as (
    select
        policy_set,
        customer_kind,
        {%- for score in rfm_cut_scores() %}
            max(at_most) filter (where measure = 'r' and score = {{ score }}) as r_cut_{{ score }},
            max(at_least) filter (where measure = 'f' and score = {{ score }}) as f_cut_{{ score }},
            max(at_least) filter (where measure = 'm' and score = {{ score }}) as m_cut_{{ score }},
        {%- endfor %}
        effective_from
    from {{ ref('policy_rfm_cuts') }}
    group by policy_set, customer_kind, effective_from
),

sides as (
    select -1 as side
    union all
    select 0 as side
    union all
    select 1 as side
),

{# A step is a day for recency and frequency, a cent for money; `side` 1 is better than the cut. #}
edges as (
    {% for score in rfm_cut_scores() %}
        select
            cuts.policy_set,
            cuts.customer_kind,
            {{ score }} as score,
            sides.side,
            cuts.r_cut_{{ score }} - sides.side as recency_days,
            cuts.f_cut_{{ score }} + sides.side as frequency_days,
            cuts.m_cut_{{ score }} + 0.01 * sides.side as monetary_amount,
            cuts.effective_from
        from cuts
        cross join sides
        union all
    {% endfor %}
    select
        policy_set,
        customer_kind,
        1 as score,
        0 as side,
        364 as recency_days,
        0 as frequency_days,
        -99999.99 as monetary_amount,
        effective_from
    from cuts
),

scored as (
    select
        edges.*,
        {{ rfm_cut_score('r', 'edges', 'cuts') }} as r_score,
        {{ rfm_cut_score('f', 'edges', 'cuts') }} as f_score,
        {{ rfm_cut_score('m', 'edges', 'cuts') }} as m_score
    from edges
    inner join cuts
        on
            edges.policy_set = cuts.policy_set
            and edges.customer_kind = cuts.customer_kind
            and edges.effective_from = cuts.effective_from
)

select *
from scored
where
    {% for measure in ['r', 'f', 'm'] %}
        {{ measure }}_score not between 1 and 5
        or (side >= 0 and {{ measure }}_score < score)
        or (side < 0 and {{ measure }}_score >= score)
        or (score = 1 and {{ measure }}_score != 1)
        or
    {% endfor %}
    false
