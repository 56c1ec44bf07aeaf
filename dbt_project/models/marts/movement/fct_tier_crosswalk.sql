{# From the different combinations of tiers, which are few, and not from customers by pairs of schemes. #}
{%- set schemes = tier_schemes().keys() | list -%}
{%- set ends = [('scheme', 'tier', schemes), ('other_scheme', 'other_tier', schemes[::-1])] -%}
with

combinations as (
    select
        as_of_date,
        {%- for scheme in schemes %}
            {{ scheme }},
        {%- endfor %}
        count(*) as count_customers
    from {{ ref('fct_customer_tiers') }}
    where is_open
    group by as_of_date, {{ schemes | join(', ') }}
),

counted as (
    select
        as_of_date,
        {%- for scheme in schemes %}
            {{ scheme }},
            grouping({{ scheme }}) as is_without_{{ scheme }},
        {%- endfor %}
        sum(count_customers) as count_customers
    from combinations
    group by
        grouping sets (  -- noqa: PRS, LT02
            {%- for scheme in schemes %}
                {%- set outer_loop = loop %}
                {%- for other in schemes[loop.index:] %}
                    (as_of_date, {{ scheme }}, {{ other }}){{ ',' if not (loop.last and outer_loop.revindex == 2) }}
                {%- endfor %}
            {%- endfor %}
        )
),

{# Of the two schemes of a set, the first and the last in the order of schemes. #}
pairs as (
    select
        {%- for ours, its_tier, in_order in ends %}
            case
                {%- for scheme in in_order %}
                    when is_without_{{ scheme }} = 0 then '{{ scheme }}'
                {%- endfor %}
            end as {{ ours }},
            case
                {%- for scheme in in_order %}
                    when is_without_{{ scheme }} = 0 then {{ scheme }}
                {%- endfor %}
            end as {{ its_tier }},
        {%- endfor %}
        count_customers,
        as_of_date
    from counted
),

both_ways as (
    select
        scheme,
        tier,
        other_scheme,
        other_tier,
        count_customers,
        as_of_date
    from pairs

    union all

    select
        other_scheme as scheme,
        other_tier as tier,
        scheme as other_scheme,
        tier as other_tier,
        count_customers,
        as_of_date
    from pairs
),

margins as (
    select
        *,
        sum(count_customers) over (partition by as_of_date, scheme, other_scheme, tier) as count_tier,
        sum(count_customers) over (partition by as_of_date, scheme, other_scheme, other_tier) as count_other_tier,
        sum(count_customers) over (partition by as_of_date, scheme, other_scheme) as count_all
    from both_ways
),

{# Chi-square over the number of customers is the sum of n_ij^2 / (n_i n_j) over the cells with customers, less 1. #}
agreement as (
    select
        scheme,
        other_scheme,
        sum({{ divide_exact('count_customers * count_customers', 'count_tier * count_other_tier', 12) }}) - 1
            as mean_square_contingency,
        least(count(distinct tier), count(distinct other_tier)) - 1 as count_freedom,
        as_of_date
    from margins
    group by as_of_date, scheme, other_scheme
),

final as (
    select
        margins.scheme,
        margins.tier,
        margins.other_scheme,
        margins.other_tier,
        cast(margins.count_customers as integer) as count_customers,
        {{ divide_exact('margins.count_customers', 'margins.count_all', 6) }} as share_of_all,
        {{ divide_exact('margins.count_customers', 'margins.count_tier', 6) }} as share_of_tier,
        {{ divide_exact('margins.count_customers', 'margins.count_other_tier', 6) }} as share_of_other_tier,
        case
            when agreement.count_freedom > 0
                then
                    cast(
                        sqrt(
                            greatest(cast(agreement.mean_square_contingency as {{ double() }}), 0)
                            / agreement.count_freedom
                        ) as numeric(18, 6)
                    )
        end as cramers_v,
        margins.as_of_date
    from margins
    inner join agreement
        on
            margins.as_of_date = agreement.as_of_date
            and margins.scheme = agreement.scheme
            and margins.other_scheme = agreement.other_scheme
)

select * from final
