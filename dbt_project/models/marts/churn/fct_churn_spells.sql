{# The spells of int_churn_spells with what the customer was before them, and why and where to as far as anybody knows. #}
{%- set traits = [
    'value_tier', 'asset_tier', 'rfm_segment', 'lifecycle_stage', 'count_product_families', 'tenure_days', 'annual_amount',
] -%}
{%- set spells = ref('int_churn_spells') -%}
{%- set run_dates = ref('int_run_dates') -%}
{#- Of each spell that this run begins, the last snapshot before it: of a closure known late not the one before it was known. -#}
{%- set last_before -%}
    select
        spells.customer_id,
        spells.spell_no,
        spells.as_of_date,
        max(snapshots.as_of_date) as before_on
    from {{ spells }} as spells
    inner join {{ ref('int_tier_snapshots') }} as snapshots on spells.started_on > snapshots.as_of_date
    where spells.born_on = spells.as_of_date
    group by spells.customer_id, spells.spell_no, spells.as_of_date
{%- endset -%}
{%- set days_before -%}
    select distinct before_on
    from ({{ last_before }}) as last_before
    where before_on not in (select run_dates.as_of_date from {{ run_dates }} as run_dates)
    order by before_on
{%- endset -%}
with

spells as (
    select * from {{ spells }}
),

observations as (
    select *
    from {{ ref('int_observations') }}
    where observation_kind = 'snapshot'
),

customers as (
    select * from {{ ref('int_customers_at') }}
),

tiers as (
    {{
        rows_of_history_too(
            'fct_customer_tiers',
            ['as_of_date', 'customer_id', 'value_tier', 'asset_tier', 'rfm_segment', 'lifecycle_stage'],
            spells, days_before
        )
    }}
),

holdings as (
    {{
        rows_of_history_too(
            'dim_customers', ['as_of_date', 'customer_id', 'tenure_days', 'count_product_families'], spells, days_before
        )
    }}
),

amounts as (
    {{
        rows_of_history_too(
            'fct_customer_activity', ['as_of_date', 'customer_id', 'sum_amount_365d'], spells, days_before
        )
    }}
),

last_before as (
    {{ last_before }}
),

{# A spell keeps the traits that it began with; the first snapshot has none before it. #}
begun_here as (
    select
        last_before.customer_id,
        last_before.spell_no,
        tiers.value_tier,
        tiers.asset_tier,
        tiers.rfm_segment,
        tiers.lifecycle_stage,
        holdings.count_product_families,
        holdings.tenure_days,
        amounts.sum_amount_365d as annual_amount,
        last_before.as_of_date
    from last_before
    left join tiers
        on
            last_before.customer_id = tiers.customer_id
            and last_before.before_on = tiers.as_of_date
    left join holdings
        on
            last_before.customer_id = holdings.customer_id
            and last_before.before_on = holdings.as_of_date
    left join amounts
        on
            last_before.customer_id = amounts.customer_id
            and last_before.before_on = amounts.as_of_date
),

interviews as (
    select
        interviews.customer_id,
        interviews.reason,
        interviews.destination,
        observations.outcome_days,
        observations.as_of_date,
        interviews.interviewed_on,
        interviews.known_date
    from observations
    inner join {{ ref('stg_exit_interviews') }} as interviews
        on
            observations.observed_on >= interviews.interviewed_on
            and observations.known_by_on >= interviews.known_date
),

{# An interview is about the last spell that has begun by then; without one, about a spell that is seen to begin within a
    churn period of it: a drain shows when the money has been gone for weeks. A spell that begins later takes no interview
    from the one it was about. Of several interviews on a spell the last one is heard. #}
heard as (
    select
        interviews.customer_id,
        spells.spell_no,
        interviews.reason,
        interviews.destination,
        interviews.as_of_date,
        interviews.interviewed_on,
        interviews.known_date,
        rank() over (
            partition by interviews.as_of_date, interviews.customer_id, interviews.interviewed_on
            order by spells.started_on <= interviews.interviewed_on desc, spells.spell_no desc
        ) as spell_rank
    from interviews
    inner join spells
        on
            interviews.customer_id = spells.customer_id
            and interviews.as_of_date = spells.as_of_date
    where
        {{ add_days('interviews.interviewed_on', 'interviews.outcome_days') }} > spells.started_on
        and coalesce(
            {{ add_days('spells.ended_on', 'interviews.outcome_days') }} > interviews.interviewed_on, true
        )
),

last_heard as (
    select
        *,
        row_number() over (
            partition by as_of_date, customer_id, spell_no
            order by interviewed_on desc, known_date desc, reason asc, destination asc nulls last
        ) as recency_rank
    from heard
    where spell_rank = 1
),

told as (
    select
        spells.*,
        {%- for trait in traits %}
            coalesce(begun_here.{{ trait }}, anchors.{{ trait }}) as {{ trait }},
        {%- endfor %}
        {# A death or a block by the bank is what it is, whatever was said. #}
        case
            when {{ is_voluntary_by('spells.booked_reason_code') }}
                then coalesce(last_heard.reason, spells.booked_reason_code)
            else spells.booked_reason_code
        end as reason_code,
        last_heard.destination
    from spells
    left join begun_here
        on
            spells.customer_id = begun_here.customer_id
            and spells.spell_no = begun_here.spell_no
            and spells.born_on = begun_here.as_of_date
    left join {{ ref('int_churn_anchors') }} as anchors
        on
            spells.customer_id = anchors.customer_id
            and spells.spell_no = anchors.spell_no
            and spells.anchored_on = anchors.as_of_date
    left join last_heard
        on
            spells.customer_id = last_heard.customer_id
            and spells.spell_no = last_heard.spell_no
            and spells.as_of_date = last_heard.as_of_date
            and last_heard.recency_rank = 1
),

final as (
    select
        told.customer_id,
        customers.customer_kind,
        told.churn_form,
        told.reason_code,
        told.booked_reason_code,
        told.destination,
        told.value_tier,
        told.asset_tier,
        told.rfm_segment,
        told.lifecycle_stage,
        customers.currency_code,
        told.rule_version,
        told.spell_no,
        cast(told.count_product_families as integer) as count_product_families,
        cast(told.tenure_days as integer) as tenure_days,
        cast(told.annual_amount as {{ money() }}) as annual_amount,
        told.base_balance_amount,
        told.drain_base_amount,
        {%- for form in churn_forms() %}
            told.is_{{ form }},
        {%- endfor %}
        {{ is_voluntary_by('told.reason_code') }} as is_voluntary,
        told.is_open_spell,
        told.as_of_date,
        told.started_on,
        told.known_on,
        told.ended_on
    from told
    inner join customers
        on
            told.customer_id = customers.customer_id
            and told.as_of_date = customers.as_of_date
)

select * from final
