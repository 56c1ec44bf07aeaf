-- Every answer, valid or not, with any experience has one appetite in every version of the caps: `unknown` exactly when no
-- questionnaire holds, else never bolder than what was answered or what the cap allows.
with

all_caps as (
    select
        policy.*,
        policy.policy_set || policy.customer_kind || cast(policy.effective_from as {{ dbt.type_string() }}) as version
    from {{ ref('policy_risk_caps') }} as policy
),

cap_steps as (
    {{ risk_cap_steps('all_caps', ['caps.version']) }}
),

appetites as (
    select distinct
        tier,
        tier_order
    from {{ ref('policy_tiers') }}
    where scheme = 'risk_appetite'
),

caps as (
    select
        cap_steps.*,
        appetites.tier_order
    from cap_steps
    inner join appetites on cap_steps.highest_appetite = appetites.tier
),

steps as (
    select -1 as step
    union all
    select 0 as step
    union all
    select 1 as step
),

sides as (
    select cast(null as integer) as experience_years
    union all
    select 0 as experience_years
    union all
    select 120 as experience_years
),

validities as (
    select true as is_valid
    union all
    select false as is_valid
),

experiences as (
    select
        all_caps.version,
        all_caps.min_experience_years + steps.step as experience_years
    from all_caps
    cross join steps
    where all_caps.min_experience_years + steps.step >= 0

    union

    select
        all_caps.version,
        sides.experience_years
    from all_caps
    cross join sides
),

answered as (
    select
        appetites.tier as questionnaire_appetite,
        appetites.tier_order,
        validities.is_valid
    from appetites
    cross join validities
    where appetites.tier != 'unknown'

    union all

    select
        cast(null as {{ dbt.type_string() }}) as questionnaire_appetite,
        cast(null as integer) as tier_order,
        cast(null as boolean) as is_valid
),

answers as (
    select
        experiences.version,
        experiences.experience_years,
        answered.*
    from experiences
    cross join answered
),

rated as (
    select
        answers.*,
        caps.tier_order as cap_order,
        case when caps.version is not null then {{ risk_appetite('answers', 'caps') }} end as risk_appetite
    from answers
    left join caps
        on
            answers.version = caps.version
            and {{ risk_cap_applies('answers', 'caps') }}
)

select
    rated.version,
    rated.experience_years,
    rated.questionnaire_appetite,
    rated.is_valid,
    count(appetites.tier) as count_appetites,
    max(rated.risk_appetite) as risk_appetite
from rated
left join appetites on rated.risk_appetite = appetites.tier
group by rated.version, rated.experience_years, rated.questionnaire_appetite, rated.is_valid
having
    count(appetites.tier) != 1
    or (max(rated.risk_appetite) = 'unknown') = coalesce(rated.is_valid, false)
    or (
        rated.is_valid
        and max(appetites.tier_order) != greatest(max(rated.tier_order), max(rated.cap_order))
    )
