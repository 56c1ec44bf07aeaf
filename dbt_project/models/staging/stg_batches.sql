select
    batch_id,
    batch_no,
    case
        when not is_history then max(delivered_on) over (order by batch_no rows unbounded preceding)
    end as arrived_on
from {{ source('ops', 'batches') }}
where status = 'loaded'
