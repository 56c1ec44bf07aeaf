{# The last answer to a survey, and how it differs from those before it. Of several on the last day the worst counts. #}
with

observations as (
    select *
    from {{ ref('int_observations') }}
    where observation_kind = 'snapshot'
),

answers as (
    select
        surveys.customer_id,
        surveys.score,
        row_number() over (
            partition by surveys.customer_id, observations.observed_on
            order by surveys.answered_on desc, surveys.score asc
        ) as recency_rank,
        observations.observed_on,
        observations.known_by_on
    from observations
    inner join {{ ref('stg_satisfaction_surveys') }} as surveys
        on
            observations.observed_on >= surveys.answered_on
            and observations.known_by_on >= surveys.known_date
),

final as (
    select
        customer_id,
        max(score) filter (where recency_rank = 1) as last_score,
        max(score) filter (where recency_rank = 1)
        - cast(sum(score) filter (where recency_rank > 1) as {{ double() }})
        / nullif(count(*) filter (where recency_rank > 1), 0) as change_of_score,
        observed_on,
        known_by_on
    from answers
    group by customer_id, observed_on, known_by_on
)

select * from final
