with

delivered as (
    {{ delivered('loan_payments') }}
)

select
    loan_id,
    currency_code,
    batch_no,
    due_amount,
    paid_amount,
    due_on,
    paid_on,
    coalesce(valid_from, cast(known_at as date)) as valid_from,
    known_date,
    known_at
from delivered
