-- An override to a tier that its scheme does not have changes nothing; somebody wanted it to.
{{ config(severity='warn') }}

select
    overrides.override_id,
    overrides.scheme,
    overrides.tier
from {{ ref('stg_tier_overrides') }} as overrides
left join {{ ref('int_tier_policy') }} as policy
    on
        overrides.scheme = policy.scheme
        and overrides.tier = policy.tier
where policy.tier is null
