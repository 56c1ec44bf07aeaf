{{ config(schema='run', tags=['after_scores']) }}

select
    customer_id,
    model_version,
    churn_probability,
    as_of_date
from {{ source('scores', 'raw_churn_scores') }}
