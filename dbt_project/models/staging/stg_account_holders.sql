with

delivered as (
    {{ delivered('account_holders') }}
)

select
    account_id,
    customer_id,
    holder_role,
    batch_no,
    valid_to,
    coalesce(valid_from, cast(known_at as date)) as valid_from,
    known_date,
    known_at
from delivered
