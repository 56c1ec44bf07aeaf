-- A label is 0 or 1 exactly for mature rows; never 0 for what is not yet known.
{{ config(tags=['training']) }}

select
    customer_id,
    as_of_date
from {{ ref('churn_panel') }}
where (label_status = 'mature') != (is_churned is not null)
