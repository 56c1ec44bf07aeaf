{{
    config(
        materialized='arrivals',
        order_by='activity_date',
        post_hook=["{{ index_on(this, 'activity_date') }}", "{{ index_on(this, 'batch_no') }}"]
    )
}}

{# What moves a balance, in the currency of the account; append-only and keyed by arrival. #}
with

final as (
    select
        account_id,
        batch_no,
        cast(count(*) as integer) as count_postings,
        cast(sum(signed_amount) as {{ money() }}) as sum_net_flow,
        booked_on as activity_date,
        known_date
    from {{ ref('stg_transactions') }}
    where {{ new_arrivals() }}
    group by account_id, batch_no, booked_on, known_date
)

select * from final
