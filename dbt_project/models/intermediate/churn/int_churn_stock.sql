{# Who had an open account when a period began, counted once a day and not once a period: who was in a spell by then is
    taken off later, by the spells that each as-of date knows. A customer counts in every product family held. #}
with

stock as (
    select *
    from {{ ref('int_churn_traits') }}
    where is_open
),

by_trait as (
    select
        {{ trait_of_set() }},
        count(*) as count_customers,
        count(start_balance_amount) as count_known_balances,
        sum(start_balance_amount) as sum_balance,
        from_date
    from stock
    group by {{ trait_sets(['from_date']) }}  -- noqa: PRS
),

by_product as (
    select
        'product_held' as dimension,
        holdings.product_family as member,
        count(*) as count_customers,
        count(stock.start_balance_amount) as count_known_balances,
        sum(stock.start_balance_amount) as sum_balance,
        stock.from_date
    from stock
    inner join {{ ref('int_churn_holdings') }} as holdings
        on
            stock.customer_id = holdings.customer_id
            and stock.from_date = holdings.from_date
    group by holdings.product_family, stock.from_date
),

final as (
    select * from by_trait
    union all
    select * from by_product
)

select * from final
