{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        post_hook="{{ index_on(this, 'activity_date') }}"
    )
}}

{# What moves a balance, in the currency of the account; append-only and keyed by arrival. #}
with

arrivals as (
    select *
    from {{ ref('stg_transactions') }}
    {% if is_incremental() %}
        where batch_no > (select coalesce(max(facts.batch_no), 0) from {{ this }} as facts)
    {% endif %}
),

final as (
    select
        account_id,
        batch_id,
        min(batch_no) as batch_no,
        cast(count(*) as integer) as count_postings,
        cast(sum(signed_amount) as {{ money() }}) as sum_net_flow,
        booked_on as activity_date,
        known_date
    from arrivals
    group by account_id, batch_id, booked_on, known_date
)

select * from final
