-- Every mix of signs has one stage in every version of the policy, told here by conditions of their own that exclude each
-- other, and the rule of the model gives that one: tried at, just below and just above each bound, unknown, 0 and negative.
with

policy as (
    select
        versions.*,
        versions.policy_set || versions.customer_kind
        || cast(versions.effective_from as {{ dbt.type_string() }}) as version
    from {{ ref('policy_lifecycle') }} as versions
),

flags as (
    select true as flag
    union all
    select false as flag
),

steps as (
    select -1 as step
    union all
    select 0 as step
    union all
    select 1 as step
),

sides as (
    select cast(null as numeric(18, 4)) as ratio
    union all
    select 0.0000 as ratio
    union all
    select -3.0000 as ratio
    union all
    select 99999.0000 as ratio
),

tenures as (
    select
        policy.version,
        policy.exploration_days + steps.step as tenure_days
    from policy
    cross join steps
),

{% for trend, prefix in {'balance': '', 'activity': 'activity_'}.items() %}
    {{ trend }}_ratios as (
        {% for bound in ['growth_from_ratio', 'decline_to_ratio'] %}
            select
                policy.version,
                policy.{{ prefix ~ bound }} + 0.0001 * steps.step as ratio
            from policy
            cross join steps

            union
        {% endfor %}

        select
            policy.version,
            sides.ratio
        from policy
        cross join sides
    ),
{% endfor %}

signs as (
    select
        tenures.version,
        tenures.tenure_days,
        balance_ratios.ratio as balance_ratio,
        activity_ratios.ratio as activity_ratio,
        churned_now.flag as is_churned,
        churned_before.flag as was_churned,
        prospects.flag as is_prospect,
        new_balances.flag as is_balance_from_nothing,
        new_activity.flag as is_activity_from_nothing
    from tenures
    inner join balance_ratios on tenures.version = balance_ratios.version
    inner join activity_ratios on tenures.version = activity_ratios.version
    cross join flags as churned_now
    cross join flags as churned_before
    cross join flags as prospects
    cross join flags as new_balances
    cross join flags as new_activity
),

told as (
    select
        signs.*,
        {{ lifecycle_stage('signs', 'policy') }} as lifecycle_stage,
        not signs.is_churned and not signs.was_churned as is_with_us,
        signs.is_prospect or signs.tenure_days < policy.exploration_days as is_new,
        coalesce(signs.balance_ratio, 1) < policy.decline_to_ratio
        or coalesce(signs.activity_ratio, 1) < policy.activity_decline_to_ratio as is_less,
        coalesce(signs.balance_ratio, 0) >= policy.growth_from_ratio
        or coalesce(signs.activity_ratio, 0) >= policy.activity_growth_from_ratio
        or signs.is_balance_from_nothing
        or signs.is_activity_from_nothing as is_more
    from signs
    inner join policy on signs.version = policy.version
),

expected as (
    select
        *,
        case when is_churned then 1 else 0 end as churned,
        case when was_churned and not is_churned then 1 else 0 end as reactivated,
        case when is_with_us and is_new then 1 else 0 end as exploration,
        case when is_with_us and not is_new and is_less then 1 else 0 end as decline,
        case when is_with_us and not is_new and not is_less and is_more then 1 else 0 end as growth,
        case when is_with_us and not is_new and not is_less and not is_more then 1 else 0 end as maturity
    from told
)

select *
from expected
where
    churned + reactivated + exploration + decline + growth + maturity != 1
    or lifecycle_stage is null
    or lifecycle_stage != case
        when churned = 1 then 'churned'
        when reactivated = 1 then 'reactivated'
        when exploration = 1 then 'exploration'
        when decline = 1 then 'decline'
        when growth = 1 then 'growth'
        else 'maturity'
    end
