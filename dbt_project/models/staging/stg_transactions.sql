with

delivered as (
    {{ delivered('transactions') }}
)

select
    transaction_id,
    account_id,
    direction,
    currency_code,
    transaction_type,
    channel,
    reverses_transaction_id,
    batch_no,
    booked_hour,
    amount,
    case when direction = 'credit' then amount else -amount end as signed_amount,
    is_customer_initiated,
    booked_on,
    known_date
from delivered
