-- Every customer with an open account has one risk index, the sum of its points and within 0 and 100, by the weights that
-- are in force; the grade is the one whose band holds it, and a protected indicator is nobody's main one.
with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

grades as (
    {{ policy_in_force(ref('policy_risk_grades'), 'run_dates', ['policy.customer_kind']) }}
),

protected as (
    {{ policy_in_force(ref('policy_risk_indicators'), 'run_dates', ['policy.customer_kind']) }}
),

checked as (
    select
        customers.customer_id,
        customers.as_of_date,
        customers.is_open,
        indices.index_score,
        {%- for indicator in risk_indicators() %}
            {{ '+ ' if not loop.first }}indices.points_{{ indicator }}
        {%- endfor %} as sum_points,
        case indices.weights when 'pca' then indices.pca_score else indices.expert_score end as score_in_force,
        grades.risk_grade,
        protected.indicator as protected_indicator
    from {{ ref('dim_customers') }} as customers
    full join {{ ref('fct_customer_risk_index') }} as indices
        on
            customers.customer_id = indices.customer_id
            and customers.as_of_date = indices.as_of_date
    left join grades
        on
            indices.as_of_date = grades.as_of_date
            and indices.customer_kind = grades.customer_kind
            and indices.risk_grade = grades.risk_grade
            and {{ in_band('indices.index_score', 'grades') }}
    left join protected
        on
            indices.as_of_date = protected.as_of_date
            and indices.customer_kind = protected.customer_kind
            and indices.main_indicator = protected.indicator
            and protected.is_protected
)

select *
from checked
where
    is_open is null
    or is_open != (index_score is not null)
    or index_score != sum_points
    or index_score != score_in_force
    or (index_score is not null and score_in_force is null)
    or index_score < 0
    or index_score > 100
    or (index_score is not null and risk_grade is null)
    or protected_indicator is not null
