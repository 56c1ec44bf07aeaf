select
    survey_id,
    customer_id,
    channel,
    batch_no,
    score,
    answered_on,
    cast(known_at as date) as known_date
from {{ source('raw', 'satisfaction_surveys') }}
