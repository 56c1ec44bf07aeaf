{# The days whose tiers this run can go on from or be compared with: its own, and those that history holds. A day that
    retention has dropped still stands, and has no tiers to tell of. #}
with

run_days as (
    select as_of_date
    from {{ ref('int_run_dates') }}
    where run_kind != 'training'
),

standing_days as (
    select snapshots.as_of_date
    from {{ source('ops', 'standing_snapshots') }} as snapshots
    inner join {{ source('ops', 'archived_days') }} as archived
        on
            snapshots.as_of_date = archived.as_of_date
            and snapshots.run_id = archived.run_id
            and archived.mart = 'fct_customer_tiers'
),

final as (
    select as_of_date
    from run_days

    union

    select as_of_date
    from standing_days
)

select * from final
