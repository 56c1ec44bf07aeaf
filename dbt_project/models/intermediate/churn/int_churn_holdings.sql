{# Product families that a customer held on the days that periods begin at: seen on that day where this run builds it, else
    as the first date that is compared with it knows. #}
with

from_dates as (
    select
        base_dates.from_date,
        coalesce(max(run_dates.as_of_date), min(base_dates.as_of_date)) as seen_on
    from {{ ref('int_tier_base_dates') }} as base_dates
    left join {{ ref('int_run_dates') }} as run_dates on base_dates.from_date = run_dates.as_of_date
    group by base_dates.from_date
),

final as (
    select distinct
        accounts.customer_id,
        accounts.product_family,
        from_dates.from_date
    from from_dates
    inner join {{ ref('int_observations') }} as observations
        on
            from_dates.seen_on = observations.as_of_date
            and observations.observation_kind = 'snapshot'
    inner join {{ ref('int_account_states') }} as accounts
        on
            observations.observed_on = accounts.observed_on
            and observations.known_by_on = accounts.known_by_on
    where
        accounts.opened_on <= from_dates.from_date
        and coalesce(accounts.closed_on > from_dates.from_date, true)
)

select * from final
