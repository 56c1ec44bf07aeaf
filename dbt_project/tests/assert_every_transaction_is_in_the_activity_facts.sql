-- By batch, as many postings in the facts as transactions in raw.
with

transactions as (
    select
        batch_id,
        count(*) as count_transactions
    from {{ ref('stg_transactions') }}
    group by batch_id
),

postings as (
    select
        batch_id,
        sum(count_postings) as count_postings
    from {{ ref('fct_account_activity_daily') }}
    group by batch_id
)

select
    transactions.batch_id,
    transactions.count_transactions,
    postings.count_postings
from transactions
left join postings on transactions.batch_id = postings.batch_id
where coalesce(postings.count_postings, 0) != transactions.count_transactions
