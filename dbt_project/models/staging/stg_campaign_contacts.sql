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
    cast(known_at as date) as known_date,
    known_at
from {{ source('raw', 'campaign_contacts') }}
