-- A label is 0 or 1 exactly for mature rows, never 0 for what is not yet known; a churn has a form and a choice, nothing else.
{{ config(tags=['training']) }}

select
    customer_id,
    as_of_date
from {{ ref('churn_panel') }}
where
    (label_status = 'mature') != (is_churned is not null)
    or (coalesce(is_churned, 0) = 1) != (churn_form is not null)
    or (coalesce(is_churned, 0) = 1) != (is_voluntary is not null)
