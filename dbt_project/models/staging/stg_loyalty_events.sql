with

delivered as (
    {{ delivered('loyalty_events') }}
)

select
    loyalty_event_id,
    customer_id,
    event_type,
    batch_no,
    points,
    booked_on,
    known_date
from delivered
