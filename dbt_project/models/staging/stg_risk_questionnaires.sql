with

delivered as (
    {{ delivered('risk_questionnaires') }}
)

select
    questionnaire_id,
    customer_id,
    risk_appetite,
    batch_no,
    experience_years,
    answered_on,
    known_date
from delivered
