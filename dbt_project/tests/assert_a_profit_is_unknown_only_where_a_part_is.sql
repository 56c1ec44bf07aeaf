-- Every customer has a profit or is told why not: a policy without a family, channel or band would leave it out in silence.
select
    customers.customer_id,
    customers.as_of_date
from {{ ref('int_customers_at') }} as customers
left join {{ ref('fct_customer_profit') }} as profits
    on
        customers.customer_id = profits.customer_id
        and customers.as_of_date = profits.as_of_date
where
    profits.customer_id is null
    or profits.service_cost_90d is null
    or (profits.net_profit_90d is null) != (profits.unknown_balances != 'none' or profits.fees_90d is null)
