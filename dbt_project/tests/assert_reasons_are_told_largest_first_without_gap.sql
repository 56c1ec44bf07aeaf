{{ config(tags=['after_scores']) }}

with

neighbours as (
    select
        customer_id,
        reason_rank,
        contribution,
        lag(reason_rank) over reasons as previous_rank,
        lag(contribution) over reasons as previous_contribution
    from {{ ref('fct_churn_reason_codes') }}
    window reasons as (partition by as_of_date, customer_id order by reason_rank)
)

select customer_id
from neighbours
where
    contribution <= 0
    or contribution > previous_contribution
    or reason_rank != coalesce(previous_rank, 0) + 1
