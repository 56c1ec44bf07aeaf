with

delivered as (
    {{ delivered('market_environment') }}
)

select
    batch_no,
    policy_rate,
    own_deposit_rate,
    competitor_deposit_rate,
    cpi_index,
    market_on,
    known_date
from delivered
