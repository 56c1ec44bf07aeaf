{# Of the customers in stock at both ends of a period and a period before: whose tier had changed in the earlier period, and
    who is back where it was. #}
{%- set periods = ['month', 'quarter', 'year'] -%}
{%- set tiers = tier_columns() -%}
{%- set columns = tiers | map(attribute=2) | list -%}
with

base_dates as (
    select *
    from {{ ref('int_tier_base_dates') }}
    where
        period in ('{{ periods | join("', '") }}')
        and earlier_date is not null
),

customers as (
    {{
        rows_then_and_now(
            'fct_customer_tiers',
            ['as_of_date', 'customer_id', 'customer_kind', 'is_open'] + columns,
            periods,
            ['from_date', 'earlier_date']
        )
    }}
),

counted as (
    select
        base_dates.period,
        later.customer_kind,
        {%- for column in columns %}
            {# Null where the earliest snapshot did not have the scheme yet. #}
            case
                when count(*) = count(earlier.{{ column }})
                    then count(*) filter (where earlier.{{ column }} != middle.{{ column }})
            end as count_moved_{{ column }},
            case
                when count(*) = count(earlier.{{ column }})
                    then
                        count(*) filter (
                            where
                            earlier.{{ column }} != middle.{{ column }} and later.{{ column }} = earlier.{{ column }}
                        )
            end as count_back_{{ column }},
        {%- endfor %}
        base_dates.as_of_date,
        base_dates.earlier_date
    from base_dates
    inner join customers as later on base_dates.as_of_date = later.as_of_date
    inner join customers as middle
        on
            base_dates.from_date = middle.as_of_date
            and later.customer_id = middle.customer_id
    inner join customers as earlier
        on
            base_dates.earlier_date = earlier.as_of_date
            and later.customer_id = earlier.customer_id
    where later.is_open and middle.is_open and earlier.is_open
    group by base_dates.period, later.customer_kind, base_dates.as_of_date, base_dates.earlier_date
),

final as (
    {%- for scheme, basis, column in tiers %}
        select
            '{{ scheme }}' as scheme,
            '{{ basis }}' as basis,
            period,
            customer_kind,
            cast(count_moved_{{ column }} as integer) as count_moved_before,
            cast(count_back_{{ column }} as integer) as count_back,
            as_of_date,
            earlier_date
        from counted
        {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select * from final
