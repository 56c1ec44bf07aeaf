{# Everything about an account as it stood on the observed day. What the file tells of later days (a closing date in
    a history delivery) is masked here, once. #}
with

observations as (
    select * from {{ ref('int_observations') }}
),

account_versions as (
    {{ versions_at(ref('stg_accounts'), ['account_id'], 'observations') }}
),

product_versions as (
    {{ versions_at(ref('stg_products'), ['product_id'], 'observations') }}
),

holder_versions as (
    {{ versions_at(ref('stg_account_holders'), ['account_id', 'customer_id'], 'observations') }}
),

owners as (
    select
        observed_on,
        known_by_on,
        account_id,
        customer_id
    from holder_versions
    where
        holder_role = 'owner'
        and (valid_to is null or valid_to > observed_on)
),

final as (
    select
        account_versions.account_id,
        owners.customer_id,
        product_versions.product_id,
        product_versions.product_family,
        account_versions.currency_code,
        case when account_versions.closed_on <= account_versions.observed_on then account_versions.closure_reason end
            as closure_reason,
        product_versions.term_months,
        product_versions.is_deposit,
        account_versions.closed_on is null or account_versions.closed_on > account_versions.observed_on as is_open,
        account_versions.observed_on,
        account_versions.known_by_on,
        account_versions.opened_on,
        case when account_versions.closed_on <= account_versions.observed_on then account_versions.closed_on end
            as closed_on,
        account_versions.maturity_on,
        account_versions.known_date
    from account_versions
    inner join owners
        on
            account_versions.account_id = owners.account_id
            and account_versions.observed_on = owners.observed_on
            and account_versions.known_by_on = owners.known_by_on
    inner join product_versions
        on
            account_versions.product_id = product_versions.product_id
            and account_versions.observed_on = product_versions.observed_on
            and account_versions.known_by_on = product_versions.known_by_on
    where account_versions.opened_on <= account_versions.observed_on
)

select * from final
