select
    sources.policy_set,
    sources.reporting_currency_code,
    runs.kind as run_kind,
    runs.as_of_date as run_as_of_date,
    runs.knowledge_cutoff_on as run_knowledge_cutoff_on,
    run_dates.as_of_date,
    run_dates.knowledge_cutoff_on
from {{ source('ops', 'run_dates') }} as run_dates
inner join {{ source('ops', 'runs') }} as runs
    on run_dates.run_id = runs.run_id
cross join {{ source('ops', 'sources') }} as sources
where run_dates.run_id = '{{ var("run_id") }}'
