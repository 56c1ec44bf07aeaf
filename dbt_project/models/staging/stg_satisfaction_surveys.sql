with

delivered as (
    {{ delivered('satisfaction_surveys') }}
)

select
    survey_id,
    customer_id,
    channel,
    batch_no,
    score,
    answered_on,
    known_date
from delivered
