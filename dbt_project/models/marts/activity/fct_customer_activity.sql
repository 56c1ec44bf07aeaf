{# From every customer, not from the transactions: those without any are the ones to look at. #}
with

customers as (
    select * from {{ ref('int_customers_at') }}
),

final as (
    select
        customers.customer_id,
        customers.relationship_status,
        customers.currency_code,
        {%- for measure in ['count_transactions', 'count_active_days'] %}
            {%- for length in [30, 90, 365] %}
                coalesce(windows.{{ measure }}_{{ length }}d, 0) as {{ measure }}_{{ length }}d,
            {%- endfor %}
        {%- endfor %}
        coalesce(windows.count_digital_transactions_90d, 0) as count_digital_transactions_90d,
        {{ days_between('windows.last_activity_on', 'customers.as_of_date') }} as days_since_last_activity,
        {%- for column in [
            'sum_amount_30d', 'sum_amount_90d', 'sum_amount_365d', 'sum_inflow_90d', 'sum_outflow_90d',
        ] %}
            cast(coalesce(windows.{{ column }}, 0) as {{ money() }}) as {{ column }},
        {%- endfor %}
        balances.closing_balance_amount as closing_balance,
        balances.mean_balance_30d_amount as mean_balance_30d,
        balances.mean_balance_90d_amount as mean_balance_90d,
        balances.mean_balance_prior_90d_amount as mean_balance_prior_90d,
        coalesce(windows.count_active_days_prior_90d, 0) as count_active_days_prior_90d,
        cast(coalesce(windows.sum_amount_prior_90d, 0) as {{ money() }}) as sum_amount_prior_90d,
        cast(coalesce(windows.sum_customer_outflow_365d, 0) as {{ money() }}) as sum_spending_365d,
        {#- Without an account that could hold anything there are no assets and no debts; that is known. #}
        {%- for column, balance in {
            'closing_assets': 'closing_assets', 'mean_assets_90d': 'mean_assets_90d',
            'closing_debts': 'closing_loan', 'mean_debts_90d': 'mean_loan_90d',
        }.items() %}
            cast(
                case when balances.customer_id is null then 0 else balances.{{ balance }}_amount end as {{ money() }}
            ) as {{ column }},
        {%- endfor %}
        balances.mean_term_months,
        customers.as_of_date,
        windows.last_activity_on
    from customers
    left join {{ ref('int_customer_windows') }} as windows
        on
            customers.customer_id = windows.customer_id
            and customers.observed_on = windows.observed_on
            and customers.known_by_on = windows.known_by_on
    left join {{ ref('int_customer_balances') }} as balances
        on
            customers.customer_id = balances.customer_id
            and customers.observed_on = balances.observed_on
            and customers.known_by_on = balances.known_by_on
)

select * from final
