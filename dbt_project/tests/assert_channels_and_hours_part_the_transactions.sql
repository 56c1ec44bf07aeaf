-- An act has at most one channel and one part of the day; digital are mobile and web.
select
    customer_id,
    activity_date
from {{ ref('fct_customer_activity_daily') }}
where
    {{ is_of_unpublished_batch() }}
    and (
        count_branch_transactions + count_atm_transactions + count_pos_transactions
        + count_mobile_transactions + count_web_transactions + count_phone_transactions > count_customer_transactions
        or count_night_transactions + count_morning_transactions
        + count_afternoon_transactions + count_evening_transactions > count_customer_transactions
        or count_mobile_transactions + count_web_transactions != count_digital_transactions
    )
