{# A snapshot is observed at the end of its own date, and its churn period is the outcome window that ends there. A
    label is observed where its outcome window ends, with what is known at the training run. Both are then one
    computation: the state at `started_on`, and what happened in (outcome_from_on, observed_on]. #}
with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

churn_policy as (
    {{ policy_in_force(ref('policy_churn'), 'run_dates') }}
),

{# By the day known, so that each observation can be told when its data began without a look at later arrivals. #}
first_days as (
    select
        known_date,
        min(activity_date) as first_activity_on
    from {{ ref('fct_customer_activity_daily') }}
    group by known_date
),

snapshots as (
    select
        run_dates.policy_set,
        run_dates.reporting_currency_code,
        'snapshot' as observation_kind,
        churn_policy.outcome_days as lag_days,
        run_dates.as_of_date,
        {{ add_days('run_dates.as_of_date', '-churn_policy.outcome_days') }} as started_on,
        {{ add_days('run_dates.as_of_date', '-churn_policy.outcome_days') }} as outcome_from_on,
        run_dates.as_of_date as observed_on,
        run_dates.knowledge_cutoff_on as known_by_on,
        true as is_mature
    from run_dates
    inner join churn_policy on run_dates.as_of_date = churn_policy.as_of_date
    where run_dates.run_kind != 'training'
),

labels as (
    select
        run_dates.policy_set,
        run_dates.reporting_currency_code,
        'label' as observation_kind,
        churn_policy.gap_days + churn_policy.outcome_days as lag_days,
        run_dates.as_of_date,
        run_dates.as_of_date as started_on,
        {{ add_days('run_dates.as_of_date', 'churn_policy.gap_days') }} as outcome_from_on,
        {{ add_days('run_dates.as_of_date', 'churn_policy.gap_days + churn_policy.outcome_days') }} as observed_on,
        run_dates.run_knowledge_cutoff_on as known_by_on,
        {{ add_days('run_dates.as_of_date', 'churn_policy.gap_days + churn_policy.outcome_days') }}
        <= run_dates.run_as_of_date as is_mature
    from run_dates
    inner join churn_policy on run_dates.as_of_date = churn_policy.as_of_date
    where run_dates.run_kind = 'training'
),

observations as (
    select * from snapshots
    union all
    select * from labels
),

data_starts as (
    select
        observations.as_of_date,
        min(first_days.first_activity_on) as data_started_on
    from observations
    inner join first_days on observations.known_by_on >= first_days.known_date
    group by observations.as_of_date
),

final as (
    select
        observations.*,
        churn_policy.outcome_days,
        churn_policy.observation_days,
        churn_policy.silence_days,
        churn_policy.min_tenure_days,
        churn_policy.drain_share,
        churn_policy.counts_account_closure,
        churn_policy.counts_balance_drain,
        churn_policy.counts_silence,
        churn_policy.counts_loan_runoff,
        churn_policy.counts_card_stop,
        churn_policy.rule_version as churn_version,
        data_starts.data_started_on,
        {# A year before the start of the churn period: the tier at the start is read too. #}
        {{ add_days('observations.observed_on', '-observations.lag_days - 365') }} as looked_back_to
    from observations
    inner join churn_policy on observations.as_of_date = churn_policy.as_of_date
    left join data_starts on observations.as_of_date = data_starts.as_of_date
)

select * from final
