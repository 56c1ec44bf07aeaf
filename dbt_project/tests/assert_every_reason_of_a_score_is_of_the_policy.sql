-- A reason that policy does not name would be left out in silence, as one that may not be told is.
{{ config(tags=['after_scores']) }}
{%- set ranks = range(1, 6) %}

with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

reason_policy as (
    {{ policy_in_force(ref('policy_churn_reasons'), 'run_dates') }}
),

told as (
    {%- for rank in ranks %}
        select distinct
            as_of_date,
            reason_{{ rank }} as reason_code
        from {{ ref('stg_churn_scores') }}
        where reason_{{ rank }} is not null
        {{ 'union' if not loop.last }}
    {%- endfor %}
)

select
    told.as_of_date,
    told.reason_code
from told
left join reason_policy
    on
        told.as_of_date = reason_policy.as_of_date
        and told.reason_code = reason_policy.reason_code
where reason_policy.reason_code is null
