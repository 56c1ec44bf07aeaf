{{ config(materialized='view') }}

{# The last questionnaire that each customer answered, and what experience lets stand of it. #}
with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

questionnaire_policy as (
    {{ policy_in_force(ref('policy_risk_questionnaires'), 'run_dates', ['policy.customer_kind']) }}
),

caps_in_force as (
    {{ policy_in_force(ref('policy_risk_caps'), 'run_dates', ['policy.customer_kind']) }}
),

cap_steps as (
    {{ risk_cap_steps('caps_in_force', ['caps.as_of_date', 'caps.customer_kind']) }}
),

appetites as (
    select *
    from {{ ref('int_tier_policy') }}
    where scheme = 'risk_appetite'
),

caps as (
    select
        cap_steps.*,
        appetites.tier_order
    from cap_steps
    inner join appetites
        on
            cap_steps.as_of_date = appetites.as_of_date
            and cap_steps.customer_kind = appetites.customer_kind
            and cap_steps.highest_appetite = appetites.tier
),

{# Of several on one day the more careful answer counts, and of equal ones that of less experience. #}
questionnaires_ranked as (
    select
        customers.customer_id,
        customers.as_of_date,
        questionnaires.risk_appetite as questionnaire_appetite,
        appetites.tier_order,
        questionnaires.experience_years,
        questionnaires.answered_on,
        row_number() over (
            partition by customers.customer_id, customers.as_of_date
            order by
                questionnaires.answered_on desc,
                appetites.tier_order desc,
                coalesce(questionnaires.experience_years, 0) asc,
                {# An unknown experience is shown rather than a known 0: it is the less that is known. #}
                questionnaires.experience_years desc nulls first
        ) as recency_rank
    from {{ ref('stg_risk_questionnaires') }} as questionnaires
    inner join {{ ref('int_customers_at') }} as customers
        on
            questionnaires.customer_id = customers.customer_id
            and questionnaires.answered_on <= customers.observed_on
            and questionnaires.known_date <= customers.known_by_on
    inner join appetites
        on
            customers.as_of_date = appetites.as_of_date
            and customers.customer_kind = appetites.customer_kind
            and questionnaires.risk_appetite = appetites.tier
),

answers as (
    select
        customers.customer_id,
        customers.customer_kind,
        customers.relationship_status,
        questionnaires_ranked.questionnaire_appetite,
        questionnaire_policy.rule_version as questionnaires_version,
        questionnaires_ranked.tier_order,
        questionnaires_ranked.experience_years,
        {{ add_days('questionnaires_ranked.answered_on', 'questionnaire_policy.valid_days') }}
        > customers.as_of_date as is_valid,
        customers.as_of_date,
        questionnaires_ranked.answered_on,
        {{ add_days('questionnaires_ranked.answered_on', 'questionnaire_policy.valid_days') }} as expires_on
    from {{ ref('int_customers_at') }} as customers
    inner join questionnaire_policy
        on
            customers.as_of_date = questionnaire_policy.as_of_date
            and customers.customer_kind = questionnaire_policy.customer_kind
    left join questionnaires_ranked
        on
            customers.customer_id = questionnaires_ranked.customer_id
            and customers.as_of_date = questionnaires_ranked.as_of_date
            and questionnaires_ranked.recency_rank = 1
),

rated as (
    select
        answers.*,
        {{ risk_appetite('answers', 'caps') }} as risk_appetite,
        caps.rule_version as caps_version
    from answers
    inner join caps
        on
            answers.as_of_date = caps.as_of_date
            and answers.customer_kind = caps.customer_kind
            and {{ risk_cap_applies('answers', 'caps') }}
),

final as (
    select
        customer_id,
        customer_kind,
        relationship_status,
        risk_appetite as raw_tier,
        risk_appetite as hold_tier,
        questionnaire_appetite,
        case when is_valid and risk_appetite != questionnaire_appetite then risk_appetite end as capped_at,
        questionnaires_version || ', ' || caps_version as rules_version,
        case
            when answered_on is null then 'no questionnaire'
            when not is_valid
                then
                    'questionnaire of ' || cast(answered_on as {{ dbt.type_string() }})
                    || ' (' || questionnaire_appetite || ') expired on ' || cast(expires_on as {{ dbt.type_string() }})
            else
                'questionnaire of ' || cast(answered_on as {{ dbt.type_string() }}) || ': ' || questionnaire_appetite
                || case
                    when risk_appetite = questionnaire_appetite then ''
                    else
                        ', capped at ' || risk_appetite || ' (years of experience: '
                        || coalesce(cast(experience_years as {{ dbt.type_string() }}), 'unknown') || ')'
                end
        end as raw_reason,
        experience_years,
        as_of_date,
        answered_on,
        expires_on
    from rated
)

select * from final
