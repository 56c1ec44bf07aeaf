with

delivered as (
    {{ delivered('loans') }}
)

select
    loan_id,
    account_id,
    currency_code,
    term_months,
    batch_no,
    principal_amount,
    granted_on,
    closed_on,
    coalesce(valid_from, cast(known_at as date)) as valid_from,
    known_date,
    known_at
from delivered
