{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        post_hook="{{ index_on(this, 'activity_date') }}"
    )
}}

{#
    Append-only and keyed by arrival: a run takes the batches it has not seen, rewrites nothing, and a late row becomes
    one more row of its old activity date. What a customer did stays with who owned the account on that day.
#}
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

owner_versions as (
    select *
    from {{ ref('stg_account_holders') }}
    where holder_role = 'owner'
),

owners_ever as (
    select
        account_id,
        min(customer_id) as customer_id,
        count(distinct customer_id) as count_owners
    from owner_versions
    group by account_id
),

{#
    Only accounts that changed hands need the dates: the owner by the newest version valid on the day and known when the
    posting was, else the first owner that became known.
#}
changed_hands_days as (
    select distinct
        arrivals.account_id,
        arrivals.booked_on,
        arrivals.known_date
    from arrivals
    inner join owners_ever
        on
            arrivals.account_id = owners_ever.account_id
            and owners_ever.count_owners > 1
),

changed_hands_ranked as (
    select
        changed_hands_days.account_id,
        changed_hands_days.booked_on,
        changed_hands_days.known_date,
        owner_versions.customer_id,
        row_number() over (
            partition by
                changed_hands_days.account_id,
                changed_hands_days.booked_on,
                changed_hands_days.known_date
            order by
                case
                    when
                        owner_versions.valid_from <= changed_hands_days.booked_on
                        and owner_versions.known_date <= changed_hands_days.known_date
                        and coalesce(owner_versions.valid_to > changed_hands_days.booked_on, true)
                        then owner_versions.valid_from
                end desc nulls last,
                owner_versions.known_at asc,
                owner_versions.batch_no asc
        ) as recency_rank
    from changed_hands_days
    inner join owner_versions on changed_hands_days.account_id = owner_versions.account_id
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

owned as (
    select
        arrivals.*,
        coalesce(changed_hands_ranked.customer_id, owners_ever.customer_id) as customer_id,
        arrivals.reverses_transaction_id is not null as is_reversal,
        case
            when arrivals.currency_code = bank.reporting_currency_code then arrivals.amount
            else cast(round(arrivals.amount * rates_ranked.rate_to_reporting, 2) as {{ money() }})
        end as reporting_amount
    from arrivals
    cross join bank
    left join owners_ever on arrivals.account_id = owners_ever.account_id
    left join changed_hands_ranked
        on
            arrivals.account_id = changed_hands_ranked.account_id
            and arrivals.booked_on = changed_hands_ranked.booked_on
            and arrivals.known_date = changed_hands_ranked.known_date
            and changed_hands_ranked.recency_rank = 1
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
    from owned
),

daily as (
    select
        customer_id,
        batch_id,
        min(batch_no) as batch_no,
        cast(count(*) as integer) as count_postings,
        cast(sum(case when reporting_amount is null then 1 else 0 end) as integer)
            as count_postings_without_rate,
        cast(sum(case when is_customer_act then 1 else 0 end) as integer) as count_customer_transactions,
        cast(sum(case when is_customer_act and channel in ('mobile', 'web') then 1 else 0 end) as integer)
            as count_digital_transactions,
        cast(sum(customer_amount) as {{ money() }}) as sum_customer_amount,
        cast(sum(case when direction = 'credit' then reporting_amount else 0 end) as {{ money() }})
            as sum_inflow,
        cast(sum(case when direction = 'debit' then reporting_amount else 0 end) as {{ money() }})
            as sum_outflow,
        booked_on as activity_date,
        known_date
    from measured
    group by customer_id, batch_id, booked_on, known_date
),

{% if is_incremental() %}
    known_days as (
        select distinct
            facts.customer_id,
            facts.activity_date
        from {{ this }} as facts
        inner join (select distinct daily.activity_date from daily) as days
            on facts.activity_date = days.activity_date
        where facts.is_first_of_active_day
    ),
{% endif %}

{#
    A day counts once, however many rows tell of it: on the row that told first. Later batches are known later, so a
    snapshot that sees any of the rows sees that one.
#}
final as (
    select
        daily.customer_id,
        daily.batch_id,
        daily.batch_no,
        daily.count_postings,
        daily.count_postings_without_rate,
        daily.count_customer_transactions,
        daily.count_digital_transactions,
        daily.sum_customer_amount,
        daily.sum_inflow,
        daily.sum_outflow,
        daily.count_customer_transactions > 0
        and {% if is_incremental() %} known_days.customer_id is null and {% endif %}
        row_number() over (
            partition by daily.customer_id, daily.activity_date, daily.count_customer_transactions > 0
            order by daily.known_date, daily.batch_no
        ) = 1 as is_first_of_active_day,
        daily.activity_date,
        daily.known_date
    from daily
    {% if is_incremental() %}
        left join known_days
            on
                daily.customer_id = known_days.customer_id
                and daily.activity_date = known_days.activity_date
    {% endif %}
)

select * from final
