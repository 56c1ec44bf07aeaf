select
    batch_no,
    policy_rate,
    own_deposit_rate,
    competitor_deposit_rate,
    cpi_index,
    market_on,
    cast(known_at as date) as known_date
from {{ source('raw', 'market_environment') }}
