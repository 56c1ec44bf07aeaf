with

stock as (
    select
        tiers.*,
        activity.sum_amount_365d,
        activity.closing_balance,
        customers.count_product_families
    from {{ ref('fct_customer_tiers') }} as tiers
    inner join {{ ref('fct_customer_activity') }} as activity
        on
            tiers.customer_id = activity.customer_id
            and tiers.as_of_date = activity.as_of_date
    inner join {{ ref('int_customers_at') }} as customers
        on
            tiers.customer_id = customers.customer_id
            and tiers.as_of_date = customers.as_of_date
    where tiers.is_open
),

final as (
    select
        {{ scheme_of_set() }} as scheme,
        {{ tier_of_set() }} as tier,
        customer_kind,
        cast(count(*) as integer) as count_customers,
        cast(sum(sum_amount_365d) as {{ money() }}) as sum_amount_365d,
        cast(count(closing_balance) as integer) as count_known_balances,
        cast(sum(closing_balance) as {{ money() }}) as sum_balance,
        cast(sum(count_product_families) as integer) as sum_product_families,
        cast(count(*) filter (where count_product_families >= 2) as integer) as count_multi_product,
        as_of_date
    from stock
    group by {{ scheme_sets(['as_of_date', 'customer_kind']) }}  -- noqa: PRS
)

select * from final
