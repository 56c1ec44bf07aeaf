{{ config(tags=['after_scores']) }}
-- A customer who is in no group of a dimension, or in two, would make its rates those of other customers.
with

scored as (
    select
        as_of_date,
        count(*) as count_scored,
        count(case when risk_band in ('high', 'medium') then 1 end) as count_at_risk
    from {{ ref('fct_churn_scores') }}
    group by as_of_date
),

by_dimension as (
    select
        as_of_date,
        dimension,
        sum(count_scored) as count_scored,
        count(case when is_reference then 1 end) as count_references
    from {{ ref('fct_score_fairness') }}
    group by as_of_date, dimension
),

offered as (
    select
        as_of_date,
        dimension,
        sum(count_offered) as count_offered
    from {{ ref('fct_action_fairness') }}
    group by as_of_date, dimension
),

dimensions as (
    {%- for dimension in fairness_dimensions() %}
        select
            as_of_date,
            '{{ dimension }}' as dimension,
            count_scored,
            count_at_risk
        from scored
        {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    dimensions.as_of_date,
    dimensions.dimension,
    dimensions.count_scored,
    dimensions.count_at_risk,
    by_dimension.count_references,
    offered.count_offered
from dimensions
left join by_dimension
    on
        dimensions.as_of_date = by_dimension.as_of_date
        and dimensions.dimension = by_dimension.dimension
left join offered
    on
        dimensions.as_of_date = offered.as_of_date
        and dimensions.dimension = offered.dimension
where
    coalesce(by_dimension.count_scored, 0) != dimensions.count_scored
    or coalesce(by_dimension.count_references, 0) != 1
    or coalesce(offered.count_offered, 0) != dimensions.count_at_risk
