{# Complaints of a year as they stood on the observed day: what the file tells of later days (an answer, a resolution)
    is masked. #}
with

observations as (
    select *
    from {{ ref('int_observations') }}
    where observation_kind = 'snapshot'
),

interaction_versions as (
    {{ versions_at(ref('stg_interactions'), ['interaction_id'], 'observations') }}
),

complaints as (
    select
        customer_id,
        {{ days_between('opened_on', 'observed_on') }} as days_ago,
        resolved_on is not null and resolved_on <= observed_on as is_resolved,
        case when resolved_on <= observed_on then {{ days_between('opened_on', 'resolved_on') }} end as days_to_resolve,
        case when resolved_on <= observed_on then is_result_told end as is_result_told,
        observed_on,
        known_by_on
    from interaction_versions
    where
        interaction_type = 'complaint'
        and opened_on <= observed_on
        and opened_on > {{ add_days('observed_on', -365) }}
),

final as (
    select
        customer_id,
        count(*) filter (where days_ago < 180) as count_complaints_180d,
        count(*) filter (where not is_resolved) as count_open_complaints,
        count(*) filter (where not is_result_told) as count_complaints_without_result_365d,
        cast(sum(days_to_resolve) as {{ double() }}) / count(days_to_resolve) as mean_days_to_resolve_365d,
        observed_on,
        known_by_on
    from complaints
    group by customer_id, observed_on, known_by_on
)

select * from final
