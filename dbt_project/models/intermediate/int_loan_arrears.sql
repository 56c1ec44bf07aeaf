with

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
    group by
        loan_versions.loan_id,
        accounts.customer_id,
        loan_versions.observed_on,
        loan_versions.known_by_on
),

{# A payment made after the observed day was still open on it. #}
final as (
    select
        borrowers.customer_id,
        max(
            case
                when payment_versions.paid_on <= payment_versions.observed_on
                    then
                        greatest(
                            0, {{ days_between('payment_versions.due_on', 'payment_versions.paid_on') }}
                        )
                else {{ days_between('payment_versions.due_on', 'payment_versions.observed_on') }}
            end
        ) as max_days_past_due_180d,
        payment_versions.observed_on,
        payment_versions.known_by_on
    from payment_versions
    inner join borrowers
        on
            payment_versions.loan_id = borrowers.loan_id
            and payment_versions.observed_on = borrowers.observed_on
            and payment_versions.known_by_on = borrowers.known_by_on
    where
        payment_versions.due_on <= payment_versions.observed_on
        and payment_versions.due_on > {{ add_days('payment_versions.observed_on', -180) }}
    group by borrowers.customer_id, payment_versions.observed_on, payment_versions.known_by_on
)

select * from final
