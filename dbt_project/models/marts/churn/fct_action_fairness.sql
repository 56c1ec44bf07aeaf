{{ config(tags=['after_scores']) }}
{%- set dimensions = fairness_dimensions() %}

with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

fairness_policy as (
    {{ policy_in_force(ref('policy_fairness'), 'run_dates') }}
),

first_actions as (
    select *
    from {{ ref('fct_churn_reason_codes') }}
    where reason_rank = 1
),

{# Those whom somebody may call: the low band is most of the bank, and its reasons would decide every rate. #}
cells as (
    select
        {%- for dimension in dimensions %}
            customers.{{ dimension }},
        {%- endfor %}
        coalesce(first_actions.action_code, 'none') as action_code,
        count(*) as count_offered,
        scores.as_of_date
    from {{ ref('fct_churn_scores') }} as scores
    inner join {{ ref('dim_customers') }} as customers
        on
            scores.as_of_date = customers.as_of_date
            and scores.customer_id = customers.customer_id
    left join first_actions
        on
            scores.as_of_date = first_actions.as_of_date
            and scores.customer_id = first_actions.customer_id
    where scores.risk_band in ('high', 'medium')
    group by
        {%- for dimension in dimensions %}
            customers.{{ dimension }},
        {%- endfor %}
        coalesce(first_actions.action_code, 'none'),
        scores.as_of_date
),

offered as (
    {%- for dimension in dimensions %}
        select
            '{{ dimension }}' as dimension,
            coalesce(cast({{ dimension }} as {{ dbt.type_string() }}), 'unknown') as member,
            action_code,
            cast(sum(count_offered) as bigint) as count_offered,
            as_of_date
        from cells
        group by as_of_date, coalesce(cast({{ dimension }} as {{ dbt.type_string() }}), 'unknown'), action_code
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

at_risk as (
    select
        dimension,
        member,
        cast(sum(count_offered) as bigint) as count_at_risk,
        as_of_date
    from offered
    group by as_of_date, dimension, member
),

actions as (
    select distinct
        as_of_date,
        action_code
    from offered
),

{# Every action of the day for every group: one that a group is never offered is what is looked for. #}
grid as (
    select
        fairness.dimension,
        fairness.member,
        fairness.reference_member,
        actions.action_code,
        coalesce(at_risk.count_at_risk, 0) as count_at_risk,
        coalesce(offered.count_offered, 0) as count_offered,
        fairness.is_reference,
        fairness.as_of_date
    from {{ ref('fct_score_fairness') }} as fairness
    inner join actions on fairness.as_of_date = actions.as_of_date
    left join at_risk
        on
            fairness.as_of_date = at_risk.as_of_date
            and fairness.dimension = at_risk.dimension
            and fairness.member = at_risk.member
    left join offered
        on
            fairness.as_of_date = offered.as_of_date
            and fairness.dimension = offered.dimension
            and fairness.member = offered.member
            and actions.action_code = offered.action_code
),

compared as (
    select
        grid.*,
        fairness_policy.min_selection_ratio,
        least(grid.count_at_risk, reference_groups.count_at_risk) >= fairness_policy.min_group_size as is_large_enough,
        {{ divide_exact(
            'grid.count_offered * reference_groups.count_at_risk',
            'grid.count_at_risk * reference_groups.count_offered', 6,
        ) }} as offer_ratio,
        {{ is_beyond_chance(
            'grid.count_offered', 'grid.count_at_risk',
            'reference_groups.count_offered', 'reference_groups.count_at_risk',
        ) }} as is_beyond_chance
    from grid
    inner join grid as reference_groups
        on
            grid.as_of_date = reference_groups.as_of_date
            and grid.dimension = reference_groups.dimension
            and grid.action_code = reference_groups.action_code
            and reference_groups.is_reference
    inner join fairness_policy on grid.as_of_date = fairness_policy.as_of_date
),

final as (
    select
        dimension,
        member,
        reference_member,
        action_code,
        count_at_risk,
        count_offered,
        {{ divide_exact('count_offered', 'count_at_risk', 6) }} as offer_rate,
        offer_ratio,
        is_reference,
        is_beyond_chance,
        coalesce(offer_ratio < min_selection_ratio and is_large_enough and is_beyond_chance, false) as is_flagged,
        as_of_date
    from compared
)

select * from final
