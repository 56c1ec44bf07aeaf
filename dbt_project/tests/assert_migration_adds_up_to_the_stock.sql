-- Columns of tiers are the stock of the as-of date, rows the stock of the date before, tier by tier. A customer who changed
-- kind counts as the later one, so the stock before adds up over both kinds only. Nothing is compared with a snapshot that did
-- not have the scheme yet.
with

customers as (
    {{
        rows_then_and_now(
            'fct_customer_tiers',
            ['as_of_date', 'customer_kind', 'is_open'] + tier_schemes().keys() | list,
            ['month', 'quarter', 'year']
        )
    }}
),

stock_by_kind as (
    select
        {{ scheme_of_set() }} as scheme,
        {{ tier_of_set() }} as tier,
        customer_kind,
        as_of_date,
        count(*) as count_stock
    from customers
    where is_open
    group by {{ scheme_sets(['as_of_date', 'customer_kind']) }}  -- noqa: PRS
),

stock as (
    select
        scheme,
        tier,
        customer_kind,
        as_of_date,
        sum(count_stock) as count_stock
    from ({{ with_all_kinds('stock_by_kind', ['scheme', 'tier', 'as_of_date', 'count_stock']) }}) as every_kind
    group by scheme, tier, customer_kind, as_of_date
),

without_scheme as (
    select distinct
        scheme,
        as_of_date
    from stock
    where tier is null
),

schemes as (
    select distinct scheme
    from stock
),

periods as (
    select
        base_dates.period,
        schemes.scheme,
        base_dates.as_of_date,
        base_dates.from_date
    from {{ ref('int_tier_base_dates') }} as base_dates
    cross join schemes
    left join without_scheme
        on
            base_dates.from_date = without_scheme.as_of_date
            and schemes.scheme = without_scheme.scheme
    where
        base_dates.period != 'churn'
        and without_scheme.scheme is null
),

expected as (
    select
        'after' as side,
        periods.period,
        periods.as_of_date,
        stock.scheme,
        stock.customer_kind,
        stock.tier,
        stock.count_stock
    from periods
    inner join stock
        on
            periods.as_of_date = stock.as_of_date
            and periods.scheme = stock.scheme

    union all

    select
        'before' as side,
        periods.period,
        periods.as_of_date,
        stock.scheme,
        stock.customer_kind,
        stock.tier,
        stock.count_stock
    from periods
    inner join stock
        on
            periods.from_date = stock.as_of_date
            and periods.scheme = stock.scheme
    where stock.customer_kind = 'all'
),

sums as (
    select
        'after' as side,
        period,
        as_of_date,
        scheme,
        customer_kind,
        to_tier as tier,
        sum(count_customers) as count_moved
    from {{ ref('fct_tier_migration') }}
    where to_state = 'in_stock'
    group by period, as_of_date, scheme, customer_kind, to_tier

    union all

    select
        'before' as side,
        period,
        as_of_date,
        scheme,
        customer_kind,
        from_tier as tier,
        sum(count_customers) as count_moved
    from {{ ref('fct_tier_migration') }}
    where
        from_state = 'in_stock'
        and customer_kind = 'all'
    group by period, as_of_date, scheme, customer_kind, from_tier
)

select
    coalesce(expected.side, sums.side) as side,
    coalesce(expected.period, sums.period) as period,
    coalesce(expected.as_of_date, sums.as_of_date) as as_of_date,
    coalesce(expected.scheme, sums.scheme) as scheme,
    coalesce(expected.tier, sums.tier) as tier,
    expected.count_stock,
    sums.count_moved
from expected
full outer join sums
    on
        expected.side = sums.side
        and expected.period = sums.period
        and expected.as_of_date = sums.as_of_date
        and expected.scheme = sums.scheme
        and expected.customer_kind = sums.customer_kind
        and expected.tier = sums.tier
where
    expected.count_stock is null
    or sums.count_moved is null
    or expected.count_stock != sums.count_moved
