-- A date before the first version of a policy would drop every customer from an inner join.
{% set policies = [
    'policy_tiers', 'policy_tier_stability', 'policy_rfm', 'policy_churn', 'policy_risk_bands', 'policy_satisfaction',
    'policy_churn_reasons', 'policy_churn_value', 'policy_model_alerts', 'policy_fairness',
] %}

{% for policy in policies %}
    select
        run_dates.as_of_date,
        '{{ policy }}' as policy
    from {{ ref('int_run_dates') }} as run_dates
    left join {{ ref(policy) }} as versions
        on
            run_dates.policy_set = versions.policy_set
            and run_dates.as_of_date >= versions.effective_from
    group by run_dates.as_of_date
    having count(versions.policy_set) = 0
    {{ 'union all' if not loop.last }}
{% endfor %}
