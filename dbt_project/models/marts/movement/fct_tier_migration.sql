with

every_kind as (
    {{
        with_all_kinds(
            ref('int_tier_moves'),
            [
                'scheme', 'basis', 'period', 'from_state', 'from_tier', 'to_state', 'to_tier', 'count_customers',
                'count_churned', 'count_known_balances', 'sum_balance', 'as_of_date', 'from_date',
            ]
        )
    }}
),

cells as (
    select
        period,
        scheme,
        customer_kind,
        from_state,
        from_tier,
        to_state,
        to_tier,
        sum(count_customers) as count_customers,
        sum(count_churned) as count_churned,
        sum(count_known_balances) as count_known_balances,
        sum(sum_balance) as sum_balance,
        as_of_date,
        from_date
    from every_kind
    where basis = 'effective'
    group by
        period, scheme, customer_kind, from_state, from_tier, to_state, to_tier, as_of_date, from_date
),

of_from as (
    select
        *,
        sum(count_customers) over (
            partition by as_of_date, period, scheme, customer_kind, from_state, from_tier
        ) as count_from
    from cells
),

final as (
    select
        of_from.period,
        of_from.scheme,
        of_from.customer_kind,
        of_from.from_state,
        of_from.from_tier,
        of_from.to_state,
        of_from.to_tier,
        run_dates.reporting_currency_code as currency_code,
        cast(of_from.count_customers as integer) as count_customers,
        case
            when of_from.from_state = 'in_stock'
                then {{ divide_exact('of_from.count_customers', 'of_from.count_from', 6) }}
        end as share_of_from,
        cast(of_from.count_churned as integer) as count_churned,
        cast(of_from.count_known_balances as integer) as count_known_balances,
        cast(of_from.sum_balance as {{ money() }}) as sum_balance,
        of_from.as_of_date,
        of_from.from_date
    from of_from
    inner join {{ ref('int_run_dates') }} as run_dates on of_from.as_of_date = run_dates.as_of_date
)

select * from final
