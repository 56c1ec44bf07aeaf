with

delivered as (
    {{ delivered('customers') }}
)

select
    customer_id,
    customer_kind,
    branch_id,
    sex,
    education,
    occupation,
    city,
    currency_code as income_currency_code,
    birth_year,
    batch_no,
    annual_income_amount,
    is_marketing_allowed,
    is_disabled,
    opened_on,
    closed_on,
    coalesce(valid_from, cast(known_at as date)) as valid_from,
    known_date,
    known_at
from delivered
