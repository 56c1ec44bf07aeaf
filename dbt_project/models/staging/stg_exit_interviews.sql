with

delivered as (
    {{ delivered('exit_interviews') }}
)

select
    exit_interview_id,
    customer_id,
    reason,
    destination,
    batch_no,
    interviewed_on,
    known_date
from delivered
