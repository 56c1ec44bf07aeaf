{# The curve runs straight between distinct values, so customers who are equal need no order. #}
with

points as (
    select point_no
    from generate_series(0, 100) as numbers (point_no)
),

{# Of the many values, the few in whose stretch of customers a point lies. #}
stretches as (
    select
        basis,
        customer_kind,
        share_cents,
        count_known,
        count_below,
        cents_below,
        base_cents,
        case
            when count_below = 0 then 0
            else {{ divide_whole('100 * count_below', 'count_known') }} + 1
        end as first_point_no,
        {{ divide_whole('100 * count_up_to', 'count_known') }} as last_point_no,
        as_of_date
    from {{ ref('int_value_distribution') }}
),

placed as (
    select
        stretches.*,
        points.point_no
    from stretches
    inner join points
        on
            stretches.first_point_no <= points.point_no
            and stretches.last_point_no >= points.point_no
    where stretches.first_point_no <= stretches.last_point_no
),

final as (
    select
        concentration.basis,
        concentration.customer_kind,
        concentration.base,
        cast(points.point_no as integer) as point_no,
        cast({{ divide_exact('points.point_no', 100, scale=6) }} as numeric(7, 6)) as share_customers,
        cast(
            {{
                divide_exact(
                    '100 * cast(placed.cents_below as numeric(36, 0)) + placed.share_cents'
                    ~ ' * cast(points.point_no * placed.count_known - 100 * placed.count_below as numeric(18, 0))',
                    '100 * cast(placed.base_cents as numeric(36, 0))',
                    scale=6
                )
            }} as numeric(7, 6)
        ) as share_value,
        concentration.as_of_date
    from {{ ref('fct_value_concentration') }} as concentration
    cross join points
    left join placed
        on
            concentration.basis = placed.basis
            and concentration.customer_kind = placed.customer_kind
            and concentration.as_of_date = placed.as_of_date
            and points.point_no = placed.point_no
)

select * from final
