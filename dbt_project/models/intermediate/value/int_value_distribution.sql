{#
    How profit and assets are spread over the customers with an open account, by distinct value: equal values are one row,
    so that no order of customers enters. Shares are of the positive values: a loss gives nothing to share, and stands
    beside. Sums are whole cents, from the poorest up.
#}
with

valued as (
    select
        profits.customer_kind,
        cast(profits.net_profit_90d * 100 as bigint) as profit_cents,
        cast(activity.closing_assets * 100 as bigint) as assets_cents,
        profits.as_of_date
    from {{ ref('fct_customer_profit') }} as profits
    inner join {{ ref('fct_customer_activity') }} as activity
        on
            profits.customer_id = activity.customer_id
            and profits.as_of_date = activity.as_of_date
    where profits.relationship_status = 'open'
),

by_kind as (
    {%- for basis in ['profit', 'assets'] %}
        select
            '{{ basis }}' as basis,
            customer_kind,
            {{ basis }}_cents as value_cents,
            count(*) as count_customers,
            as_of_date
        from valued
        group by customer_kind, {{ basis }}_cents, as_of_date
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

counted as (
    select
        basis,
        customer_kind,
        value_cents,
        count_customers,
        as_of_date
    from by_kind

    union all

    select
        basis,
        'all' as customer_kind,
        value_cents,
        sum(count_customers) as count_customers,
        as_of_date
    from by_kind
    group by basis, value_cents, as_of_date
),

cumulated as (
    select
        basis,
        customer_kind,
        value_cents,
        cast(count_customers as bigint) as count_customers,
        {{ not_below_zero('value_cents') }} as share_cents,
        cast(
            sum(count_customers) over (
                partition by as_of_date, basis, customer_kind order by value_cents rows unbounded preceding
            ) as bigint
        ) as count_up_to,
        cast(
            sum({{ not_below_zero('value_cents') }} * count_customers) over (
                partition by as_of_date, basis, customer_kind order by value_cents rows unbounded preceding
            ) as bigint
        ) as cents_up_to,
        cast(sum(count_customers) over (partition by as_of_date, basis, customer_kind) as bigint) as count_known,
        cast(
            sum({{ not_below_zero('value_cents') }} * count_customers) over (
                partition by as_of_date, basis, customer_kind
            ) as bigint
        ) as base_cents,
        as_of_date
    from counted
    where value_cents is not null
),

final as (
    select
        *,
        count_up_to - count_customers as count_below,
        cents_up_to - share_cents * count_customers as cents_below
    from cumulated
)

select * from final
