{{ config(schema='run', tags=['after_scores']) }}

select
    customer_id,
    model_version,
    reason_1,
    reason_2,
    reason_3,
    reason_4,
    reason_5,
    churn_probability,
    log_odds,
    base_log_odds,
    contribution_1,
    contribution_2,
    contribution_3,
    contribution_4,
    contribution_5,
    contribution_rest,
    as_of_date
from {{ source('scores', 'raw_churn_scores') }}
