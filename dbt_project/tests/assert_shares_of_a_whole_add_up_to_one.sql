-- Within what rounding to six places leaves, and what a hundred thousand million-millionths in a power of a matrix do.
with

sums as (
    select
        'migration' as mart,
        as_of_date,
        scheme,
        sum(share_of_from) as sum_shares,
        count(*) as count_shares
    from {{ ref('fct_tier_migration') }}
    where from_state = 'in_stock'
    group by as_of_date, period, scheme, customer_kind, from_tier

    union all

    select
        'long run, now' as mart,
        as_of_date,
        scheme,
        sum(share_now) as sum_shares,
        count(*) as count_shares
    from {{ ref('fct_tier_long_run') }}
    group by as_of_date, period, scheme, customer_kind

    union all

    select
        'long run' as mart,
        as_of_date,
        scheme,
        sum(share_long_run) as sum_shares,
        count(*) as count_shares
    from {{ ref('fct_tier_long_run') }}
    group by as_of_date, period, scheme, customer_kind
    having sum(share_long_run) is not null

    union all

    select
        'crosswalk' as mart,
        as_of_date,
        scheme,
        sum(share_of_all) as sum_shares,
        count(*) as count_shares
    from {{ ref('fct_tier_crosswalk') }}
    group by as_of_date, scheme, other_scheme

    union all

    select
        'summary' as mart,
        as_of_date,
        scheme,
        sum(share_of_customers) as sum_shares,
        count(*) as count_shares
    from {{ ref('fct_tier_summary') }}
    group by as_of_date, scheme, customer_kind
    having sum(count_customers) > 0
)

select *
from sums
where abs(sum_shares - 1) > 0.000001 * count_shares
