-- Every value of an active customer has a score from 1 to 5 by the cuts of each version; at the cut of a score it is that
-- score or better, and just short of it it is worse.
with

cuts as (
    select
        policy_set || customer_kind || cast(effective_from as {{ dbt.type_string() }}) as version,
        {%- for score in rfm_cut_scores() %}
            max(at_most) filter (where measure = 'r' and score = {{ score }}) as r_cut_{{ score }},
            max(at_least) filter (where measure = 'f' and score = {{ score }}) as f_cut_{{ score }},
            max(at_least) filter (where measure = 'm' and score = {{ score }}) as m_cut_{{ score }}
            {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('policy_rfm_cuts') }}
    group by policy_set, customer_kind, effective_from
),

{# A step is a day for recency and frequency, a cent for money; `side` 1 is better than the cut. #}
tried as (
    {% for score in rfm_cut_scores() %}
        {% for side in [-1, 0, 1] %}
            select
                cuts.*,
                {{ score }} as score,
                {{ side }} as side,
                r_cut_{{ score }} - {{ side }} as recency_days,
                f_cut_{{ score }} + {{ side }} as frequency_days,
                m_cut_{{ score }} + 0.01 * {{ side }} as monetary_amount
            from cuts
            union all
        {% endfor %}
    {% endfor %}
    select
        cuts.*,
        1 as score,
        0 as side,
        364 as recency_days,
        0 as frequency_days,
        -99999.99 as monetary_amount
    from cuts
),

scored as (
    select
        *,
        {{ rfm_cut_score('r', 'tried', 'tried') }} as r_score,
        {{ rfm_cut_score('f', 'tried', 'tried') }} as f_score,
        {{ rfm_cut_score('m', 'tried', 'tried') }} as m_score
    from tried
)

select *
from scored
where
    {% for measure in ['r', 'f', 'm'] %}
        {{ measure }}_score not between 1 and 5
        or (side >= 0 and {{ measure }}_score < score)
        or (side < 0 and {{ measure }}_score >= score)
        or (score = 1 and {{ measure }}_score != 1)
        {{ 'or' if not loop.last }}
    {% endfor %}
