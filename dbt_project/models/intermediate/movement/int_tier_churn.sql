with

tiered as (
    select
        {{ scheme_of_set() }} as scheme,
        {{ tier_of_set() }} as tier,
        customer_kind,
        cast(count(*) as integer) as count_at_start,
        cast(count(*) filter (where is_churned) as integer) as count_churned,
        as_of_date
    from {{ ref('int_churn_periods') }}
    group by {{ scheme_sets(['as_of_date', 'customer_kind']) }}  -- noqa: PRS
)

select *
from tiered
where tier is not null
