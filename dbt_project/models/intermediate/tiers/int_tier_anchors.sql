{# The state of every scheme at the standing snapshots that this run goes on from. Their days stand in the text, so that
    the archive is read for them and not through. #}
{%- set days = [] -%}
{%- set dates = ref('int_tier_dates') -%}
{%- if execute and load_relation(dates) -%}
    {%- set anchor_days -%}
        select distinct previous_on
        from {{ dates }}
        where previous_on not in (select built.as_of_date from {{ dates }} as built)
        order by previous_on
    {%- endset -%}
    {%- for day in run_query(anchor_days).rows -%}
        {%- do days.append("date '" ~ day[0] ~ "'") -%}
    {%- endfor -%}
{%- endif -%}

{%- for scheme, (mart, tier) in tier_schemes().items() %}
    {%- set history = published(mart, 'earned_tier') %}
    {%- if days and history %}
        select
            customer_id,
            '{{ scheme }}' as scheme,
            {{ tier }} as effective_tier,
            earned_tier,
            candidate_tier,
            count_pending_snapshots,
            as_of_date,
            held_since_on,
            earned_since_on,
            pending_since_on
        from {{ history }}
        where
            as_of_date in ({{ days | join(', ') }})
            {# Published before tiers had a state. #}
            and earned_tier is not null

        union all
    {% endif %}
{%- endfor %}

select
    cast(null as {{ dbt.type_string() }}) as customer_id,
    cast(null as {{ dbt.type_string() }}) as scheme,
    cast(null as {{ dbt.type_string() }}) as effective_tier,
    cast(null as {{ dbt.type_string() }}) as earned_tier,
    cast(null as {{ dbt.type_string() }}) as candidate_tier,
    cast(null as integer) as count_pending_snapshots,
    cast(null as date) as as_of_date,
    cast(null as date) as held_since_on,
    cast(null as date) as earned_since_on,
    cast(null as date) as pending_since_on
where false
