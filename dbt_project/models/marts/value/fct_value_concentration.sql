with

bases as (
    select 'profit' as basis
    union all
    select 'assets' as basis
),

kinds as (
    select 'all' as customer_kind
    union all
    select 'personal' as customer_kind
    union all
    select 'small_business' as customer_kind
),

{# Each basis and kind has its row, whoever the bank's customers are. #}
populations as (
    select
        bases.basis,
        kinds.customer_kind,
        run_dates.reporting_currency_code as currency_code,
        run_dates.as_of_date
    from {{ ref('int_run_dates') }} as run_dates
    cross join bases
    cross join kinds
),

stock_by_kind as (
    select
        customer_kind,
        count(*) as count_customers,
        as_of_date
    from {{ ref('fct_customer_profit') }}
    where relationship_status = 'open'
    group by customer_kind, as_of_date
),

stock as (
    select * from stock_by_kind

    union all

    select
        'all' as customer_kind,
        sum(count_customers) as count_customers,
        as_of_date
    from stock_by_kind
    group by as_of_date
),

{#
    The top fifth: each value of which fewer than a fifth of the customers have more, so ties come whole. The 80 % point: of
    the value at which four fifths of the base are reached, as many customers as it takes; equal ones are as good as each
    other. Gini: one less the sum of customers x (share before + share after).
#}
summed as (
    select
        basis,
        customer_kind,
        max(count_known) as count_known,
        coalesce(sum(count_customers) filter (where value_cents < 0), 0) as count_negative,
        sum(value_cents * count_customers) as value_cents,
        sum(value_cents * count_customers) filter (where value_cents < 0) as negative_cents,
        max(base_cents) as base_cents,
        sum(count_customers) filter (where 5 * (count_known - count_up_to) < count_known) as count_top_20,
        sum(share_cents * count_customers) filter (where 5 * (count_known - count_up_to) < count_known)
            as top_20_cents,
        max(
            count_known - count_up_to + {{
                divide_whole(
                    '4 * base_cents - 5 * (base_cents - cents_up_to) + 5 * share_cents - 1', 'nullif(5 * share_cents, 0)'
                )
            }}
        ) filter (
            where
            share_cents > 0
            and 5 * (base_cents - cents_up_to) < 4 * base_cents
            and 5 * (base_cents - cents_below) >= 4 * base_cents
        ) as count_80,
        sum(
            cast(count_customers as numeric(38, 0))
            * (cast(cents_below as numeric(38, 0)) + cast(cents_up_to as numeric(38, 0)))
        ) as customers_by_cents,
        as_of_date
    from {{ ref('int_value_distribution') }}
    group by basis, customer_kind, as_of_date
),

final as (
    select
        populations.basis,
        populations.customer_kind,
        populations.currency_code,
        case
            when coalesce(summed.base_cents, 0) = 0 then 'no positive value'
            when summed.count_negative > 0 then 'sum of positive values'
            else 'sum of values'
        end as base,
        cast(coalesce(stock.count_customers, 0) as integer) as count_customers,
        cast(coalesce(stock.count_customers, 0) - coalesce(summed.count_known, 0) as integer) as count_unknown,
        cast(coalesce(summed.count_negative, 0) as integer) as count_negative,
        cast({{ from_cents('coalesce(summed.value_cents, 0)') }} as {{ money() }}) as sum_value,
        cast({{ from_cents('coalesce(summed.base_cents, 0)') }} as {{ money() }}) as sum_positive_value,
        cast({{ from_cents('coalesce(summed.negative_cents, 0)') }} as {{ money() }}) as sum_negative_value,
        cast(case when summed.base_cents > 0 then summed.count_top_20 end as integer) as count_top_20,
        cast({{ divide_exact('summed.top_20_cents', 'summed.base_cents', scale=6) }} as numeric(7, 6))
            as top_20_share,
        cast(summed.count_80 as integer) as count_customers_80,
        cast({{ divide_exact('summed.count_80', 'summed.count_known', scale=6) }} as numeric(7, 6))
            as share_customers_80,
        cast(
            {{
                divide_exact(
                    'summed.count_known * cast(summed.base_cents as numeric(38, 0)) - summed.customers_by_cents',
                    'summed.count_known * cast(summed.base_cents as numeric(38, 0))',
                    scale=6
                )
            }} as numeric(7, 6)
        ) as gini,
        populations.as_of_date
    from populations
    left join stock
        on
            populations.customer_kind = stock.customer_kind
            and populations.as_of_date = stock.as_of_date
    left join summed
        on
            populations.basis = summed.basis
            and populations.customer_kind = summed.customer_kind
            and populations.as_of_date = summed.as_of_date
)

select * from final
