with

delivered as (
    {{ delivered('interactions') }}
)

select
    interaction_id,
    customer_id,
    interaction_type,
    channel,
    topic,
    batch_no,
    is_result_told,
    opened_on,
    first_answered_on,
    resolved_on,
    coalesce(valid_from, cast(known_at as date)) as valid_from,
    known_date,
    known_at
from delivered
