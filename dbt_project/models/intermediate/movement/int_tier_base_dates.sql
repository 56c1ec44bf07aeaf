{# The snapshot that each period of a date is measured from: the newest on or before the day that lies the period back, less
    than a month older than that; without one the period has no row. `earlier_date` lies another period back, by the same
    rule. #}
with

run_dates as (
    select * from {{ ref('int_run_dates') }}
    where run_kind != 'training'
),

snapshots as (
    select * from {{ ref('int_tier_snapshots') }}
),

targets as (
    {%- for period, months in [('month', 1), ('quarter', 3), ('year', 12)] %}
        select
            '{{ period }}' as period,
            as_of_date,
            {{ months_before('as_of_date', months) }} as from_target_on,
            {{ months_before('as_of_date', months + 1) }} as from_after_on,
            {{ months_before('as_of_date', 2 * months) }} as earlier_target_on,
            {{ months_before('as_of_date', 2 * months + 1) }} as earlier_after_on
        from run_dates

        union all
    {%- endfor %}

    {# The churn period is counted in days (policy_churn). #}
    select
        'churn' as period,
        as_of_date,
        started_on as from_target_on,
        {{ months_before('started_on', 1) }} as from_after_on,
        cast(null as date) as earlier_target_on,
        cast(null as date) as earlier_after_on
    from {{ ref('int_observations') }}
    where observation_kind = 'snapshot'
),

found as (
    select
        targets.period,
        targets.as_of_date,
        max(snapshots.as_of_date) filter (
            where
            snapshots.as_of_date <= targets.from_target_on and snapshots.as_of_date > targets.from_after_on
        ) as from_date,
        max(snapshots.as_of_date) filter (
            where
            snapshots.as_of_date <= targets.earlier_target_on and snapshots.as_of_date > targets.earlier_after_on
        ) as earlier_date
    from targets
    cross join snapshots
    group by targets.period, targets.as_of_date
),

final as (
    select *
    from found
    where from_date is not null
)

select * from final
