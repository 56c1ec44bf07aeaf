{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail'
    )
}}

{# Append-only and keyed by arrival: a run takes the batches it has not seen, rewrites nothing, and a late row becomes
    one more row of its old activity date. #}
with

arrivals as (
    select *
    from {{ ref('stg_transactions') }}
    {% if is_incremental() %}
        where batch_no > (select coalesce(max(facts.batch_no), 0) from {{ this }} as facts)
    {% endif %}
),

bank as (
    select reporting_currency_code
    from {{ source('ops', 'sources') }}
),

foreign_days as (
    select distinct
        arrivals.currency_code,
        arrivals.booked_on,
        arrivals.known_date
    from arrivals
    cross join bank
    where arrivals.currency_code != bank.reporting_currency_code
),

{# The last rate on or before the booking date, of those known when the transaction was. #}
rates_ranked as (
    select
        foreign_days.currency_code,
        foreign_days.booked_on,
        foreign_days.known_date,
        rates.rate_to_reporting,
        row_number() over (
            partition by foreign_days.currency_code, foreign_days.booked_on, foreign_days.known_date
            order by rates.rate_on desc
        ) as recency_rank
    from foreign_days
    inner join {{ ref('stg_exchange_rates') }} as rates
        on
            foreign_days.currency_code = rates.currency_code
            and foreign_days.booked_on >= rates.rate_on
            and foreign_days.known_date >= rates.known_date
),

rated as (
    select
        arrivals.*,
        arrivals.reverses_transaction_id is not null as is_reversal,
        case
            when arrivals.currency_code = bank.reporting_currency_code then arrivals.amount
            else cast(round(arrivals.amount * rates_ranked.rate_to_reporting, 2) as {{ money() }})
        end as reporting_amount
    from arrivals
    cross join bank
    left join rates_ranked
        on
            arrivals.currency_code = rates_ranked.currency_code
            and arrivals.booked_on = rates_ranked.booked_on
            and arrivals.known_date = rates_ranked.known_date
            and rates_ranked.recency_rank = 1
),

{# A reversal takes the amount back, and is no act of the customer. #}
measured as (
    select
        *,
        is_customer_initiated and not is_reversal as is_customer_act,
        case
            when not is_customer_initiated then 0
            when is_reversal then -reporting_amount
            else reporting_amount
        end as customer_amount
    from rated
),

final as (
    select
        account_id,
        batch_id,
        min(batch_no) as batch_no,
        cast(count(*) as integer) as count_postings,
        cast(sum(case when reporting_amount is null then 1 else 0 end) as integer) as count_postings_without_rate,
        cast(sum(case when is_customer_act then 1 else 0 end) as integer) as count_customer_transactions,
        cast(
            sum(case when is_customer_act and channel in ('mobile', 'web') then 1 else 0 end) as integer
        ) as count_digital_transactions,
        cast(sum(customer_amount) as {{ money() }}) as sum_customer_amount,
        cast(sum(case when direction = 'credit' then reporting_amount else 0 end) as {{ money() }}) as sum_inflow,
        cast(sum(case when direction = 'debit' then reporting_amount else 0 end) as {{ money() }}) as sum_outflow,
        cast(sum(signed_amount) as {{ money() }}) as sum_net_flow_account_currency,
        booked_on as activity_date,
        known_date
    from measured
    group by account_id, batch_id, booked_on, known_date
)

select * from final
