with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

fairness_policy as (
    {{ policy_in_force(ref('policy_fairness'), 'run_dates') }}
),

customers as (
    select
        customers_at.*,
        customers_at.age_years >= fairness_policy.elderly_from_age as is_elderly
    from {{ ref('int_customers_at') }} as customers_at
    inner join fairness_policy on customers_at.as_of_date = fairness_policy.as_of_date
),

final as (
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
    from customers
)

select * from final
