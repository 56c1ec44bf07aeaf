{# From every customer: who does nothing is asked after too. #}
with

activity as (
    select * from {{ ref('fct_customer_activity') }}
),

customers as (
    select * from {{ ref('int_customers_at') }}
),

counted as (
    select
        customers.customer_id,
        customers.customer_kind,
        activity.relationship_status,
        activity.currency_code,
        activity.count_transactions_90d,
        activity.count_transactions_365d,
        activity.count_active_days_90d,
        activity.count_active_days_365d,
        activity.sum_amount_90d,
        activity.sum_amount_365d,
        {%- for member in [
            'branch', 'phone', 'mobile', 'web', 'atm', 'pos', 'night', 'morning', 'afternoon', 'evening',
        ] %}
            coalesce(usage.count_{{ member }}_transactions_365d, 0) as count_{{ member }},
        {%- endfor %}
        {%- for day_of_week in range(1, 8) %}
            coalesce(usage.count_transactions_on_day_{{ day_of_week }}_365d, 0) as count_day_{{ day_of_week }},
        {%- endfor %}
        {%- for third in range(1, 4) %}
            coalesce(usage.count_transactions_in_third_{{ third }}_365d, 0) as count_third_{{ third }},
        {%- endfor %}
        customers.as_of_date
    from customers
    inner join activity
        on
            customers.customer_id = activity.customer_id
            and customers.as_of_date = activity.as_of_date
    left join {{ ref('int_customer_usage') }} as usage
        on
            customers.customer_id = usage.customer_id
            and customers.observed_on = usage.observed_on
            and customers.known_by_on = usage.known_by_on
),

with_unknown as (
    select
        *,
        count_transactions_365d
        - (count_branch + count_phone + count_mobile + count_web + count_atm + count_pos) as count_no_channel,
        count_transactions_365d - (count_night + count_morning + count_afternoon + count_evening) as count_no_hour
    from counted
),

{#-
    Of equal counts the first written is taken: of channels the one in which the bank meets the customer, of days and parts
    the earlier. What has no channel or hour is preferred only when it is more than anything known.
-#}
{%- set habits = {
    'channel': {
        'branch': 'count_branch', 'phone': 'count_phone', 'mobile': 'count_mobile', 'web': 'count_web',
        'atm': 'count_atm', 'pos': 'count_pos', 'unknown': 'count_no_channel',
    },
    'day_of_week': {
        'monday': 'count_day_1', 'tuesday': 'count_day_2', 'wednesday': 'count_day_3', 'thursday': 'count_day_4',
        'friday': 'count_day_5', 'saturday': 'count_day_6', 'sunday': 'count_day_7',
    },
    'third_of_month': {'first': 'count_third_1', 'second': 'count_third_2', 'last': 'count_third_3'},
    'part_of_day': {
        'night': 'count_night', 'morning': 'count_morning', 'afternoon': 'count_afternoon', 'evening': 'count_evening',
        'unknown': 'count_no_hour',
    },
} %}

final as (
    select
        customer_id,
        customer_kind,
        relationship_status,
        currency_code,
        {%- for habit, counts in habits.items() %}
            case when count_transactions_365d > 0 then {{ most_frequent(counts) }} else 'none' end
                as preferred_{{ habit }},
        {%- endfor %}
        count_transactions_365d,
        {%- for measure in ['transactions', 'active_days'] %}
            {%- for days, months in {90: 3, 365: 12}.items() %}
                cast({{ divide_exact('count_' ~ measure ~ '_' ~ days ~ 'd', months) }} as numeric(9, 2))
                    as {{ measure }}_per_month_{{ days }}d,
            {%- endfor %}
        {%- endfor %}
        {%- for days in [90, 365] %}
            {{ divide_exact('sum_amount_' ~ days ~ 'd', 'count_transactions_' ~ days ~ 'd') }}
                as mean_amount_{{ days }}d,
        {%- endfor %}
        {%- for habit, counts in habits.items() %}
            cast(
                {{
                    divide_exact(
                        'greatest(' ~ counts.values() | join(', ') ~ ')', 'count_transactions_365d', scale=4
                    )
                }} as numeric(5, 4)
            ) as preferred_{{ habit }}_share,
        {%- endfor %}
        cast(
            {{ divide_exact('count_day_6 + count_day_7', 'count_transactions_365d', scale=4) }} as numeric(5, 4)
        ) as weekend_share,
        count_active_days_90d > 0 as is_active,
        as_of_date
    from with_unknown
)

select * from final
