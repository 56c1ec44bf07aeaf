-- The wide mart joins all schemes: who were missing in one would be missing here. The grain tests hold that nobody is twice.
select customers.customer_id
from {{ ref('dim_customers') }} as customers
left join {{ ref('fct_customer_tiers') }} as tiers
    on
        customers.customer_id = tiers.customer_id
        and customers.as_of_date = tiers.as_of_date
where tiers.customer_id is null
