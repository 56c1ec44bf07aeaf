{#
    How, when and how much a customer uses the bank. Sums of the customer's days by the properties of the day, which are
    found once a day and not once a row.
#}
with

observations as (
    select *
    from {{ ref('int_observations') }}
    where observation_kind = 'snapshot'
),

observed_days as (
    {{ days_of('observations', add_days('observed_on', -365), 'observed_on') }}
),

dated as (
    select
        observed_on,
        known_by_on,
        day,
        days_ago,
        cast(extract(isodow from day) as integer) as day_of_week,
        case
            when extract(day from day) <= 10 then 1
            when extract(day from day) <= 20 then 2
            else 3
        end as third_of_month
    from observed_days
),

days as (
    select
        facts.*,
        dated.day,
        dated.days_ago,
        dated.day_of_week,
        dated.third_of_month,
        dated.observed_on,
        dated.known_by_on
    from dated
    inner join {{ ref('fct_customer_activity_daily') }} as facts
        on
            dated.day = facts.activity_date
            and dated.known_by_on >= facts.known_date
    {# The join says as much; this lets PostgreSQL read the range only. #}
    where facts.activity_date >= (select min(earliest.day) from dated as earliest)
),

{%- set channels = ['branch', 'atm', 'pos', 'mobile', 'web', 'phone'] %}

final as (
    select
        customer_id,
        cast({{ sum_between('count_postings', 0, 90) }} as integer) as count_postings_90d,
        cast({{ sum_between('count_postings_without_rate', 0, 90) }} as integer) as count_postings_without_rate_90d,
        cast({{ sum_between('count_customer_transactions', 0, 90) }} as integer) as count_transactions_90d,
        {%- for channel in channels %}
            cast({{ sum_between('count_' ~ channel ~ '_transactions', 0, 90) }} as integer)
                as count_{{ channel }}_transactions_90d,
        {%- endfor %}
        cast(sum(count_customer_transactions) as integer) as count_transactions_365d,
        {%- for member in channels + ['night', 'morning', 'afternoon', 'evening'] %}
            cast(sum(count_{{ member }}_transactions) as integer) as count_{{ member }}_transactions_365d,
        {%- endfor %}
        {%- for day_of_week in range(1, 8) %}
            cast(
                coalesce(sum(count_customer_transactions) filter (where day_of_week = {{ day_of_week }}), 0) as integer
            ) as count_transactions_on_day_{{ day_of_week }}_365d,
        {%- endfor %}
        {%- for third in range(1, 4) %}
            cast(
                coalesce(sum(count_customer_transactions) filter (where third_of_month = {{ third }}), 0) as integer
            ) as count_transactions_in_third_{{ third }}_365d,
        {%- endfor %}
        cast({{ sum_between('sum_fees', 0, 90) }} as {{ money() }}) as sum_fees_90d,
        {# Thirty days each, the newest first: what trends and volatility are told from. #}
        {%- for month in range(1, 7) %}
            cast(
                {{ sum_between('count_customer_transactions', 30 * (month - 1), 30 * month) }} as integer
            ) as count_transactions_in_month_{{ month }},
        {%- endfor %}
        cast({{ sum_between('count_card_payments', 0, 90) }} as integer) as count_card_payments_90d,
        cast(sum(count_card_payments) as integer) as count_card_payments_365d,
        cast(coalesce(max(max_customer_amount) filter (where days_ago < 30), 0) as {{ money() }})
            as max_amount_30d,
        {# Whoever is paid once a month is paid within any 31 days. #}
        cast(coalesce(max(sum_pay) filter (where days_ago < 31), 0) as {{ money() }}) as max_pay_31d,
        cast(coalesce(max(sum_pay), 0) as {{ money() }}) as max_pay_365d,
        max(day) filter (where count_card_payments > 0) as last_card_payment_on,
        observed_on,
        known_by_on
    from days
    group by customer_id, observed_on, known_by_on
)

select * from final
