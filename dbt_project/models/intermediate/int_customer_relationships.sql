{# What a customer holds on the observed day, and held at the start of the churn period. #}
with

accounts as (
    select
        accounts.*,
        observations.started_on
    from {{ ref('int_account_states') }} as accounts
    inner join {{ ref('int_observations') }} as observations
        on
            accounts.observed_on = observations.observed_on
            and accounts.known_by_on = observations.known_by_on
),

final as (
    select
        customer_id,
        cast(sum(case when is_open then 1 else 0 end) as integer) as count_open_accounts,
        cast(count(distinct case when is_open then product_family end) as integer) as count_product_families,
        cast(
            sum(
                case
                    when opened_on <= started_on and (closed_on is null or closed_on > started_on) then 1
                    else 0
                end
            ) as integer
        ) as count_open_accounts_at_start,
        min(opened_on) as first_opened_on,
        max(closed_on) as last_closed_on,
        min(case when is_open and maturity_on > observed_on then maturity_on end) as next_maturity_on,
        observed_on,
        known_by_on
    from accounts
    group by customer_id, observed_on, known_by_on
)

select * from final
