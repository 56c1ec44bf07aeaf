{# What became of each customer who was there at the start: the forms of churn in the outcome window, and in the gap
    before it. Snapshots (their last period) and labels (the period after) are the same rows here. #}
with

observations as (
    select * from {{ ref('int_observations') }}
),

balances as (
    select * from {{ ref('int_customer_balances') }}
),

{# The last account decides; of several closed that day, one closed by the customer makes it the customer's choice. #}
closures as (
    select
        accounts.customer_id,
        max(case when accounts.closure_reason in ('bank_policy', 'death', 'fraud_block', 'matured') then 0 else 1 end)
        = 1 as is_closure_voluntary,
        accounts.observed_on,
        accounts.known_by_on,
        relationships.last_closed_on as closed_on
    from {{ ref('int_customer_relationships') }} as relationships
    inner join {{ ref('int_account_states') }} as accounts
        on
            relationships.customer_id = accounts.customer_id
            and relationships.observed_on = accounts.observed_on
            and relationships.known_by_on = accounts.known_by_on
            and relationships.last_closed_on = accounts.closed_on
    where relationships.count_open_accounts = 0
    group by
        accounts.customer_id,
        accounts.observed_on,
        accounts.known_by_on,
        relationships.last_closed_on
),

{#
    No act for `silence_days`. A silence that begins in the period, which is shorter than that, follows the last act of
    `silence_days` or more before the observed day, unless the customer acted within `silence_days` of it. Who was never
    seen to act counts from the opening, or from where our sight begins: the data, the window.
#}
sightings as (
    select
        relationships.customer_id,
        observations.started_on,
        observations.outcome_from_on,
        observations.silence_days,
        greatest(
            relationships.first_opened_on,
            {{ add_days('observations.data_started_on', -1) }},
            observations.looked_back_to
        ) as in_sight_from_on,
        windows.last_activity_on,
        windows.last_act_by_start_on,
        windows.last_act_before_silence_on,
        windows.first_act_after_silence_on,
        observations.observed_on,
        observations.known_by_on
    from {{ ref('int_customer_relationships') }} as relationships
    inner join observations
        on
            relationships.observed_on = observations.observed_on
            and relationships.known_by_on = observations.known_by_on
    left join {{ ref('int_customer_windows') }} as windows
        on
            relationships.customer_id = windows.customer_id
            and relationships.observed_on = windows.observed_on
            and relationships.known_by_on = windows.known_by_on
),

silent_days as (
    select
        sightings.*,
        sightings.started_on >= {{
            add_days(
                'coalesce(sightings.last_act_by_start_on, sightings.in_sight_from_on)',
                'sightings.silence_days'
            )
        }} as is_silent_at_start,
        sightings.observed_on >= {{
            add_days(
                'coalesce(sightings.last_activity_on, sightings.in_sight_from_on)',
                'sightings.silence_days'
            )
        }} as is_silent_at_end,
        {{
            add_days(
                'coalesce(sightings.last_act_before_silence_on, sightings.in_sight_from_on)',
                'sightings.silence_days'
            )
        }} as silent_from_on
    from sightings
),

unbroken as (
    select
        *,
        case when coalesce(first_act_after_silence_on > silent_from_on, true) then silent_from_on end
            as silent_on
    from silent_days
),

silences as (
    select
        customer_id,
        is_silent_at_start,
        is_silent_at_end,
        observed_on,
        known_by_on,
        case when silent_on > started_on and silent_on <= outcome_from_on then silent_on end
            as silent_in_gap_on,
        case when silent_on > outcome_from_on and silent_on <= observed_on then silent_on end
            as silent_in_outcome_on
    from unbroken
),

forms as (
    select
        relationships.customer_id,
        observations.observation_kind,
        balances.mean_balance_base_amount,
        balances.mean_balance_outcome_amount,
        observations.counts_account_closure,
        observations.counts_balance_drain,
        observations.counts_silence,
        observations.is_mature,
        silences.is_silent_at_start,
        silences.is_silent_at_end,
        closures.is_closure_voluntary,
        {{
            is_drained(
                'balances.mean_balance_outcome_amount',
                'balances.mean_balance_base_amount',
                add_days('observations.started_on', '1 - observations.outcome_days')
            )
        }} as is_balance_drain,
        {# The same form, held against the day before the outcome window opens: who had drained by then did not drain in it. #}
        {{
            is_drained(
                'balances.mean_balance_lead_amount',
                'balances.mean_balance_prior_lead_amount',
                add_days('observations.outcome_from_on', '1 - 2 * observations.outcome_days')
            )
        }} as has_drained_before,
        observations.as_of_date,
        observations.started_on,
        observations.observed_on,
        observations.known_by_on,
        case when closures.closed_on <= observations.outcome_from_on then closures.closed_on end as closed_in_gap_on,
        case when closures.closed_on > observations.outcome_from_on then closures.closed_on end
            as closed_in_outcome_on,
        silences.silent_in_gap_on,
        silences.silent_in_outcome_on
    from {{ ref('int_customer_relationships') }} as relationships
    inner join observations
        on
            relationships.observed_on = observations.observed_on
            and relationships.known_by_on = observations.known_by_on
    left join balances
        on
            relationships.customer_id = balances.customer_id
            and relationships.observed_on = balances.observed_on
            and relationships.known_by_on = balances.known_by_on
    left join closures
        on
            relationships.customer_id = closures.customer_id
            and relationships.observed_on = closures.observed_on
            and relationships.known_by_on = closures.known_by_on
    left join silences
        on
            relationships.customer_id = silences.customer_id
            and relationships.observed_on = silences.observed_on
            and relationships.known_by_on = silences.known_by_on
    where relationships.count_open_accounts_at_start > 0
),

counted as (
    select
        *,
        counts_account_closure and closed_in_outcome_on is not null as is_counted_closure,
        counts_silence and silent_in_outcome_on is not null as is_counted_silence,
        counts_balance_drain and is_balance_drain as is_counted_drain,
        counts_balance_drain and has_drained_before as is_drained_before,
        (counts_account_closure and closed_in_gap_on is not null)
        or (counts_silence and silent_in_gap_on is not null)
        or (counts_balance_drain and has_drained_before) as is_gap_churn
    from forms
),

final as (
    select
        customer_id,
        observation_kind,
        mean_balance_base_amount,
        mean_balance_outcome_amount,
        is_mature,
        is_silent_at_start,
        is_drained_before,
        is_gap_churn,
        closed_in_outcome_on is not null as is_account_closure,
        is_balance_drain,
        silent_in_outcome_on is not null as is_silence,
        {# A closure by the bank, by death or at maturity is passive; a drain or a silence is the customer's choice. #}
        is_counted_drain or is_counted_silence or (is_counted_closure and is_closure_voluntary) as is_voluntary,
        is_counted_closure or is_counted_drain or is_counted_silence as is_churned,
        {# A silence that the customer has ended since is over; a drain holds at the end of its window. #}
        is_counted_closure or is_counted_drain or (counts_silence and is_silent_at_end) as is_churned_at_end,
        as_of_date,
        started_on,
        observed_on,
        known_by_on,
        {# A drain is a fact of the whole window: it holds from the window's last day on. #}
        least(
            case when is_counted_closure then closed_in_outcome_on end,
            case when is_counted_silence then silent_in_outcome_on end,
            case when is_counted_drain then observed_on end
        ) as churned_on
    from counted
)

select * from final
