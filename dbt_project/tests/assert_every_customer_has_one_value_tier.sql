-- The grain test holds that nobody has two; this one that nobody has none.
select customers.customer_id
from {{ ref('dim_customers') }} as customers
left join {{ ref('fct_customer_value_tiers') }} as tiers
    on
        customers.customer_id = tiers.customer_id
        and customers.as_of_date = tiers.as_of_date
where tiers.customer_id is null
