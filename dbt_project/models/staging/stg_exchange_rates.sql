select
    currency_code,
    batch_no,
    rate_to_reporting,
    rate_on,
    cast(known_at as date) as known_date
from {{ source('raw', 'exchange_rates') }}
