-- The indicators, the tier summary and the migration count whom the rates of spells count, in the same tiers.
with

rates as (
    select *
    from {{ ref('fct_churn_rates') }}
    where
        churn_form = 'any'
        and choice = 'all'
),

by_kpi as (
    select
        'fct_kpis' as mart,
        kpis.as_of_date,
        'churn' as period,
        kpis.dimension,
        kpis.member,
        cast(rates.churn_rate as numeric(24, 6)) as told,
        cast(kpis.kpi_value as numeric(24, 6)) as held_against
    from {{ ref('fct_kpis') }} as kpis
    left join rates
        on
            kpis.as_of_date = rates.as_of_date
            and rates.period = 'churn'
            and kpis.dimension = rates.dimension
            and kpis.member = rates.member
    where kpis.kpi_code = 'churn_rate_period'
),

{%- set schemes = ['value_tier', 'asset_tier', 'pyramid_tier', 'rfm_segment', 'lifecycle_stage'] %}
{%- set measures = {'count_active_at_start': 'count_at_start', 'count_churned': 'count_churned'} %}

{# Without a snapshot at the start the summary knows the value tiers only. #}
by_summary as (
    {%- for measure, column in measures.items() %}
        select
            'fct_tier_summary, {{ measure }}' as mart,
            summary.as_of_date,
            'churn' as period,
            summary.scheme as dimension,
            summary.tier as member,
            cast(coalesce(rates.{{ measure }}, 0) as numeric(24, 6)) as told,
            cast(coalesce(summary.{{ column }}, 0) as numeric(24, 6)) as held_against
        from {{ ref('fct_tier_summary') }} as summary
        left join rates
            on
                summary.as_of_date = rates.as_of_date
                and rates.period = 'churn'
                and summary.scheme = rates.dimension
                and summary.tier = rates.member
        where
            summary.customer_kind = 'all'
            and summary.scheme in (
                {%- for scheme in schemes %}
                    '{{ scheme }}'{{ ',' if not loop.last }}
                {%- endfor %}
            )
        {{ 'union all' if not loop.last }}
    {%- endfor %}
),

moved as (
    select
        as_of_date,
        period,
        scheme,
        from_tier,
        sum(count_churned) as count_churned
    from {{ ref('fct_tier_migration') }}
    where
        customer_kind = 'all'
        and from_state = 'in_stock'
        and scheme in ('{{ schemes | join("', '") }}')
    group by as_of_date, period, scheme, from_tier
),

rates_of_schemes as (
    select *
    from rates
    where
        period != 'churn'
        and dimension in ('{{ schemes | join("', '") }}')
),

by_migration as (
    select
        'fct_tier_migration' as mart,
        coalesce(moved.as_of_date, rates.as_of_date) as as_of_date,
        coalesce(moved.period, rates.period) as period,
        coalesce(moved.scheme, rates.dimension) as dimension,
        coalesce(moved.from_tier, rates.member) as member,
        cast(coalesce(rates.count_churned, 0) as numeric(24, 6)) as told,
        cast(coalesce(moved.count_churned, 0) as numeric(24, 6)) as held_against
    from moved
    full outer join rates_of_schemes as rates
        on
            moved.as_of_date = rates.as_of_date
            and moved.period = rates.period
            and moved.scheme = rates.dimension
            and moved.from_tier = rates.member
),

every_pair as (
    select * from by_kpi
    union all
    select * from by_summary
    union all
    select * from by_migration
)

select *
from every_pair
where
    told != held_against
    or (told is null and held_against is not null)
