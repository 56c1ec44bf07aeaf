{# The snapshot that each snapshot follows: the newest earlier one, whether this run builds it or history holds it. #}
with

run_dates as (
    select as_of_date
    from {{ ref('int_run_dates') }}
    where run_kind != 'training'
),

final as (
    select
        run_dates.as_of_date,
        max(snapshots.as_of_date) as previous_on
    from run_dates
    left join {{ ref('int_tier_snapshots') }} as snapshots on run_dates.as_of_date > snapshots.as_of_date
    group by run_dates.as_of_date
)

select * from final
