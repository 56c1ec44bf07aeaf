{{ config(tags=['training'], access='protected', contract={'enforced': false}) }}

{# Features as they were published for each date, beside what came after. A row's features end at the as-of date and
    its label starts after it: they share no day. #}
with

features as (
    select features.*
    from {{ source('history', 'fct_customer_features') }} as features
    inner join {{ ref('int_run_dates') }} as run_dates
        on features.as_of_date = run_dates.as_of_date
),

observations as (
    select * from {{ ref('int_observations') }}
),

outcomes as (
    select * from {{ ref('int_churn_outcomes') }}
),

{# What is known of who was there to be labelled, and of nobody else. #}
labels as (
    select outcomes.*
    from outcomes
    inner join observations on outcomes.as_of_date = observations.as_of_date
    where
        observations.is_mature
        and not outcomes.is_gap_churn
),

labelled as (
    select
        features.*,
        case
            when not features.is_eligible or outcomes.customer_id is null then 'ineligible'
            when not observations.is_mature then 'immature'
            when outcomes.is_gap_churn then 'gap'
            else 'mature'
        end as label_status,
        case when labels.is_churned then 1 when not labels.is_churned then 0 end as is_churned,
        labels.churn_form,
        {%- for form in churn_forms() %}
            labels.is_{{ form }},
        {%- endfor %}
        case when labels.is_churned then labels.is_voluntary end as is_voluntary,
        {{ add_days('features.as_of_date', '1 - observations.observation_days') }} >= observations.data_started_on
            as observation_complete,
        labels.churned_on,
        labels.known_on as churn_known_on,
        {{ add_days('observations.outcome_from_on', 1) }} as label_from_on,
        observations.observed_on as label_to_on
    from features
    inner join observations
        on features.as_of_date = observations.as_of_date
    left join outcomes
        on
            features.as_of_date = outcomes.as_of_date
            and features.customer_id = outcomes.customer_id
    left join labels
        on
            features.as_of_date = labels.as_of_date
            and features.customer_id = labels.customer_id
            and features.is_eligible
)

{# The features are those of the archive, whatever columns it has. #}
select * from labelled -- noqa: AM04
