-- By batch, as many postings in each of the facts as transactions in raw.
with

transactions as (
    select
        batch_id,
        count(*) as count_transactions
    from {{ ref('stg_transactions') }}
    group by batch_id
),

activity as (
    select
        batch_id,
        sum(count_postings) as count_postings
    from {{ ref('fct_customer_activity_daily') }}
    group by batch_id
),

flows as (
    select
        batch_id,
        sum(count_postings) as count_postings
    from {{ ref('fct_account_flows_daily') }}
    group by batch_id
)

select
    transactions.batch_id,
    transactions.count_transactions,
    activity.count_postings as count_in_activity,
    flows.count_postings as count_in_flows
from transactions
left join activity on transactions.batch_id = activity.batch_id
left join flows on transactions.batch_id = flows.batch_id
where
    coalesce(activity.count_postings, 0) != transactions.count_transactions
    or coalesce(flows.count_postings, 0) != transactions.count_transactions
