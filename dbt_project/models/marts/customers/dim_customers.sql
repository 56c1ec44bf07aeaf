select
    customer_id,
    customer_kind,
    relationship_status,
    branch_id,
    city,
    sex,
    age_band,
    education,
    occupation,
    currency_code,
    tenure_days,
    count_open_accounts,
    count_product_families,
    is_open,
    is_elderly,
    is_disabled,
    {# True when one of the two is, false when neither is, null when the unknown one decides. #}
    is_elderly or is_disabled as needs_adapted_service,
    as_of_date,
    opened_on,
    closed_on
from {{ ref('int_customers_at') }}
