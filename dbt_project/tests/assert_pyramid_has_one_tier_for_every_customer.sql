-- Every score has one tier whatever the use and the income, and the better bands never give way to `potential`: tried at,
-- just below and just above each bound of score, use and income, with unknown, 0 and negative income.
with

tiers as (
    select *
    from {{ ref('int_tier_policy') }}
    where scheme = 'pyramid_tier'
),

bands as (
    select *
    from tiers
    where tier != 'potential'
),

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

potential_policy as (
    {{ policy_in_force(ref('policy_potential'), 'run_dates', ['policy.customer_kind']) }}
),

steps as (
    select -1 as step
    union all
    select 0 as step
    union all
    select 1 as step
),

score_sides as (
    select 0.0000 as metric_score
    union all
    select 100.0000 as metric_score
),

income_sides as (
    select cast(null as numeric(18, 2)) as annual_income_amount
    union all
    select 0.00 as annual_income_amount
    union all
    select -1.00 as annual_income_amount
),

scores as (
    select distinct
        tiers.as_of_date,
        tiers.customer_kind,
        tiers.entry_bound + 0.0001 * steps.step as metric_score
    from tiers
    cross join steps
    where tiers.entry_bound is not null

    union

    select distinct
        tiers.as_of_date,
        tiers.customer_kind,
        score_sides.metric_score
    from tiers
    cross join score_sides
),

statuses as (
    select 'open' as relationship_status
    union all
    select 'closed' as relationship_status
    union all
    select 'no_account' as relationship_status
),

incomes as (
    select
        potential_policy.as_of_date,
        potential_policy.customer_kind,
        potential_policy.min_annual_income_amount + steps.step * 0.01 as annual_income_amount
    from potential_policy
    cross join steps

    union

    select
        potential_policy.as_of_date,
        potential_policy.customer_kind,
        income_sides.annual_income_amount
    from potential_policy
    cross join income_sides
),

measures as (
    select
        potential_policy.as_of_date,
        potential_policy.customer_kind,
        statuses.relationship_status,
        scores.metric_score,
        potential_policy.max_active_days_90d + activity_steps.step as count_active_days_90d,
        potential_policy.max_product_families + family_steps.step as count_product_families,
        incomes.annual_income_amount
    from potential_policy
    inner join scores
        on
            potential_policy.as_of_date = scores.as_of_date
            and potential_policy.customer_kind = scores.customer_kind
    inner join incomes
        on
            potential_policy.as_of_date = incomes.as_of_date
            and potential_policy.customer_kind = incomes.customer_kind
    cross join statuses
    cross join steps as activity_steps
    cross join steps as family_steps
),

tiered as (
    select
        measures.*,
        bands.entry_bound,
        {{ pyramid_tier('bands', is_potential('measures', 'potential_policy')) }} as pyramid_tier
    from measures
    inner join potential_policy
        on
            measures.as_of_date = potential_policy.as_of_date
            and measures.customer_kind = potential_policy.customer_kind
    left join bands
        on
            measures.as_of_date = bands.as_of_date
            and measures.customer_kind = bands.customer_kind
            and {{ reaches('measures.metric_score', 'bands') }}
)

select
    tiered.as_of_date,
    tiered.customer_kind,
    tiered.relationship_status,
    tiered.metric_score,
    tiered.count_active_days_90d,
    tiered.count_product_families,
    tiered.annual_income_amount,
    count(tiers.tier) as count_tiers,
    max(tiered.pyramid_tier) as pyramid_tier
from tiered
left join tiers
    on
        tiered.as_of_date = tiers.as_of_date
        and tiered.customer_kind = tiers.customer_kind
        and tiered.pyramid_tier = tiers.tier
group by
    tiered.as_of_date,
    tiered.customer_kind,
    tiered.relationship_status,
    tiered.metric_score,
    tiered.count_active_days_90d,
    tiered.count_product_families,
    tiered.annual_income_amount
having
    count(tiers.tier) != 1
    or (max(tiered.pyramid_tier) = 'potential' and max(tiered.entry_bound) is not null)
    or (
        max(tiered.entry_bound) is null
        and (tiered.relationship_status = 'no_account') and max(tiered.pyramid_tier) != 'potential'
    )
