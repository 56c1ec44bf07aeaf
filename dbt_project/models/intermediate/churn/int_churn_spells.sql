{# Every spell of churn known on each day, from one snapshot to the next. A spell begins with the first counted form, and goes
    on while any counted form holds. A drain holds until the balance is back at `drain_share` of what it was before that
    drain, which is remembered; every other form says itself since when it holds. The spells before the first day of a run
    are read from history, so a day gives what all days in one pass give. #}
{%- set text = dbt.type_string() -%}
{%- set forms = churn_forms() -%}
with recursive

dates as (
    select * from {{ ref('int_churn_dates') }}
),

signs as (
    select * from {{ ref('int_churn_signs') }}
),

anchors as (
    select
        anchors.*,
        max(anchors.spell_no) over (partition by anchors.as_of_date, anchors.customer_id) as last_spell_no
    from {{ ref('int_churn_anchors') }} as anchors
),

{# Who is in no spell of history: the first day of each segment on which one begins. #}
first_begun as (
    select
        signs.*,
        row_number() over (partition by signs.customer_id, signs.segment_no order by signs.as_of_date) as day_no
    from signs
    where signs.begins_on is not null
),

anchored as (
    select distinct
        anchors.customer_id,
        dates.segment_no
    from anchors
    inner join dates on anchors.as_of_date = dates.previous_on
),

beginnings as (
    select
        customer_id,
        churn_form,
        booked_reason_code,
        rule_version,
        spell_no,
        base_balance_amount,
        drain_base_amount,
        {%- for form in forms %}
            is_{{ form }},
        {%- endfor %}
        spell_no = last_spell_no as is_last,
        as_of_date,
        as_of_date as anchored_on,
        cast(null as date) as born_on,
        started_on,
        known_on,
        ended_on
    from anchors

    union all

    select
        first_begun.customer_id,
        first_begun.churn_form,
        first_begun.booked_reason_code,
        first_begun.rule_version,
        1 as spell_no,
        first_begun.base_balance_amount,
        first_begun.drain_base_amount,
        {%- for form in forms %}
            first_begun.shows_{{ form }} as is_{{ form }},
        {%- endfor %}
        true as is_last,
        first_begun.as_of_date,
        cast(null as date) as anchored_on,
        first_begun.as_of_date as born_on,
        first_begun.begins_on as started_on,
        first_begun.known_on,
        first_begun.begun_and_ended_on as ended_on
    from first_begun
    left join anchored
        on
            first_begun.customer_id = anchored.customer_id
            and first_begun.segment_no = anchored.segment_no
    where
        first_begun.day_no = 1
        and anchored.customer_id is null
),

{# A day leaves each spell as a row, and may add the one that follows it. #}
births as (
    select false as is_birth
    union all
    select true as is_birth
),

steps as (
    select
        customer_id,
        cast(churn_form as {{ text }}) as churn_form,
        cast(booked_reason_code as {{ text }}) as booked_reason_code,
        cast(rule_version as {{ text }}) as rule_version,
        cast(spell_no as integer) as spell_no,
        cast(base_balance_amount as {{ money() }}) as base_balance_amount,
        cast(drain_base_amount as {{ money() }}) as drain_base_amount,
        {%- for form in forms %}
            is_{{ form }},
        {%- endfor %}
        is_last,
        as_of_date,
        anchored_on,
        born_on,
        started_on,
        known_on,
        ended_on
    from beginnings

    union all

    {# Each spell as it is on the next day, and, from the last one when it is over, the one that begins. #}
    select
        customer_id,
        cast(case when is_birth then begun_form else churn_form end as {{ text }}) as churn_form,
        cast(
            case
                when is_birth then begun_reason_code
                when ended_on is not null then booked_reason_code
                else coalesce(booked_reason_code, block_reason, closure_reason)
            end as {{ text }}
        ) as booked_reason_code,
        cast(case when is_birth then begun_version else rule_version end as {{ text }}) as rule_version,
        cast(case when is_birth then spell_no + 1 else spell_no end as integer) as spell_no,
        cast(case when is_birth then begun_base_amount else base_balance_amount end as {{ money() }})
            as base_balance_amount,
        cast(
            case
                when is_birth then begun_drain_amount
                when ended_on is null then next_drain_amount
            end as {{ money() }}
        ) as drain_base_amount,
        {%- for form in forms %}
            case
                when is_birth then shows_{{ form }}
                when ended_on is null and not is_over then is_{{ form }} or coalesce(shows_{{ form }}, false)
                else is_{{ form }}
            end as is_{{ form }},
        {%- endfor %}
        is_birth or (is_last and not is_followed) as is_last,
        next_on as as_of_date,
        case when not is_birth then anchored_on end as anchored_on,
        case when is_birth then next_on else born_on end as born_on,
        case when is_birth then greatest(begins_on, ended_on) else started_on end as started_on,
        case when is_birth then greatest(begun_known_on, ended_on) else known_on end as known_on,
        case
            when is_birth then begun_and_ended_on
            when ended_on is not null then ended_on
            when is_over then over_on
        end as ended_on
    from (
        select
            *,
            not coalesce(holds_by_itself, true) and next_drain_amount is null as is_over,
            {# Of the forms that held, the one that ended last; never before the day that still showed the spell. #}
            coalesce(
                greatest(
                    least(
                        greatest(
                            case when is_account_closure then open_from_on end,
                            case when is_silence then first_act_after_silence_on end,
                            case when drain_base_amount is not null or is_loan_runoff or is_card_stop then next_on end
                        ),
                        next_on
                    ),
                    {{ add_days('as_of_date', 1) }}
                ),
                next_on
            ) as over_on
        from (
            select
                steps.*,
                births.is_birth,
                signs.customer_id is not null
                and steps.is_last
                and steps.ended_on is not null
                and signs.begins_on is not null
                and coalesce(signs.begun_and_ended_on > steps.ended_on, true) as is_followed,
                dates.as_of_date as next_on,
                signs.churn_form as begun_form,
                signs.booked_reason_code as begun_reason_code,
                signs.closure_reason,
                signs.block_reason,
                signs.rule_version as begun_version,
                signs.base_balance_amount as begun_base_amount,
                signs.drain_base_amount as begun_drain_amount,
                {%- for form in forms %}
                    signs.shows_{{ form }},
                {%- endfor %}
                signs.holds_by_itself,
                signs.begins_on,
                signs.known_on as begun_known_on,
                signs.begun_and_ended_on,
                signs.open_from_on,
                signs.first_act_after_silence_on,
                {# The drain that holds is measured against the balance before it; unknown balances change nothing. #}
                case
                    when signs.customer_id is null then steps.drain_base_amount
                    when not signs.counts_balance_drain then null
                    when
                        steps.drain_base_amount is not null
                        and coalesce(
                            signs.mean_balance_outcome_amount < signs.drain_share * steps.drain_base_amount, true
                        )
                        then steps.drain_base_amount
                    when signs.is_drained_again then signs.mean_balance_base_amount
                end as next_drain_amount
            from steps
            inner join dates on steps.as_of_date = dates.previous_on
            left join signs
                on
                    steps.customer_id = signs.customer_id
                    and dates.as_of_date = signs.as_of_date
            cross join births
        ) as joined
        where not is_birth or is_followed
    ) as judged
),

{# Without the days of history that the steps began with. #}
final as (
    select
        steps.customer_id,
        steps.churn_form,
        steps.booked_reason_code,
        steps.rule_version,
        steps.spell_no,
        steps.base_balance_amount,
        steps.drain_base_amount,
        {%- for form in forms %}
            steps.is_{{ form }},
        {%- endfor %}
        steps.ended_on is null as is_open_spell,
        steps.as_of_date,
        steps.anchored_on,
        steps.born_on,
        steps.started_on,
        steps.known_on,
        steps.ended_on
    from steps
    inner join dates on steps.as_of_date = dates.as_of_date
)

select * from final
