{{
    config(
        materialized='arrivals',
        order_by='activity_date',
        post_hook=["{{ index_on(this, 'activity_date') }}", "{{ index_on(this, 'batch_no') }}"]
    )
}}

{%- set channels = ['branch', 'atm', 'pos', 'mobile', 'web', 'phone'] -%}
{#- First hour of each, in local time; six hours long. -#}
{%- set parts_of_day = {'night': 0, 'morning': 6, 'afternoon': 12, 'evening': 18} -%}

{#
    Append-only and keyed by arrival: a run takes the batches it has not seen, rewrites nothing, and a late row becomes
    one more row of its old activity date. What a customer did stays with who owned the account on that day.
#}
with

{# Read several times for a few of its columns: a copy of the whole would cost more than the passes. #}
arrivals as not materialized (
    select *
    from {{ ref('stg_transactions') }}
    where {{ new_arrivals() }}
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

{# A reversal takes the amount back, and is no act of the customer; it is booked against what it reverses. #}
measured as (
    select
        *,
        is_customer_initiated and not is_reversal as is_customer_act,
        case
            when is_customer_initiated and is_reversal then -reporting_amount
            when is_customer_initiated then reporting_amount
        end as customer_amount,
        case
            when is_customer_initiated and is_reversal and direction = 'credit' then -reporting_amount
            when is_customer_initiated and not is_reversal and direction = 'debit' then reporting_amount
        end as customer_outflow,
        case
            when transaction_type in ('fee', 'penalty') and direction = 'credit' then -reporting_amount
            when transaction_type in ('fee', 'penalty') then reporting_amount
        end as fee_amount
    from owned
),

daily as (
    select
        customer_id,
        batch_no,
        cast(count(*) as integer) as count_postings,
        cast(count(*) filter (where reporting_amount is null) as integer) as count_postings_without_rate,
        cast(count(*) filter (where is_customer_act) as integer) as count_customer_transactions,
        cast(count(*) filter (where is_customer_act and channel in ('mobile', 'web')) as integer)
            as count_digital_transactions,
        {%- for channel in channels %}
            cast(count(*) filter (where is_customer_act and channel = '{{ channel }}') as integer)
                as count_{{ channel }}_transactions,
        {%- endfor %}
        {%- for part_of_day, first_hour in parts_of_day.items() %}
            cast(
                count(*) filter (
                    where is_customer_act and booked_hour between {{ first_hour }} and {{ first_hour + 5 }}
                ) as integer
            ) as count_{{ part_of_day }}_transactions,
        {%- endfor %}
        cast(count(*) filter (where is_customer_act and transaction_type = 'card_payment') as integer)
            as count_card_payments,
        cast(coalesce(sum(customer_amount), 0) as {{ money() }}) as sum_customer_amount,
        cast(coalesce(sum(customer_outflow), 0) as {{ money() }}) as sum_customer_outflow,
        cast(coalesce(max(reporting_amount) filter (where is_customer_act), 0) as {{ money() }})
            as max_customer_amount,
        cast(
            coalesce(
                sum(case when is_reversal then -reporting_amount else reporting_amount end)
                filter (where transaction_type in ('salary', 'pension')), 0
            ) as {{ money() }}
        ) as sum_pay,
        cast(coalesce(sum(fee_amount), 0) as {{ money() }}) as sum_fees,
        cast(coalesce(sum(reporting_amount) filter (where direction = 'credit'), 0) as {{ money() }}) as sum_inflow,
        cast(coalesce(sum(reporting_amount) filter (where direction = 'debit'), 0) as {{ money() }}) as sum_outflow,
        booked_on as activity_date,
        known_date
    from measured
    group by customer_id, batch_no, booked_on, known_date
),

{#
    A day counts once, however many rows tell of it: on the row that told first. Later batches are known later, so a
    snapshot that sees any of the rows sees that one. `repeats` are the other rows: those of a day that an earlier batch
    told of, and of the days that come twice here. For that one of two rows must have come after the first of all that
    came for its date, so only such days are put in order.
#}
days_told_before as (
    select
        daily.customer_id,
        daily.batch_no,
        daily.activity_date,
        daily.known_date
    from {{ this }} as facts
    inner join daily
        on
            facts.customer_id = daily.customer_id
            and facts.activity_date = daily.activity_date
    where
        facts.is_first_of_active_day
        {# Says where to look in a table in the order of dates. #}
        and facts.activity_date >= (select min(earliest.activity_date) from daily as earliest)
),

first_arrivals as (
    select
        activity_date,
        min(known_date) as known_date,
        min(batch_no) as batch_no
    from daily
    where count_customer_transactions > 0
    group by activity_date
),

days_told_later as (
    select distinct
        daily.customer_id,
        daily.activity_date
    from daily
    inner join first_arrivals on daily.activity_date = first_arrivals.activity_date
    where
        daily.count_customer_transactions > 0
        and (daily.known_date > first_arrivals.known_date or daily.batch_no > first_arrivals.batch_no)
),

tellings as (
    select
        daily.customer_id,
        daily.batch_no,
        daily.activity_date,
        daily.known_date,
        row_number() over (
            partition by daily.customer_id, daily.activity_date
            order by daily.known_date, daily.batch_no
        ) as telling_no
    from daily
    inner join days_told_later
        on
            daily.customer_id = days_told_later.customer_id
            and daily.activity_date = days_told_later.activity_date
    where daily.count_customer_transactions > 0
),

repeats as (
    select
        customer_id,
        batch_no,
        activity_date,
        known_date
    from tellings
    where telling_no > 1

    union

    select * from days_told_before
),

final as (
    select
        daily.customer_id,
        daily.batch_no,
        daily.count_postings,
        daily.count_postings_without_rate,
        daily.count_customer_transactions,
        daily.count_digital_transactions,
        {%- for member in channels + (parts_of_day | list) %}
            daily.count_{{ member }}_transactions,
        {%- endfor %}
        daily.count_card_payments,
        daily.sum_customer_amount,
        daily.sum_customer_outflow,
        daily.max_customer_amount,
        daily.sum_pay,
        daily.sum_fees,
        daily.sum_inflow,
        daily.sum_outflow,
        daily.count_customer_transactions > 0 and repeats.customer_id is null as is_first_of_active_day,
        daily.activity_date,
        daily.known_date
    from daily
    left join repeats
        on
            daily.customer_id = repeats.customer_id
            and daily.batch_no = repeats.batch_no
            and daily.activity_date = repeats.activity_date
            and daily.known_date = repeats.known_date
)

select * from final
