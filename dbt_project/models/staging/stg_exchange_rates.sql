with

delivered as (
    {{ delivered('exchange_rates') }}
)

select
    currency_code,
    batch_no,
    rate_to_reporting,
    rate_on,
    known_date
from delivered
