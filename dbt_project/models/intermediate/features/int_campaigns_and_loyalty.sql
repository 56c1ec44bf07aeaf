{# What the bank did to keep a customer: contacts within campaigns, and points of a year: of all years, every event ever
    would be read for every observed day. #}
with

observations as (
    select *
    from {{ ref('int_observations') }}
    where observation_kind = 'snapshot'
),

contact_versions as (
    {{ versions_at(ref('stg_campaign_contacts'), ['contact_id'], 'observations') }}
),

{# A response may stand in the row of the contact itself: it is believed when a month has passed. #}
contacts as (
    select
        customer_id,
        count(*) filter (where contacted_on > {{ add_days('observed_on', -90) }}) as count_contacts_90d,
        count(*) filter (where contacted_on > {{ add_days('observed_on', -180) }}) as count_contacts_180d,
        count(*) filter (where response = 'accepted' and contacted_on <= {{ add_days('observed_on', -30) }})
            as count_accepted_365d,
        observed_on,
        known_by_on
    from contact_versions
    where
        contact_group = 'treatment'
        and contacted_on <= observed_on
        and contacted_on > {{ add_days('observed_on', -365) }}
    group by customer_id, observed_on, known_by_on
),

points as (
    select
        events.customer_id,
        sum(
            case events.event_type
                when 'points_earned' then events.points
                when 'points_redeemed' then -events.points
            end
        ) as net_points_365d,
        observations.observed_on,
        observations.known_by_on
    from observations
    inner join {{ ref('stg_loyalty_events') }} as events
        on
            observations.observed_on >= events.booked_on
            and {{ add_days('observations.observed_on', -365) }} < events.booked_on
            and observations.known_by_on >= events.known_date
    {# The join says as much; this lets an engine read the range only. #}
    where
        events.booked_on
        > (select {{ add_days('min(earliest.observed_on)', -365) }} from observations as earliest)
    group by events.customer_id, observations.observed_on, observations.known_by_on
),

final as (
    select
        coalesce(contacts.customer_id, points.customer_id) as customer_id,
        coalesce(contacts.count_contacts_90d, 0) as count_contacts_90d,
        coalesce(contacts.count_contacts_180d, 0) as count_contacts_180d,
        coalesce(contacts.count_accepted_365d, 0) as count_accepted_365d,
        coalesce(points.net_points_365d, 0) as net_points_365d,
        coalesce(contacts.observed_on, points.observed_on) as observed_on,
        coalesce(contacts.known_by_on, points.known_by_on) as known_by_on
    from contacts
    full outer join points
        on
            contacts.customer_id = points.customer_id
            and contacts.observed_on = points.observed_on
            and contacts.known_by_on = points.known_by_on
)

select * from final
