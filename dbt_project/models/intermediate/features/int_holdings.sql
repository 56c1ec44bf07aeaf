{# What a customer holds beside balances: accounts come and gone, what competitors' rates can draw away, loans that run
    out, cards. #}
with

observations as (
    select *
    from {{ ref('int_observations') }}
    where observation_kind = 'snapshot'
),

loan_versions as (
    {{ versions_at(ref('stg_loans'), ['loan_id'], 'observations') }}
),

card_versions as (
    {{ versions_at(ref('stg_cards'), ['card_id'], 'observations') }}
),

{# A loan without a term ends nobody knows when. #}
loans as (
    select
        account_id,
        min(cast(granted_on + term_months * interval '1 month' as date)) as next_end_on,
        observed_on,
        known_by_on
    from loan_versions
    where
        granted_on <= observed_on
        and (closed_on is null or closed_on > observed_on)
        and cast(granted_on + term_months * interval '1 month' as date) > observed_on
    group by account_id, observed_on, known_by_on
),

cards as (
    select
        account_id,
        count(*) as count_cards,
        observed_on,
        known_by_on
    from card_versions
    where
        issued_on <= observed_on
        and (closed_on is null or closed_on > observed_on)
    group by account_id, observed_on, known_by_on
),

final as (
    select
        accounts.customer_id,
        count(*) filter (where accounts.closed_on > {{ add_days('accounts.observed_on', -365) }})
            as count_accounts_closed_365d,
        coalesce(sum(cards.count_cards) filter (where accounts.is_open), 0) as count_cards,
        count(*) filter (
            where accounts.is_open and accounts.product_family in ('savings', 'term_deposit', 'wealth')
        ) > 0 as holds_what_earns_a_rate,
        min(loans.next_end_on) filter (where accounts.is_open) as next_loan_end_on,
        accounts.observed_on,
        accounts.known_by_on
    from {{ ref('int_account_states') }} as accounts
    inner join observations
        on
            accounts.observed_on = observations.observed_on
            and accounts.known_by_on = observations.known_by_on
    left join loans
        on
            accounts.account_id = loans.account_id
            and accounts.observed_on = loans.observed_on
            and accounts.known_by_on = loans.known_by_on
    left join cards
        on
            accounts.account_id = cards.account_id
            and accounts.observed_on = cards.observed_on
            and accounts.known_by_on = cards.known_by_on
    group by accounts.customer_id, accounts.observed_on, accounts.known_by_on
)

select * from final
