{# The snapshot that each snapshot's spells go on from: the newest earlier one, whether this run builds it or history holds
    its spells. Days that follow each other without a day of history between them are one segment. #}
with

run_days as (
    select as_of_date
    from {{ ref('int_run_dates') }}
    where run_kind != 'training'
),

snapshots as (
    {{ snapshot_days('fct_churn_spells') }}
),

followed as (
    select
        run_days.as_of_date,
        max(snapshots.as_of_date) as previous_on
    from run_days
    left join snapshots on run_days.as_of_date > snapshots.as_of_date
    group by run_days.as_of_date
),

final as (
    select
        followed.as_of_date,
        followed.previous_on,
        cast(
            sum(case when earlier_day.as_of_date is null then 1 else 0 end) over (order by followed.as_of_date)
            as integer
        ) as segment_no
    from followed
    left join run_days as earlier_day on followed.previous_on = earlier_day.as_of_date
)

select * from final
