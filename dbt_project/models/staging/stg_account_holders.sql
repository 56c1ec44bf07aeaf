select
    account_id,
    customer_id,
    holder_role,
    batch_no,
    valid_to,
    coalesce(valid_from, cast(known_at as date)) as valid_from,
    cast(known_at as date) as known_date,
    known_at
from {{ source('raw', 'account_holders') }}
