{{ config(materialized='view') }}

{# What ties a customer to the bank, scored by the weights of the policy. A relationship that has ended has no tenure. #}
with

run_dates as (
    select * from {{ ref('int_run_dates') }}
),

weights as (
    {{ score_weights('loyalty_class', 'run_dates') }}
),

observations as (
    select *
    from {{ ref('int_observations') }}
    where observation_kind = 'snapshot'
),

{# Of 365 days, and known by the cutoff. #}
events as (
    select
        loyalty_events.customer_id,
        cast(count(*) filter (where loyalty_events.event_type = 'referral') as integer) as count_referrals,
        cast(
            coalesce(sum(loyalty_events.points) filter (where loyalty_events.event_type = 'points_earned'), 0) as bigint
        ) as sum_points_earned,
        observations.as_of_date
    from observations
    inner join {{ ref('stg_loyalty_events') }} as loyalty_events
        on
            observations.observed_on >= loyalty_events.booked_on
            and {{ add_days('observations.observed_on', -365) }} < loyalty_events.booked_on
            and observations.known_by_on >= loyalty_events.known_date
    group by loyalty_events.customer_id, observations.as_of_date
),

measures as (
    select
        customers.customer_id,
        customers.customer_kind,
        customers.relationship_status,
        case when customers.is_open then customers.tenure_days else 0 end as tenure_days,
        customers.count_product_families,
        activity.count_active_days_365d,
        coalesce(events.count_referrals, 0) as count_referrals_365d,
        coalesce(events.sum_points_earned, 0) as sum_points_365d,
        customers.as_of_date
    from {{ ref('int_customers_at') }} as customers
    inner join {{ ref('fct_customer_activity') }} as activity
        on
            customers.customer_id = activity.customer_id
            and customers.as_of_date = activity.as_of_date
    left join events
        on
            customers.customer_id = events.customer_id
            and customers.as_of_date = events.as_of_date
),

scored as (
    select
        measures.*,
        {{ component_score('measures.tenure_days', '(365 * weights.full_at_tenure)') }} as tenure_score,
        {{ component_score('measures.count_product_families', 'weights.full_at_products') }} as products_score,
        {{ component_score('measures.count_active_days_365d', 'weights.full_at_activity') }} as activity_score,
        {{ component_score('measures.count_referrals_365d', 'weights.full_at_referrals') }} as referrals_score,
        {{ component_score('measures.sum_points_365d', 'weights.full_at_points') }} as points_score,
        {%- for component in score_components('loyalty_class') %}
            weights.weight_{{ component }},
        {%- endfor %}
        weights.weights_version
    from measures
    inner join weights
        on
            measures.as_of_date = weights.as_of_date
            and measures.customer_kind = weights.customer_kind
),

final as (
    select
        scored.customer_id,
        scored.customer_kind,
        scored.relationship_status,
        scored.weights_version,
        scored.count_referrals_365d,
        scored.sum_points_365d,
        {{ weighted_score('loyalty_class', 'scored', 'scored') }} as metric_score,
        {%- for component in score_components('loyalty_class') %}
            scored.{{ component }}_score,
        {%- endfor %}
        scored.as_of_date
    from scored
)

select * from final
