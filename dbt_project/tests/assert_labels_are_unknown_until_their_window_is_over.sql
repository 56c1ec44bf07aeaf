-- A label is 0 or 1 exactly for mature rows, never 0 for what is not yet known; a churn has a form, a choice
-- and its days, within the window; nothing else has.
{{ config(tags=['training']) }}

select
    customer_id,
    as_of_date
from {{ ref('churn_panel') }}
where
    (label_status = 'mature') != (is_churned is not null)
    or (coalesce(is_churned, 0) = 1) != (churn_form is not null)
    or (coalesce(is_churned, 0) = 1) != (is_voluntary is not null)
    or (coalesce(is_churned, 0) = 1) != (churned_on is not null)
    or (coalesce(is_churned, 0) = 1) != (churn_known_on is not null)
    or churned_on not between label_from_on and label_to_on
    or churn_known_on < churned_on
    {%- for form in churn_forms() %}
        or (is_churned is not null) != (is_{{ form }} is not null)
        or (churn_form = '{{ form }}' and not is_{{ form }})
    {%- endfor %}
