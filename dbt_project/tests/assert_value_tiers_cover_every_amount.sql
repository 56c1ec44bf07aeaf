-- Every amount has one tier: tried at, just below and just above each cut, at zero, far below and far above.
with

policies as (
    select distinct
        policy_set,
        effective_from
    from {{ ref('policy_value_tiers') }}
),

steps as (
    select -0.01 as step
    union all
    select 0.00 as step
    union all
    select 0.01 as step
),

edges as (
    select tiers.lower_bound + steps.step as amount
    from {{ ref('policy_value_tiers') }} as tiers
    cross join steps
    where tiers.lower_bound is not null

    union

    select 0.00 as amount

    union

    select -999999999.99 as amount

    union

    select 999999999999.99 as amount
)

select
    policies.policy_set,
    policies.effective_from,
    edges.amount,
    count(tiers.value_tier) as count_tiers
from policies
cross join edges
left join {{ ref('policy_value_tiers') }} as tiers
    on
        policies.policy_set = tiers.policy_set
        and policies.effective_from = tiers.effective_from
        and {{ in_band('edges.amount', 'tiers') }}
group by policies.policy_set, policies.effective_from, edges.amount
having count(tiers.value_tier) != 1
