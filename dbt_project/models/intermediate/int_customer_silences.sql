{# The first day of silence after each active day: `silence_days` after it, unless the customer acted by then. Who was
    never seen to act counts from the opening of the relationship, or from where our sight begins: the data, the window. #}
with

observations as (
    select * from {{ ref('int_observations') }}
),

acts as (
    select
        customer_id,
        activity_date as acted_on,
        observed_on,
        known_by_on
    from {{ ref('int_customer_activity_days') }}
    where count_customer_transactions > 0

    union all

    select
        relationships.customer_id,
        greatest(
            relationships.first_opened_on,
            {{ add_days('observations.data_started_on', -1) }},
            {{ add_days('observations.observed_on', '-observations.lag_days - 365') }}
        ) as acted_on,
        relationships.observed_on,
        relationships.known_by_on
    from {{ ref('int_customer_relationships') }} as relationships
    inner join observations
        on
            relationships.observed_on = observations.observed_on
            and relationships.known_by_on = observations.known_by_on
),

next_acts as (
    select
        acts.customer_id,
        acts.acted_on,
        lead(acts.acted_on) over (
            partition by acts.customer_id, acts.observed_on, acts.known_by_on order by acts.acted_on
        ) as next_acted_on,
        acts.observed_on,
        acts.known_by_on
    from acts
),

final as (
    select
        next_acts.customer_id,
        {{ add_days('next_acts.acted_on', 'observations.silence_days') }} as silent_on,
        next_acts.next_acted_on as ended_on,
        next_acts.observed_on,
        next_acts.known_by_on
    from next_acts
    inner join observations
        on
            next_acts.observed_on = observations.observed_on
            and next_acts.known_by_on = observations.known_by_on
    where
        {{ add_days('next_acts.acted_on', 'observations.silence_days') }} <= observations.observed_on
        and (
            next_acts.next_acted_on is null
            or next_acts.next_acted_on > {{ add_days('next_acts.acted_on', 'observations.silence_days') }}
        )
)

select * from final
