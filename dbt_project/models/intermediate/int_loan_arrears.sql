{# How late a customer with a loan paid or is, in 180 days and in the time that policy looks back for the loan record. #}
with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

record_policy as (
    {{ policy_in_force(ref('policy_loan_records'), 'run_dates', ['policy.customer_kind']) }}
),

observations as (
    select *
    from {{ ref('int_observations') }}
    where observation_kind = 'snapshot'
),

payment_versions as (
    {{ versions_at(ref('stg_loan_payments'), ['loan_id', 'due_on'], 'observations') }}
),

loan_versions as (
    {{ versions_at(ref('stg_loans'), ['loan_id'], 'observations') }}
),

{# Grouped, so that no planner joins the payments to the accounts of the day before it joins the loans. #}
borrowers as (
    select
        loan_versions.loan_id,
        accounts.customer_id,
        loan_versions.observed_on,
        loan_versions.known_by_on
    from loan_versions
    inner join {{ ref('int_account_states') }} as accounts
        on
            loan_versions.account_id = accounts.account_id
            and loan_versions.observed_on = accounts.observed_on
            and loan_versions.known_by_on = accounts.known_by_on
    where loan_versions.granted_on <= loan_versions.observed_on
    group by
        loan_versions.loan_id,
        accounts.customer_id,
        loan_versions.observed_on,
        loan_versions.known_by_on
),

lookbacks as (
    select
        borrowers.*,
        record_policy.poor_from_days_past_due,
        record_policy.lookback_days
    from borrowers
    inner join {{ ref('int_customers_at') }} as customers
        on
            borrowers.customer_id = customers.customer_id
            and borrowers.observed_on = customers.as_of_date
    inner join record_policy
        on
            customers.as_of_date = record_policy.as_of_date
            and customers.customer_kind = record_policy.customer_kind
),

{# A payment made after the observed day was still open on it. #}
due_payments as (
    select
        loan_id,
        {{ days_between('due_on', 'observed_on') }} as due_days_ago,
        case
            when paid_on <= observed_on then greatest(0, {{ days_between('due_on', 'paid_on') }})
            else {{ days_between('due_on', 'observed_on') }}
        end as days_past_due,
        coalesce(paid_on <= observed_on, false) as is_paid,
        observed_on,
        known_by_on
    from payment_versions
    where due_on <= observed_on
),

final as (
    select
        lookbacks.customer_id,
        max(lookbacks.poor_from_days_past_due) as poor_from_days_past_due,
        max(lookbacks.lookback_days) as lookback_days,
        max(due_payments.days_past_due) filter (where due_payments.due_days_ago < 180) as max_days_past_due_180d,
        max(due_payments.days_past_due) filter (where due_payments.due_days_ago < lookbacks.lookback_days)
            as max_days_past_due_in_lookback,
        max(due_payments.days_past_due) filter (where not due_payments.is_paid) as days_past_due,
        lookbacks.observed_on,
        lookbacks.known_by_on
    from lookbacks
    left join due_payments
        on
            lookbacks.loan_id = due_payments.loan_id
            and lookbacks.observed_on = due_payments.observed_on
            and lookbacks.known_by_on = due_payments.known_by_on
    group by lookbacks.customer_id, lookbacks.observed_on, lookbacks.known_by_on
)

select * from final
