with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

indicator_rows as (
    {{ policy_in_force(ref('policy_risk_indicators'), 'run_dates', ['policy.customer_kind']) }}
),

index_policy as (
    {{ policy_in_force(ref('policy_risk_index'), 'run_dates', ['policy.customer_kind']) }}
),

grades as (
    {{ policy_in_force(ref('policy_risk_grades'), 'run_dates', ['policy.customer_kind']) }}
),

{# By name: which indicator may be told to be the main one, and what each weighs. #}
weighed_rows as (
    select
        indicator_rows.*,
        case index_policy.weights
            when 'pca' then indicator_rows.pca_weight
            else indicator_rows.expert_weight
        end as weight,
        case when indicator_rows.is_protected then 0 else 1 end as is_told
    from indicator_rows
    inner join index_policy
        on
            indicator_rows.as_of_date = index_policy.as_of_date
            and indicator_rows.customer_kind = index_policy.customer_kind
),

{# An indicator that the policy does not name for a kind of customer weighs nothing. #}
weights as (
    {{ risk_policy('weighed_rows', ['weight', 'expert_weight', 'pca_weight', 'is_told']) }}
),

{# Kept, for PostgreSQL would work every expression out again wherever it is read: five times the work. #}
pointed as materialized (
    select
        indicators.customer_id,
        indicators.customer_kind,
        index_policy.weights,
        weights.indicators_version || ', ' || index_policy.rule_version as rule_version,
        index_policy.explained_share,
        {%- for indicator in risk_indicators() %}
            indicators.value_{{ indicator }},
            coalesce(
                {{ risk_points('indicators.scaled_' ~ indicator, 'weights.weight_' ~ indicator) }}, 0
            ) as points_{{ indicator }},
            {# Points above those of a customer of whom nothing is known; none of one that may not be told. #}
            case
                when weights.is_told_{{ indicator }} = 1
                    then
                        {{ risk_points('indicators.scaled_' ~ indicator, 'weights.weight_' ~ indicator) }}
                        - {{ risk_points('100 * index_policy.neutral_value', 'weights.weight_' ~ indicator) }}
            end as excess_{{ indicator }},
        {%- endfor %}
        {%- for kind in ['expert', 'pca'] %}
            {%- for indicator in risk_indicators() %}
                {{ '+ ' if not loop.first }}coalesce(
                    {{ risk_points('indicators.scaled_' ~ indicator, 'weights.' ~ kind ~ '_weight_' ~ indicator) }}, 0
                )
            {%- endfor %} as {{ kind }}_points,
        {%- endfor %}
        {%- for indicator in risk_indicators() %}
            {{ '+ ' if not loop.first -}}
            case when indicators.value_{{ indicator }} is null and weights.weight_{{ indicator }} > 0 then 1 else 0 end
        {%- endfor %} as count_unknown,
        indicators.as_of_date
    from {{ ref('int_risk_indicators') }} as indicators
    inner join weights
        on
            indicators.as_of_date = weights.as_of_date
            and indicators.customer_kind = weights.customer_kind
    inner join index_policy
        on
            indicators.as_of_date = index_policy.as_of_date
            and indicators.customer_kind = index_policy.customer_kind
),

summed as materialized (
    select
        *,
        case weights when 'pca' then pca_points else expert_points end as index_score,
        {# Both engines leave unknown ones out. #}
        greatest(
            {%- for indicator in risk_indicators() %}
                excess_{{ indicator }}{{ ',' if not loop.last }}
            {%- endfor %}
        ) as highest_excess
    from pointed
),

named as (
    select
        *,
        case
            when highest_excess <= 0 then null
            {%- for indicator in risk_indicators() %}
                when excess_{{ indicator }} = highest_excess then '{{ indicator }}'
            {%- endfor %}
        end as main_indicator
    from summed
),

final as (
    select
        named.customer_id,
        named.customer_kind,
        grades.risk_grade,
        grades.risk_grade_en,
        grades.risk_grade_zh,
        named.main_indicator,
        indicator_rows.indicator_en as main_indicator_en,
        indicator_rows.indicator_zh as main_indicator_zh,
        named.weights,
        named.rule_version || ', ' || grades.rule_version as rule_version,
        cast(named.index_score as numeric(9, 4)) as index_score,
        cast(named.expert_points as numeric(9, 4)) as expert_score,
        {# Where no component was fitted, or none that may be used, nothing is weighed by it. #}
        cast(case when named.explained_share is not null then named.pca_points end as numeric(9, 4)) as pca_score,
        cast(named.count_unknown as integer) as count_unknown_indicators,
        {%- for indicator in risk_indicators() %}
            named.value_{{ indicator }},
        {%- endfor %}
        {%- for indicator in risk_indicators() %}
            cast(named.points_{{ indicator }} as numeric(9, 4)) as points_{{ indicator }},
        {%- endfor %}
        named.as_of_date
    from named
    inner join grades
        on
            named.as_of_date = grades.as_of_date
            and named.customer_kind = grades.customer_kind
            and {{ in_band('named.index_score', 'grades') }}
    left join indicator_rows
        on
            named.as_of_date = indicator_rows.as_of_date
            and named.customer_kind = indicator_rows.customer_kind
            and named.main_indicator = indicator_rows.indicator
)

select * from final
