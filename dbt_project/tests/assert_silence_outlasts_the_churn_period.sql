-- `int_churn_forms` reads a silence from the acts on either side of one point; two silences never fall into one period
-- as long as a silence takes longer than the period does.
select
    policy_set,
    effective_from
from {{ ref('policy_churn') }}
where silence_days <= gap_days + outcome_days
