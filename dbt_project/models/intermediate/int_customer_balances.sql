{# Deposits, investable assets and debts in the reporting currency, at the last rate known on the observed day. One
    account without a balance makes its customer's sum unknown: a part shown as the whole would look like a drain. #}
{%- set deposit_measures = [
    'closing_balance', 'mean_balance_30d', 'mean_balance_90d', 'mean_balance_prior_90d',
    'mean_balance_outcome', 'mean_balance_base', 'mean_balance_lead', 'mean_balance_prior_lead',
] -%}
{%- set families = ['current', 'savings', 'term_deposit', 'wealth', 'loan', 'card'] -%}

with

account_balances as (
    select * from {{ ref('int_account_balances') }}
),

observations as (
    select * from {{ ref('int_observations') }}
),

rates_ranked as (
    {{ rates_at('observations') }}
),

loan_versions as (
    {{ versions_at(ref('stg_loans'), ['loan_id'], 'observations') }}
),

{# A loan that is kept on a deposit account (Berka's are) shows in no balance: what its customer owes is unknown. #}
unseen_debts as (
    select distinct
        accounts.customer_id,
        accounts.observed_on,
        accounts.known_by_on
    from loan_versions
    inner join {{ ref('int_account_states') }} as accounts
        on
            loan_versions.account_id = accounts.account_id
            and loan_versions.observed_on = accounts.observed_on
            and loan_versions.known_by_on = accounts.known_by_on
    where
        accounts.product_family not in ('loan', 'card')
        and loan_versions.granted_on <= loan_versions.observed_on
        and coalesce(loan_versions.closed_on > loan_versions.observed_on, true)
        and coalesce(
            loan_versions.granted_on + loan_versions.term_months * interval '1 month' > loan_versions.observed_on, true
        )
),

rated as (
    select
        account_balances.*,
        case
            when account_balances.currency_code = observations.reporting_currency_code then 1
            else rates_ranked.rate_to_reporting
        end as rate
    from account_balances
    inner join observations
        on
            account_balances.observed_on = observations.observed_on
            and account_balances.known_by_on = observations.known_by_on
    left join rates_ranked
        on
            account_balances.currency_code = rates_ranked.currency_code
            and account_balances.observed_on = rates_ranked.observed_on
            and account_balances.known_by_on = rates_ranked.known_by_on
            and rates_ranked.recency_rank = 1
),

{# An account is a debt or it is not: an overdrawn deposit stays with the deposits, a card paid in advance owes nothing. #}
reported as (
    select
        customer_id,
        product_family,
        {# Bound for a time are term deposits only; one whose product does not say how long is unknown. #}
        case when product_family = 'term_deposit' then term_months else 0 end as term_months,
        {%- for measure in deposit_measures %}
            round({{ measure }}_amount * rate, 2) as {{ measure }},
        {%- endfor %}
        is_deposit,
        product_family in ('loan', 'card') as is_debt,
        observed_on,
        known_by_on
    from rated
),

{# Weighed by what lies there: a deposit account without a balance has no term. #}
weighed as (
    select
        *,
        {{ not_below_zero('closing_balance') }} as weight,
        case when is_debt then {{ not_below_zero('-closing_balance') }} else closing_balance end as closing_size,
        case when is_debt then {{ not_below_zero('-mean_balance_90d') }} else mean_balance_90d end as mean_size_90d
    from reported
),

summed as (
    select
        customer_id,
        {%- for measure in deposit_measures %}
            {{ sum_if_known(measure, 'is_deposit') }} as {{ measure }}_amount,
        {%- endfor %}
        {{ sum_if_known('closing_size', 'not is_debt', of_none=0) }} as closing_assets_amount,
        {{ sum_if_known('mean_size_90d', 'not is_debt', of_none=0) }} as mean_assets_90d_amount,
        {{ sum_if_known('closing_size', 'is_debt', of_none=0) }} as closing_loan_amount,
        {{ sum_if_known('mean_size_90d', 'is_debt', of_none=0) }} as mean_loan_90d_amount,
        {%- for family in families %}
            {{ sum_if_known(not_below_zero('mean_size_90d'), "product_family = '" ~ family ~ "'", of_none=0) }}
                as mean_balance_90d_of_{{ family }}_amount,
        {%- endfor %}
        {{ sum_if_known('weight', 'is_deposit') }} as weights,
        {{ sum_if_known('case when weight > 0 then weight * term_months else weight end', 'is_deposit') }}
            as weighed_months,
        observed_on,
        known_by_on
    from weighed
    group by customer_id, observed_on, known_by_on
),

final as (
    select
        summed.customer_id,
        {%- for measure in deposit_measures %}
            summed.{{ measure }}_amount,
        {%- endfor %}
        summed.closing_assets_amount,
        summed.mean_assets_90d_amount,
        {%- for family in families if family != 'loan' %}
            summed.mean_balance_90d_of_{{ family }}_amount,
        {%- endfor %}
        {%- for measure in ['closing_loan', 'mean_loan_90d', 'mean_balance_90d_of_loan'] %}
            cast(
                case when unseen_debts.customer_id is null then summed.{{ measure }}_amount end as {{ money() }}
            ) as {{ measure }}_amount,
        {%- endfor %}
        cast({{ divide_exact('summed.weighed_months', 'summed.weights') }} as numeric(9, 2)) as mean_term_months,
        summed.observed_on,
        summed.known_by_on
    from summed
    left join unseen_debts
        on
            summed.customer_id = unseen_debts.customer_id
            and summed.observed_on = unseen_debts.observed_on
            and summed.known_by_on = unseen_debts.known_by_on
)

select * from final
