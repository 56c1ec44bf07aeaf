{#- The detailed mart of each scheme, and its column that holds the effective tier. -#}
{% macro tier_schemes() -%}
    {{ return({
        'value_tier': ('fct_customer_value_tiers', 'value_tier'),
        'asset_tier': ('fct_customer_asset_tiers', 'asset_tier'),
        'pyramid_tier': ('fct_customer_pyramid_tiers', 'pyramid_tier'),
        'savings_grade': ('fct_customer_savings_grades', 'savings_grade'),
        'risk_appetite': ('fct_customer_risk_appetites', 'risk_appetite'),
        'lifecycle_stage': ('fct_customer_lifecycle_stages', 'lifecycle_stage'),
        'loyalty_class': ('fct_customer_loyalty_classes', 'loyalty_class'),
        'rfm_segment': ('fct_customer_rfm', 'segment'),
    }) }}
{%- endmacro %}

{#- Schemes cut by a metric, whose mart of all schemes shows the day's own tier (raw_<scheme>) beside the one that holds. -#}
{% macro banded_schemes() -%}
    {{ return(['value_tier', 'asset_tier', 'pyramid_tier', 'loyalty_class']) }}
{%- endmacro %}

{#- Schemes whose tiers are better and worse. A bolder appetite for risk, a stage of life and an RFM segment are none. -#}
{% macro schemes_by_merit() -%}
    {{ return(['value_tier', 'asset_tier', 'pyramid_tier', 'savings_grade', 'loyalty_class']) }}
{%- endmacro %}

{#- Joins to each customer and date the detailed mart of every scheme, under its own name. -#}
{% macro join_schemes(rows) -%}
    {%- for mart, _ in tier_schemes().values() %}
    inner join {{ ref(mart) }} as {{ mart }}
        on
            {{ rows }}.customer_id = {{ mart }}.customer_id
            and {{ rows }}.as_of_date = {{ mart }}.as_of_date
    {%- endfor %}
{%- endmacro %}

{#- The row of a scheme's policy for a tier, on the day and for the kind of customer of `rows`. -#}
{% macro is_policy_of(tier, rows, policy) -%}
    {{ rows }}.as_of_date = {{ policy }}.as_of_date
    and {{ rows }}.customer_kind = {{ policy }}.customer_kind
    and {{ tier }} = {{ policy }}.tier
{%- endmacro %}

{#- From the tiers of a scheme as measured to its tiers as they hold, by hysteresis, dwell, grace and overrides.

    Stands behind a CTE `measured` in a `with recursive`: customer_id, customer_kind, as_of_date, raw_tier (what the metric
    gives today), hold_tier (the best tier that the metric is still good enough to keep; raw_tier for a scheme without exit
    bounds), raw_reason. Gives `stated`: those rows, the effective tier (`tier`) and how it came about.

    The earned tier moves towards its candidate: up to the raw tier, down to the hold tier. The move is pending until policy
    lets it through. An override shows another tier for a while and is never fed back: what is earned goes on beneath. The
    state before the first snapshot of a run is read from history, so a day gives what all days in one pass give. -#}
{% macro stable_tiers(scheme) -%}
policy as (
    select *
    from {{ ref('int_tier_policy') }}
    where scheme = '{{ scheme }}'
),

overrides as (
    select *
    from {{ ref('int_tier_overrides') }}
    where scheme = '{{ scheme }}'
),

anchors as (
    select *
    from {{ ref('int_tier_anchors') }}
    where scheme = '{{ scheme }}'
),

ranked as (
    select
        measured.customer_id,
        measured.customer_kind,
        measured.raw_tier,
        measured.hold_tier,
        overrides.tier as override_tier,
        raw_policy.tier_order as raw_order,
        hold_policy.tier_order as hold_order,
        raw_policy.promote_after_snapshots,
        raw_policy.demote_after_snapshots,
        raw_policy.grace_days,
        raw_policy.dwell_days,
        measured.as_of_date,
        dates.previous_on
    from measured
    inner join {{ ref('int_tier_dates') }} as dates on measured.as_of_date = dates.as_of_date
    inner join policy as raw_policy on {{ is_policy_of('measured.raw_tier', 'measured', 'raw_policy') }}
    inner join policy as hold_policy on {{ is_policy_of('measured.hold_tier', 'measured', 'hold_policy') }}
    left join overrides
        on
            measured.customer_id = overrides.customer_id
            and measured.as_of_date = overrides.as_of_date
),

seen_before as (
    select
        customer_id,
        as_of_date
    from ranked

    union all

    select
        customer_id,
        as_of_date
    from anchors
),

{# Where a customer's path begins in this run: in history, or with the tier measured at the first sight. #}
beginnings as (
    select
        customer_id,
        effective_tier,
        earned_tier,
        candidate_tier,
        count_pending_snapshots,
        as_of_date,
        held_since_on,
        earned_since_on,
        pending_since_on
    from anchors

    union all

    select
        ranked.customer_id,
        coalesce(ranked.override_tier, ranked.raw_tier) as effective_tier,
        ranked.raw_tier as earned_tier,
        ranked.raw_tier as candidate_tier,
        0 as count_pending_snapshots,
        ranked.as_of_date,
        ranked.as_of_date as held_since_on,
        ranked.as_of_date as earned_since_on,
        cast(null as date) as pending_since_on
    from ranked
    left join seen_before
        on
            ranked.customer_id = seen_before.customer_id
            and ranked.previous_on = seen_before.as_of_date
    where seen_before.customer_id is null
),

steps as (
    select * from beginnings

    union all

    select
        customer_id,
        coalesce(override_tier, next_earned_tier) as effective_tier,
        next_earned_tier as earned_tier,
        candidate_tier,
        case when is_due then 0 else next_pending_snapshots end as count_pending_snapshots,
        as_of_date,
        case when coalesce(override_tier, next_earned_tier) = last_effective_tier then held_since_on else as_of_date end
            as held_since_on,
        case when next_earned_tier = earned_tier then earned_since_on else as_of_date end as earned_since_on,
        case when not is_due then next_pending_since_on end as pending_since_on
    from (
        select
            *,
            case when is_due then candidate_tier else earned_tier end as next_earned_tier
        from (
            select
                *,
                case
                    when earned_order is null then true
                    when direction = 1 then next_pending_snapshots >= promote_after_snapshots
                    when direction = -1
                        then
                            {{ days_between('earned_since_on', 'as_of_date') }} >= dwell_days
                            and (
                                coalesce(next_pending_snapshots >= demote_after_snapshots, false)
                                or coalesce(
                                    {{ days_between('next_pending_since_on', 'as_of_date') }} >= grace_days, false
                                )
                            )
                    else false
                end as is_due
            from (
                select
                    *,
                    {# Only what all pending snapshots ask for: of two ways down the shorter, of two ways up too. #}
                    case
                        when direction = 0 then earned_tier
                        when direction = last_direction and direction = -1 and last_order < hold_order
                            then last_candidate_tier
                        when direction = last_direction and direction = 1 and last_order > raw_order
                            then last_candidate_tier
                        when direction = -1 then hold_tier
                        else raw_tier
                    end as candidate_tier,
                    case
                        when direction = 0 then 0
                        when direction = last_direction then count_pending_snapshots + 1
                        else 1
                    end as next_pending_snapshots,
                    case
                        when direction = 0 then null
                        when direction = last_direction then pending_since_on
                        else as_of_date
                    end as next_pending_since_on
                from (
                    select
                        steps.customer_id,
                        ranked.override_tier,
                        steps.effective_tier as last_effective_tier,
                        steps.earned_tier,
                        steps.candidate_tier as last_candidate_tier,
                        ranked.raw_tier,
                        ranked.hold_tier,
                        ranked.raw_order,
                        ranked.hold_order,
                        earned_policy.tier_order as earned_order,
                        candidate_policy.tier_order as last_order,
                        case
                            {# The earned tier is not in the policy any more: begin again with the raw tier. #}
                            when earned_policy.tier_order is null then 1
                            when ranked.hold_order > earned_policy.tier_order then -1
                            when ranked.raw_order < earned_policy.tier_order then 1
                            else 0
                        end as direction,
                        case
                            when steps.pending_since_on is null then 0
                            when candidate_policy.tier_order > earned_policy.tier_order then -1
                            when candidate_policy.tier_order < earned_policy.tier_order then 1
                            else 0
                        end as last_direction,
                        steps.count_pending_snapshots,
                        ranked.promote_after_snapshots,
                        ranked.demote_after_snapshots,
                        ranked.grace_days,
                        ranked.dwell_days,
                        ranked.as_of_date,
                        steps.held_since_on,
                        steps.earned_since_on,
                        steps.pending_since_on
                    from steps
                    inner join ranked
                        on
                            steps.customer_id = ranked.customer_id
                            and steps.as_of_date = ranked.previous_on
                    left join policy as earned_policy
                        on {{ is_policy_of('steps.earned_tier', 'ranked', 'earned_policy') }}
                    left join policy as candidate_policy
                        on {{ is_policy_of('steps.candidate_tier', 'ranked', 'candidate_policy') }}
                ) as directed
            ) as pending
        ) as judged
    ) as stepped
),

stated as (
    select
        measured.*,
        steps.effective_tier as tier,
        effective_policy.tier_en,
        effective_policy.tier_zh,
        effective_policy.tier_order,
        effective_policy.action_en,
        effective_policy.action_zh,
        {# What decided the tier, and what held it. #}
        effective_policy.rule_version || ', ' || effective_policy.stability_version as rule_version,
        steps.earned_tier,
        steps.candidate_tier,
        case
            when overrides.tier is not null
                then
                    'set by ' || overrides.author || ' until ' || cast(overrides.expires_on as {{ dbt.type_string() }})
                    || ': ' || overrides.reason || '; without it: '
            else ''
        end
        || measured.raw_reason
        || case
            when steps.pending_since_on is not null
                then
                    '; ' || steps.candidate_tier || ' pending since '
                    || cast(steps.pending_since_on as {{ dbt.type_string() }})
            when steps.earned_tier != measured.raw_tier
                then
                    '; ' || steps.earned_tier || ' kept'
                    || coalesce(' from ' || {{ format_amount('earned_policy.exit_bound') }} || ' on', '')
            else ''
        end as reason,
        overrides.author as override_author,
        steps.count_pending_snapshots,
        overrides.tier is not null as is_overridden,
        steps.held_since_on,
        steps.earned_since_on,
        steps.pending_since_on
    from measured
    inner join steps
        on
            measured.customer_id = steps.customer_id
            and measured.as_of_date = steps.as_of_date
    left join overrides
        on
            measured.customer_id = overrides.customer_id
            and measured.as_of_date = overrides.as_of_date
    inner join policy as effective_policy on {{ is_policy_of('steps.effective_tier', 'measured', 'effective_policy') }}
    inner join policy as earned_policy on {{ is_policy_of('steps.earned_tier', 'measured', 'earned_policy') }}
)
{%- endmacro %}
