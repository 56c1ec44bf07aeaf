with

delivered as (
    {{ delivered('tier_overrides') }}
)

select
    override_id,
    customer_id,
    scheme,
    tier,
    author,
    reason,
    batch_no,
    starts_on,
    expires_on,
    coalesce(valid_from, cast(known_at as date)) as valid_from,
    known_date,
    known_at
from delivered
