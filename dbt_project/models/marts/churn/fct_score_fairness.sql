{{ config(tags=['after_scores']) }}
{%- set dimensions = fairness_dimensions() %}

with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

fairness_policy as (
    {{ policy_in_force(ref('policy_fairness'), 'run_dates') }}
),

{# The combinations of groups are few, whatever the number of customers. #}
cells as (
    select
        {%- for dimension in dimensions %}
            customers.{{ dimension }},
        {%- endfor %}
        count(*) as count_scored,
        count(case when scores.risk_band = 'high' then 1 end) as count_selected,
        count(case when scores.risk_band = 'medium' then 1 end) as count_medium,
        count(case when scores.risk_band = 'low' then 1 end) as count_low,
        {# Whole units of the last place: exact on both engines. #}
        sum(cast(scores.churn_probability * 100000000 as bigint)) as sum_units,
        scores.as_of_date
    from {{ ref('fct_churn_scores') }} as scores
    inner join {{ ref('dim_customers') }} as customers
        on
            scores.as_of_date = customers.as_of_date
            and scores.customer_id = customers.customer_id
    group by
        {%- for dimension in dimensions %}
            customers.{{ dimension }},
        {%- endfor %}
        scores.as_of_date
),

members as (
    {%- for dimension in dimensions %}
        select
            '{{ dimension }}' as dimension,
            coalesce(cast({{ dimension }} as {{ dbt.type_string() }}), 'unknown') as member,
            cast(sum(count_scored) as bigint) as count_scored,
            cast(sum(count_selected) as bigint) as count_selected,
            cast(sum(count_medium) as bigint) as count_medium,
            cast(sum(count_low) as bigint) as count_low,
            cast(sum(sum_units) as bigint) as sum_units,
            as_of_date
        from cells
        group by as_of_date, coalesce(cast({{ dimension }} as {{ dbt.type_string() }}), 'unknown')
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

{# The largest group is the reference, the first by name of equal ones; who is in no known group never is, unless
    nobody is in any. #}
ranked as (
    select
        members.*,
        row_number() over (
            partition by members.as_of_date, members.dimension
            order by
                case when members.member = 'unknown' then 1 else 0 end asc,
                members.count_scored desc,
                members.member asc
        ) as size_rank
    from members
),

compared as (
    select
        ranked.*,
        reference_groups.member as reference_member,
        reference_groups.count_scored as reference_scored,
        reference_groups.count_selected as reference_selected,
        {{ is_beyond_chance(
            'ranked.count_selected', 'ranked.count_scored',
            'reference_groups.count_selected', 'reference_groups.count_scored',
        ) }} as is_beyond_chance
    from ranked
    inner join ranked as reference_groups
        on
            ranked.as_of_date = reference_groups.as_of_date
            and ranked.dimension = reference_groups.dimension
            and reference_groups.size_rank = 1
),

judged as (
    select
        compared.*,
        fairness_policy.min_selection_ratio,
        fairness_policy.rule_version,
        {{ divide_exact(
            'compared.count_selected * compared.reference_scored',
            'compared.count_scored * compared.reference_selected', 6,
        ) }} as selection_ratio,
        least(compared.count_scored, compared.reference_scored) >= fairness_policy.min_group_size as is_large_enough
    from compared
    inner join fairness_policy on compared.as_of_date = fairness_policy.as_of_date
),

final as (
    select
        dimension,
        member,
        reference_member,
        rule_version,
        count_scored,
        count_selected,
        {{ divide_exact('sum_units', 'count_scored * 100000000', 8) }} as mean_probability,
        {{ divide_exact('count_selected', 'count_scored', 6) }} as selection_rate,
        {{ divide_exact('count_medium', 'count_scored', 6) }} as share_medium,
        {{ divide_exact('count_low', 'count_scored', 6) }} as share_low,
        selection_ratio,
        min_selection_ratio,
        size_rank = 1 as is_reference,
        is_large_enough,
        is_beyond_chance,
        coalesce(selection_ratio < min_selection_ratio and is_large_enough and is_beyond_chance, false) as is_flagged,
        as_of_date
    from judged
)

select * from final
