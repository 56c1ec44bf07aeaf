-- Every metric has one tier to reach and one to keep, in every scheme by a metric and for both kinds of customer: tried at,
-- just below and just above each bound, at zero, far below and far above. A tier to keep is never worse than the one reached.
{%- set schemes = banded_schemes() %}
with

policy as (
    select *
    from {{ ref('int_tier_policy') }}
    where
        scheme in ('{{ schemes | join("', '") }}')
        {# By rule, not by the score. #}
        and tier != 'potential'
),

steps as (
    select -0.01 as step
    union all
    select 0.00 as step
    union all
    select 0.01 as step
),

bounds as (
    select entry_bound as bound
    from policy

    union

    select exit_bound as bound
    from policy

    union

    select 0.00 as bound

    union

    select -999999999.99 as bound

    union

    select 999999999999.99 as bound
),

metrics as (
    select distinct bounds.bound + steps.step as metric
    from bounds
    cross join steps
    where bounds.bound is not null
),

schemes as (
    {%- for scheme in schemes %}
        select '{{ scheme }}' as scheme
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

customer_kinds as (
    select 'personal' as customer_kind
    union all
    select 'small_business' as customer_kind
),

kinds as (
    select
        run_dates.as_of_date,
        schemes.scheme,
        customer_kinds.customer_kind
    from {{ ref('int_run_dates') }} as run_dates
    cross join schemes
    cross join customer_kinds
),

tried as (
    select
        kinds.as_of_date,
        kinds.scheme,
        kinds.customer_kind,
        metrics.metric,
        count(case when {{ reaches('metrics.metric', 'policy') }} then 1 end) as count_reached,
        count(case when {{ keeps('metrics.metric', 'policy') }} then 1 end) as count_kept,
        max(case when {{ reaches('metrics.metric', 'policy') }} then policy.tier_order end) as reached_order,
        max(case when {{ keeps('metrics.metric', 'policy') }} then policy.tier_order end) as kept_order
    from kinds
    cross join metrics
    left join policy
        on
            kinds.as_of_date = policy.as_of_date
            and kinds.scheme = policy.scheme
            and kinds.customer_kind = policy.customer_kind
    group by kinds.as_of_date, kinds.scheme, kinds.customer_kind, metrics.metric
)

select *
from tried
where count_reached != 1 or count_kept != 1 or kept_order > reached_order
