with

policies as (
    select distinct
        policy_set,
        effective_from
    from {{ ref('policy_risk_bands') }}
),

edges as (
    select lower_bound as probability
    from {{ ref('policy_risk_bands') }}
    where lower_bound is not null

    union

    select lower_bound - 0.00000001 as probability
    from {{ ref('policy_risk_bands') }}
    where lower_bound is not null

    union

    select 0.00000000 as probability

    union

    select 1.00000000 as probability
)

select
    policies.policy_set,
    edges.probability,
    count(bands.risk_band) as count_bands
from policies
cross join edges
left join {{ ref('policy_risk_bands') }} as bands
    on
        policies.policy_set = bands.policy_set
        and policies.effective_from = bands.effective_from
        and {{ in_band('edges.probability', 'bands') }}
group by policies.policy_set, policies.effective_from, edges.probability
having count(bands.risk_band) != 1
