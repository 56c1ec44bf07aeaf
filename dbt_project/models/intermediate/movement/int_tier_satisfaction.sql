with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

satisfaction_policy as (
    {{ policy_in_force(ref('policy_satisfaction'), 'run_dates') }}
),

answers as (
    select
        tiers.*,
        surveys.score >= satisfaction_policy.satisfied_from_score as is_satisfied
    from {{ ref('fct_customer_tiers') }} as tiers
    inner join run_dates on tiers.as_of_date = run_dates.as_of_date
    inner join satisfaction_policy on tiers.as_of_date = satisfaction_policy.as_of_date
    inner join {{ ref('stg_satisfaction_surveys') }} as surveys
        on
            tiers.customer_id = surveys.customer_id
            and tiers.as_of_date >= surveys.answered_on
            and {{ add_days('tiers.as_of_date', '-satisfaction_policy.survey_days') }} < surveys.answered_on
            and run_dates.knowledge_cutoff_on >= surveys.known_date
    where tiers.is_open
),

final as (
    select
        {{ scheme_of_set() }} as scheme,
        {{ tier_of_set() }} as tier,
        customer_kind,
        cast(count(*) as integer) as count_answers,
        cast(count(*) filter (where is_satisfied) as integer) as count_satisfied,
        as_of_date
    from answers
    group by {{ scheme_sets(['as_of_date', 'customer_kind']) }}  -- noqa: PRS
)

select * from final
