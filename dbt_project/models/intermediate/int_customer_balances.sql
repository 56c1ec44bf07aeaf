{# Deposits in the reporting currency, at the last rate known on the observed day. One account without a balance makes
    its customer's unknown: a part shown as the whole would look like a drain. #}
with

account_balances as (
    select * from {{ ref('int_account_balances') }}
),

observations as (
    select * from {{ ref('int_observations') }}
),

rates_ranked as (
    select
        rates.currency_code,
        rates.rate_to_reporting,
        observations.observed_on,
        observations.known_by_on,
        row_number() over (
            partition by rates.currency_code, observations.observed_on, observations.known_by_on
            order by rates.rate_on desc
        ) as recency_rank
    from observations
    inner join {{ ref('stg_exchange_rates') }} as rates
        on
            observations.observed_on >= rates.rate_on
            and observations.known_by_on >= rates.known_date
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

final as (
    select
        customer_id,
        {%- for measure in [
            'closing_balance', 'mean_balance_30d', 'mean_balance_90d', 'mean_balance_prior_90d',
            'mean_balance_outcome', 'mean_balance_base', 'mean_balance_lead', 'mean_balance_prior_lead',
        ] %}
            case
                when count({{ measure }}_amount * rate) = count(*)
                    then cast(sum(round({{ measure }}_amount * rate, 2)) as {{ money() }})
            end as {{ measure }}_amount,
        {%- endfor %}
        observed_on,
        known_by_on
    from rated
    group by customer_id, observed_on, known_by_on
)

select * from final
