with

delivered as (
    {{ delivered('products') }}
)

select
    product_id,
    product_name,
    product_family,
    currency_code,
    risk_level,
    term_months,
    batch_no,
    product_family in ('current', 'savings', 'term_deposit') as is_deposit,
    coalesce(valid_from, cast(known_at as date)) as valid_from,
    known_date,
    known_at
from delivered
