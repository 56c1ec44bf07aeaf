{{ config(tags=['after_scores']) }}
{%- set ranks = range(1, 6) %}

with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

reason_policy as (
    {{ policy_in_force(ref('policy_churn_reasons'), 'run_dates') }}
),

{# The model tells the reasons side by side, largest first. #}
told as (
    {%- for rank in ranks %}
        select
            customer_id,
            reason_{{ rank }} as reason_code,
            {{ rank }} as raw_rank,
            contribution_{{ rank }} as contribution,
            as_of_date
        from {{ ref('stg_churn_scores') }}
        where reason_{{ rank }} is not null
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

final as (
    select
        told.customer_id,
        told.reason_code,
        reason_policy.reason_en,
        reason_policy.reason_zh,
        reason_policy.action_code,
        reason_policy.action_en,
        reason_policy.action_zh,
        reason_policy.rule_version,
        {# A reason that policy keeps back leaves no gap, which would show that there is one. #}
        cast(
            row_number() over (partition by told.as_of_date, told.customer_id order by told.raw_rank) as integer
        ) as reason_rank,
        cast(told.contribution as numeric(18, 8)) as contribution,
        told.as_of_date
    from told
    inner join reason_policy
        on
            told.as_of_date = reason_policy.as_of_date
            and told.reason_code = reason_policy.reason_code
            and reason_policy.is_allowed
)

select * from final
