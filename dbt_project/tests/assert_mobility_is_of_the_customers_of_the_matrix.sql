-- Each matrix of effective tiers has its measures, over the same customers and the same moves.
with

matrices as (
    select
        as_of_date,
        period,
        scheme,
        customer_kind,
        sum(count_customers) as count_customers,
        sum(case when from_tier != to_tier then count_customers else 0 end) as count_moved
    from {{ ref('fct_tier_migration') }}
    where
        from_state = 'in_stock'
        and to_state = 'in_stock'
    group by as_of_date, period, scheme, customer_kind
),

long_run as (
    select
        as_of_date,
        period,
        scheme,
        customer_kind,
        sum(count_customers) as count_customers
    from {{ ref('fct_tier_long_run') }}
    group by as_of_date, period, scheme, customer_kind
)

select
    matrices.as_of_date,
    matrices.period,
    matrices.scheme,
    matrices.customer_kind
from matrices
left join {{ ref('fct_tier_mobility') }} as mobility
    on
        matrices.as_of_date = mobility.as_of_date
        and matrices.period = mobility.period
        and matrices.scheme = mobility.scheme
        and matrices.customer_kind = mobility.customer_kind
        and mobility.basis = 'effective'
left join long_run
    on
        matrices.as_of_date = long_run.as_of_date
        and matrices.period = long_run.period
        and matrices.scheme = long_run.scheme
        and matrices.customer_kind = long_run.customer_kind
where
    coalesce(mobility.count_customers, 0) != matrices.count_customers
    or mobility.count_moved != matrices.count_moved
    or mobility.up_share + mobility.down_share > mobility.moved_share + 0.000001
    or mobility.mobility * (mobility.count_tiers - 1) > mobility.count_tiers
    or coalesce(long_run.count_customers, 0) != matrices.count_customers
