-- Each pair of schemes, and each scheme and kind of customer, holds the whole stock: no tier is missing from the policy.
with

stock_by_kind as (
    select
        as_of_date,
        customer_kind,
        count(*) as count_stock
    from {{ ref('fct_customer_tiers') }}
    where is_open
    group by as_of_date, customer_kind
),

stock as (
    select
        as_of_date,
        customer_kind,
        sum(count_stock) as count_stock
    from ({{ with_all_kinds('stock_by_kind', ['as_of_date', 'count_stock']) }}) as every_kind
    group by as_of_date, customer_kind
),

pairs as (
    {% for scheme in tier_schemes() %}
        {% set outer_loop = loop %}
        {% for other_scheme in tier_schemes() if other_scheme != scheme %}
            select
                '{{ scheme }}' as scheme,
                '{{ other_scheme }}' as other_scheme
            {{ 'union all' if not (loop.last and outer_loop.last) }}
        {% endfor %}
    {% endfor %}
),

schemes as (
    select distinct scheme
    from pairs
),

crosswalk as (
    select
        as_of_date,
        scheme,
        other_scheme,
        sum(count_customers) as count_counted
    from {{ ref('fct_tier_crosswalk') }}
    group by as_of_date, scheme, other_scheme
),

summary as (
    select
        as_of_date,
        scheme,
        customer_kind,
        sum(count_customers) as count_counted
    from {{ ref('fct_tier_summary') }}
    group by as_of_date, scheme, customer_kind
)

select
    'crosswalk' as mart,
    stock.as_of_date,
    pairs.scheme,
    pairs.other_scheme as held_against
from stock
cross join pairs
left join crosswalk
    on
        stock.as_of_date = crosswalk.as_of_date
        and pairs.scheme = crosswalk.scheme
        and pairs.other_scheme = crosswalk.other_scheme
where
    stock.customer_kind = 'all'
    and coalesce(crosswalk.count_counted, 0) != stock.count_stock

union all

select
    'summary' as mart,
    stock.as_of_date,
    schemes.scheme,
    stock.customer_kind as held_against
from stock
cross join schemes
left join summary
    on
        stock.as_of_date = summary.as_of_date
        and schemes.scheme = summary.scheme
        and stock.customer_kind = summary.customer_kind
where coalesce(summary.count_counted, 0) != stock.count_stock
