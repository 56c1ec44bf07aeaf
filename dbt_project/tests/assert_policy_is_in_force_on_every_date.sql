-- A date before the first version of a policy would drop every customer from an inner join.
{% for policy in ['policy_value_tiers', 'policy_rfm', 'policy_churn', 'policy_risk_bands', 'policy_satisfaction'] %}
    select
        run_dates.as_of_date,
        '{{ policy }}' as policy
    from {{ ref('int_run_dates') }} as run_dates
    where not exists (
        select 1
        from {{ ref(policy) }} as policy
        where
            policy.policy_set = run_dates.policy_set
            and policy.effective_from <= run_dates.as_of_date
    )
    {{ 'union all' if not loop.last }}
{% endfor %}
