-- The poorest first: no percentile adds less than the one before it, and the last has it all.
with

steps as (
    select
        as_of_date,
        basis,
        customer_kind,
        point_no,
        share_customers,
        share_value,
        share_value - lag(share_value) over (
            partition by as_of_date, basis, customer_kind order by point_no
        ) as step,
        share_value - lag(share_value, 2) over (
            partition by as_of_date, basis, customer_kind order by point_no
        ) as two_steps
    from {{ ref('fct_value_lorenz') }}
    where base != 'no positive value'
)

select
    as_of_date,
    basis,
    customer_kind,
    point_no
from steps
where
    share_value is null
    or share_value > share_customers
    or (point_no = 0 and share_value != 0)
    or (point_no = 100 and share_value != 1)
    {# Each step is known to the last place only. #}
    or (point_no >= 2 and 2 * step < two_steps - 0.000004)
