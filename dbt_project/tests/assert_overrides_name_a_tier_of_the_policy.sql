-- An override to a tier that its scheme does not have changes nothing, and somebody wanted it to. What was delivered again
-- correctly, or has expired, needs nobody any more.
{{ config(severity='warn') }}

with

dates as (
    select
        as_of_date as observed_on,
        knowledge_cutoff_on as known_by_on
    from {{ ref('int_run_dates') }}
    where run_kind != 'training'
),

override_versions as (
    {{ versions_at(ref('stg_tier_overrides'), ['override_id'], 'dates') }}
)

select
    override_versions.override_id,
    override_versions.scheme,
    override_versions.tier
from override_versions
left join {{ ref('int_tier_policy') }} as policy
    on
        override_versions.observed_on = policy.as_of_date
        and override_versions.scheme = policy.scheme
        and override_versions.tier = policy.tier
where
    policy.tier is null
    and override_versions.expires_on > override_versions.observed_on
