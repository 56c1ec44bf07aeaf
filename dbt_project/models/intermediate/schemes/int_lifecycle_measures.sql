{{ config(materialized='view') }}

{# Where each customer stands in the life of a relationship: the churn of definitions section 2, the time with the bank,
    and the trend of deposits and of activity. #}
with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

lifecycle_policy as (
    {{ policy_in_force(ref('policy_lifecycle'), 'run_dates', ['policy.customer_kind']) }}
),

observations as (
    select *
    from {{ ref('int_observations') }}
    where observation_kind = 'snapshot'
),

{# The newest spell of churn, if it goes on or ended in the churn period. #}
spells as (
    select
        spells.*,
        row_number() over (
            partition by spells.as_of_date, spells.customer_id order by spells.spell_no desc
        ) as recency_rank
    from {{ ref('int_churn_spells') }} as spells
    inner join observations on spells.as_of_date = observations.as_of_date
    where coalesce(spells.ended_on > observations.started_on, true)
),

states as (
    select
        customers.customer_id,
        customers.customer_kind,
        customers.relationship_status,
        customers.tenure_days,
        {# A trend against days before the data began would show growth in everybody. #}
        {%- set is_prior_seen = 'observations.data_started_on <= ' ~ add_days('customers.as_of_date', -179) %}
        activity.mean_balance_90d,
        case when {{ is_prior_seen }} then activity.mean_balance_prior_90d end as mean_balance_prior_90d,
        activity.count_active_days_90d,
        case when {{ is_prior_seen }} then activity.count_active_days_prior_90d end as count_active_days_prior_90d,
        balances.mean_balance_outcome_amount,
        spells.drain_base_amount,
        observations.silence_days,
        observations.drain_share,
        observations.churn_version,
        customers.relationship_status = 'no_account' as is_prospect,
        customers.relationship_status = 'closed' or coalesce(spells.is_open_spell, false) as is_churned,
        coalesce(not spells.is_open_spell, false) as was_churned,
        coalesce(spells.is_account_closure, false) as has_closed,
        coalesce(spells.is_balance_drain, false) as has_drained,
        coalesce(spells.is_silence, false) as has_been_silent,
        spells.ended_on as back_on,
        customers.as_of_date,
        customers.closed_on
    from {{ ref('int_customers_at') }} as customers
    inner join observations on customers.as_of_date = observations.as_of_date
    inner join {{ ref('fct_customer_activity') }} as activity
        on
            customers.customer_id = activity.customer_id
            and customers.as_of_date = activity.as_of_date
    left join spells
        on
            customers.customer_id = spells.customer_id
            and customers.as_of_date = spells.as_of_date
            and spells.recency_rank = 1
    left join {{ ref('int_customer_balances') }} as balances
        on
            customers.customer_id = balances.customer_id
            and customers.observed_on = balances.observed_on
            and customers.known_by_on = balances.known_by_on
),

signs as (
    select
        *,
        {{ trend_ratio('mean_balance_90d', 'mean_balance_prior_90d') }} as balance_ratio,
        {{ trend_ratio('count_active_days_90d', 'count_active_days_prior_90d') }} as activity_ratio,
        coalesce(mean_balance_prior_90d <= 0 and mean_balance_90d > 0, false) as is_balance_from_nothing,
        coalesce(count_active_days_prior_90d = 0 and count_active_days_90d > 0, false) as is_activity_from_nothing
    from states
),

staged as (
    select
        signs.*,
        {{ lifecycle_stage('signs', 'lifecycle_policy') }} as lifecycle_stage,
        lifecycle_policy.rule_version || ', ' || signs.churn_version as rules_version,
        lifecycle_policy.exploration_days,
        lifecycle_policy.growth_from_ratio,
        lifecycle_policy.decline_to_ratio,
        lifecycle_policy.activity_growth_from_ratio,
        lifecycle_policy.activity_decline_to_ratio
    from signs
    inner join lifecycle_policy
        on
            signs.as_of_date = lifecycle_policy.as_of_date
            and signs.customer_kind = lifecycle_policy.customer_kind
),

final as (
    select
        customer_id,
        customer_kind,
        relationship_status,
        lifecycle_stage as raw_tier,
        lifecycle_stage as hold_tier,
        rules_version,
        case lifecycle_stage
            when 'churned'
                then
                    case
                        when closed_on is not null then 'closed on ' || cast(closed_on as {{ dbt.type_string() }})
                        when drain_base_amount is not null
                            then
                                'deposits of '
                                || coalesce({{ format_amount('mean_balance_outcome_amount') }}, 'unknown')
                                || ' on average < '
                                || cast(drain_share as {{ dbt.type_string() }}) || ' of '
                                || {{ format_amount('drain_base_amount') }} || ' before'
                        when has_been_silent
                            then 'no act in ' || cast(silence_days as {{ dbt.type_string() }}) || ' days'
                        else 'the last loan or card is gone'
                    end
            when 'reactivated'
                then
                    case
                        when has_closed then 'opened an account again after all were closed, churned until '
                        when has_drained then 'deposits are back after a drain, churned until '
                        when has_been_silent then 'acts again after a silence, churned until '
                        else 'has a loan or card again, churned until '
                    end
                    || cast(back_on as {{ dbt.type_string() }})
            when 'exploration'
                then
                    case
                        when is_prospect then 'no account yet'
                        else
                            cast(tenure_days as {{ dbt.type_string() }}) || ' days with the bank < '
                            || cast(exploration_days as {{ dbt.type_string() }})
                    end
            else
                concat_ws(
                    ' and ',
                    case
                        when lifecycle_stage = 'growth' and is_balance_from_nothing
                            then 'deposits from nothing to ' || {{ format_amount('mean_balance_90d') }}
                        when balance_ratio is null then 'deposits without a trend'
                        else
                            'deposits ' || cast(balance_ratio as {{ dbt.type_string() }})
                            || ' of the 90 days before'
                            || {{ ratio_against('balance_ratio', 'growth_from_ratio', 'decline_to_ratio') }}
                    end,
                    case
                        when lifecycle_stage = 'growth' and is_activity_from_nothing
                            then
                                'active days from none to '
                                || cast(count_active_days_90d as {{ dbt.type_string() }})
                        when activity_ratio is null then 'active days without a trend'
                        else
                            'active days ' || cast(activity_ratio as {{ dbt.type_string() }})
                            || ' of them'
                            || {{
                                ratio_against(
                                    'activity_ratio', 'activity_growth_from_ratio', 'activity_decline_to_ratio'
                                )
                            }}
                    end
                )
        end as raw_reason,
        tenure_days,
        balance_ratio,
        activity_ratio,
        as_of_date
    from staged
)

select * from final
