select
    account_id,
    currency_code,
    batch_no,
    balance_amount,
    balance_on,
    cast(known_at as date) as known_date
from {{ source('raw', 'month_end_balances') }}
