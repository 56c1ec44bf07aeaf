-- A kind of customer without a version in force on a date would be lost from a scheme.
{% set policies = [
    'policy_potential', 'policy_loan_records', 'policy_savings_grades', 'policy_risk_questionnaires',
    'policy_risk_caps', 'policy_lifecycle', 'policy_rfm', 'policy_rfm_segments',
    'policy_risk_indicators', 'policy_risk_index', 'policy_risk_grades',
] %}
with

customer_kinds as (
    select 'personal' as customer_kind
    union all
    select 'small_business' as customer_kind
),

scored_schemes as (
    select 'pyramid_tier' as scheme
    union all
    select 'loyalty_class' as scheme
),

kinds as (
    select
        run_dates.policy_set,
        run_dates.as_of_date,
        customer_kinds.customer_kind
    from {{ ref('int_run_dates') }} as run_dates
    cross join customer_kinds
)

{% for policy in policies %}
    select
        kinds.as_of_date,
        kinds.customer_kind,
        '{{ policy }}' as policy
    from kinds
    left join {{ ref(policy) }} as versions
        on
            kinds.policy_set = versions.policy_set
            and kinds.customer_kind = versions.customer_kind
            and kinds.as_of_date >= versions.effective_from
    group by kinds.as_of_date, kinds.customer_kind
    having count(versions.policy_set) = 0

    union all
{% endfor %}

select
    kinds.as_of_date,
    kinds.customer_kind,
    'policy_tier_weights, ' || schemes.scheme as policy
from kinds
cross join scored_schemes as schemes
left join {{ ref('policy_tier_weights') }} as versions
    on
        kinds.policy_set = versions.policy_set
        and kinds.customer_kind = versions.customer_kind
        and kinds.as_of_date >= versions.effective_from
        and schemes.scheme = versions.scheme
group by kinds.as_of_date, kinds.customer_kind, schemes.scheme
having count(versions.policy_set) = 0
