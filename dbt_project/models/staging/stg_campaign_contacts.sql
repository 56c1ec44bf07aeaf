with

delivered as (
    {{ delivered('campaign_contacts') }}
)

select
    contact_id,
    campaign_id,
    customer_id,
    contact_group,
    channel,
    response,
    batch_no,
    contacted_on,
    coalesce(valid_from, cast(known_at as date)) as valid_from,
    known_date,
    known_at
from delivered
