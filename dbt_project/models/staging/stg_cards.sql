with

delivered as (
    {{ delivered('cards') }}
)

select
    card_id,
    account_id,
    card_type,
    batch_no,
    issued_on,
    closed_on,
    coalesce(valid_from, cast(known_at as date)) as valid_from,
    known_date,
    known_at
from delivered
