-- Customers of all tiers together are the customers of the bank, on every date.
with

totals as (
    select
        as_of_date,
        sum(case when dimension = 'all' then kpi_value else 0 end) as count_all,
        sum(case when dimension = 'value_tier' then kpi_value else 0 end) as count_by_tier,
        sum(case when dimension = 'customer_kind' then kpi_value else 0 end) as count_by_kind
    from {{ ref('fct_kpis') }}
    where kpi_code = 'customers'
    group by as_of_date
)

select *
from totals
where count_all != count_by_tier or count_all != count_by_kind
