select customers.customer_id
from {{ ref('dim_customers') }} as customers
left join {{ ref('fct_customer_rfm') }} as rfm
    on
        customers.customer_id = rfm.customer_id
        and customers.as_of_date = rfm.as_of_date
where rfm.customer_id is null
