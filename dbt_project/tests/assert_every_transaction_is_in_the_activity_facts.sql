-- By batch, as many postings in each of the facts as transactions in raw.
with

transactions as (
    select
        batch_no,
        count(*) as count_transactions
    from {{ ref('stg_transactions') }}
    where {{ is_of_unpublished_batch() }}
    group by batch_no
),

activity as (
    select
        batch_no,
        sum(count_postings) as count_postings
    from {{ ref('fct_customer_activity_daily') }}
    where {{ is_of_unpublished_batch() }}
    group by batch_no
),

flows as (
    select
        batch_no,
        sum(count_postings) as count_postings
    from {{ ref('fct_account_flows_daily') }}
    where {{ is_of_unpublished_batch() }}
    group by batch_no
)

select
    transactions.batch_no,
    transactions.count_transactions,
    activity.count_postings as count_in_activity,
    flows.count_postings as count_in_flows
from transactions
left join activity on transactions.batch_no = activity.batch_no
left join flows on transactions.batch_no = flows.batch_no
where
    coalesce(activity.count_postings, 0) != transactions.count_transactions
    or coalesce(flows.count_postings, 0) != transactions.count_transactions
