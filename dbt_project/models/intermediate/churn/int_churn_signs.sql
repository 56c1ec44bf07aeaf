{# What a snapshot shows of churn in the customers on whom any counted form shows on any day of the run, or who have a spell
    already: which spell would begin for a customer that is in none, and which forms hold at the end of the day. No memory
    enters here; int_churn_spells has it. #}
with

observations as (
    select *
    from {{ ref('int_observations') }}
    where observation_kind = 'snapshot'
),

forms as (
    select
        forms.*,
        {%- for form in churn_forms() %}
            coalesce(observations.counts_{{ form }}, false) as counts_{{ form }},
        {%- endfor %}
        observations.drain_share,
        observations.churn_version as rule_version,
        dates.previous_on,
        dates.segment_no
    from {{ ref('int_churn_forms') }} as forms
    inner join observations on forms.as_of_date = observations.as_of_date
    inner join {{ ref('int_churn_dates') }} as dates on forms.as_of_date = dates.as_of_date
    where forms.observation_kind = 'snapshot'
),

{# A first snapshot has nothing to remember. It shows closures and silences since they began, a drain that had come about
    when the last churn period began, and one of that period. Later ones show what is new since the snapshot before, or
    still holds. #}
shown as (
    select
        *,
        closed_on is not null and (reopened_on is null or previous_on is null or closed_on > previous_on)
            as shows_account_closure,
        previous_on is null as is_first_snapshot,
        previous_on is null and has_drained_before as shows_earlier_drain,
        silent_on is not null and (is_silent_at_end or previous_on is null or silent_on > previous_on)
            as shows_silence
    from forms
),

{# The balance before the drain that holds. Of two at a first snapshot the earlier one's, while the balance is not back. #}
remembered as (
    select
        *,
        case
            when not counts_balance_drain then null
            when
                shows_earlier_drain
                and coalesce(mean_balance_outcome_amount < drain_share * mean_balance_prior_lead_amount, true)
                then mean_balance_prior_lead_amount
            when is_balance_drain then mean_balance_base_amount
        end as drain_base_amount,
        case when counts_account_closure and shows_account_closure then closed_on end as account_closure_on,
        case
            when not counts_balance_drain then null
            when shows_earlier_drain then started_on
            when is_balance_drain then observed_on
        end as balance_drain_on,
        case when counts_silence and shows_silence then silent_on end as silence_on,
        case when counts_loan_runoff then loan_runoff_on end as counted_loan_runoff_on,
        case when counts_card_stop then card_stop_on end as counted_card_stop_on
    from shown
),

begun as (
    select
        customer_id,
        {{ first_form({
            'account_closure': 'account_closure_on',
            'balance_drain': 'balance_drain_on',
            'silence': 'silence_on',
            'loan_runoff': 'counted_loan_runoff_on',
            'card_stop': 'counted_card_stop_on',
        }) }} as churn_form,
        case when shows_account_closure then closure_reason end as closure_reason,
        block_reason,
        loan_runoff_reason,
        card_stop_reason,
        rule_version,
        segment_no,
        coalesce(
            case when shows_earlier_drain then mean_balance_prior_lead_amount end, mean_balance_base_amount
        ) as base_balance_amount,
        mean_balance_outcome_amount,
        mean_balance_base_amount,
        drain_share,
        drain_base_amount,
        shows_account_closure,
        is_balance_drain or shows_earlier_drain as shows_balance_drain,
        shows_silence,
        loan_runoff_on is not null as shows_loan_runoff,
        card_stop_on is not null as shows_card_stop,
        counts_balance_drain,
        counts_balance_drain and is_balance_drain as is_drained_again,
        {# Forms that need no memory to be known to hold. #}
        (account_closure_on is not null and reopened_on is null)
        or (counts_silence and is_silent_at_end)
        or counted_loan_runoff_on is not null
        or counted_card_stop_on is not null as holds_by_itself,
        as_of_date,
        previous_on,
        least(
            account_closure_on, balance_drain_on, silence_on, counted_loan_runoff_on, counted_card_stop_on
        ) as begins_on,
        closure_known_on,
        loan_runoff_known_on,
        card_stop_known_on,
        open_from_on,
        first_act_after_silence_on,
        case when account_closure_on is not null then reopened_on end as account_closure_ended_on,
        case when silence_on is not null and not is_silent_at_end then first_act_after_silence_on end
            as silence_ended_on
    from remembered
),

concerned as (
    select customer_id
    from begun
    where begins_on is not null

    union

    select customer_id
    from {{ ref('int_churn_anchors') }}
),

final as (
    select
        begun.customer_id,
        begun.churn_form,
        begun.closure_reason,
        begun.block_reason,
        case
            when begun.churn_form = 'account_closure' then begun.closure_reason
            when begun.churn_form = 'loan_runoff' then begun.loan_runoff_reason
            when begun.churn_form = 'card_stop' then begun.card_stop_reason
            else coalesce(begun.block_reason, begun.closure_reason)
        end as booked_reason_code,
        begun.rule_version,
        begun.segment_no,
        begun.base_balance_amount,
        begun.mean_balance_outcome_amount,
        begun.mean_balance_base_amount,
        begun.drain_share,
        begun.drain_base_amount,
        {%- for form in churn_forms() %}
            begun.shows_{{ form }},
        {%- endfor %}
        begun.counts_balance_drain,
        begun.is_drained_again,
        begun.holds_by_itself,
        begun.as_of_date,
        begun.begins_on,
        case
            when begun.churn_form = 'account_closure' then begun.closure_known_on
            when begun.churn_form = 'loan_runoff' then begun.loan_runoff_known_on
            when begun.churn_form = 'card_stop' then begun.card_stop_known_on
            else begun.begins_on
        end as known_on,
        {# What begins and is over again by the end of the same day's snapshot. #}
        case
            when not begun.holds_by_itself and begun.drain_base_amount is null
                then
                    greatest(
                        begun.account_closure_ended_on,
                        begun.silence_ended_on,
                        case when begun.shows_balance_drain and begun.counts_balance_drain then begun.as_of_date end
                    )
        end as begun_and_ended_on,
        begun.open_from_on,
        begun.first_act_after_silence_on
    from begun
    inner join concerned on begun.customer_id = concerned.customer_id
)

select * from final
