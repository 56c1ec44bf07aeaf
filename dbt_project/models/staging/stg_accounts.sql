with

delivered as (
    {{ delivered('accounts') }}
)

select
    account_id,
    product_id,
    branch_id,
    currency_code,
    closure_reason,
    batch_no,
    opened_on,
    closed_on,
    maturity_on,
    coalesce(valid_from, cast(known_at as date)) as valid_from,
    known_date,
    known_at
from delivered
