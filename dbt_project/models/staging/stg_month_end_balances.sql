with

delivered as (
    {{ delivered('month_end_balances') }}
)

select
    account_id,
    currency_code,
    batch_no,
    balance_amount,
    balance_on,
    known_date
from delivered
