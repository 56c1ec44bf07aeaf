{# Who moved from where to where, counted for all schemes in one pass over customers: a grouping set a scheme, and no row per
    customer and scheme. #}
{%- set periods = ['month', 'quarter', 'year'] -%}
{%- set tiers = tier_columns() -%}
{%- set columns = tiers | map(attribute=2) | list -%}
with

base_dates as (
    select *
    from {{ ref('int_tier_base_dates') }}
    where period in ('{{ periods | join("', '") }}')
),

customers as (
    {{
        rows_then_and_now(
            'fct_customer_tiers',
            ['as_of_date', 'customer_id', 'customer_kind', 'relationship_status', 'is_open'] + columns,
            periods
        )
    }}
),

deposits as (
    {{ rows_then_and_now('fct_customer_activity', ['as_of_date', 'customer_id', 'closing_balance'], periods) }}
),

{# Whose first spell since the earlier day began by the later one, of those in no spell then. #}
churners as (
    select
        period,
        customer_id,
        as_of_date
    from {{ ref('int_churn_cases') }}
    where
        churn_form is not null
        and not is_in_spell_at_start
),

before as (
    select
        base_dates.period,
        base_dates.as_of_date,
        base_dates.from_date,
        customers.customer_id,
        customers.customer_kind,
        customers.relationship_status,
        {%- for column in columns %}
            customers.{{ column }},
        {%- endfor %}
        customers.is_open
    from base_dates
    inner join customers on base_dates.from_date = customers.as_of_date
),

after as (
    select
        base_dates.period,
        base_dates.as_of_date,
        base_dates.from_date,
        customers.customer_id,
        {%- for column in columns %}
            customers.{{ column }},
        {%- endfor %}
        customers.customer_kind
    from base_dates
    inner join customers on base_dates.as_of_date = customers.as_of_date
    where customers.is_open
),

{# In stock (with an open account) on at least one of the two days. A customer counts by the kind of the later day. #}
paired as (
    select
        coalesce(after.period, before.period) as period,
        coalesce(after.as_of_date, before.as_of_date) as as_of_date,
        coalesce(after.from_date, before.from_date) as from_date,
        coalesce(after.customer_id, before.customer_id) as customer_id,
        coalesce(after.customer_kind, before.customer_kind) as customer_kind,
        case
            when before.is_open then 'in_stock'
            when before.relationship_status = 'closed' then 'reactivated'
            else 'new'
        end as from_state,
        case when after.customer_id is not null then 'in_stock' else 'churned' end as to_state,
        {%- for column in columns %}
            before.{{ column }} as from_{{ column }},
            after.{{ column }} as to_{{ column }},
        {%- endfor %}
        case when after.customer_id is not null then after.as_of_date else before.from_date end as valued_on
    from before
    full outer join after
        on
            before.customer_id = after.customer_id
            and before.as_of_date = after.as_of_date
            and before.period = after.period
    where before.is_open or after.customer_id is not null
),

{# Kept, for PostgreSQL would join again for each grouping: three times the work. #}
valued as materialized (
    select
        paired.*,
        deposits.closing_balance,
        paired.from_state = 'in_stock' and churners.customer_id is not null as has_churned
    from paired
    left join deposits
        on
            paired.customer_id = deposits.customer_id
            and paired.valued_on = deposits.as_of_date
    left join churners
        on
            paired.customer_id = churners.customer_id
            and paired.as_of_date = churners.as_of_date
            and paired.period = churners.period
),

counted as (
    select
        period,
        as_of_date,
        from_date,
        customer_kind,
        from_state,
        to_state,
        case
            {%- for _, _, column in tiers %}
                when grouping(from_{{ column }}) = 0 then {{ loop.index }}
            {%- endfor %}
        end as set_no,
        {%- for column in columns %}
            from_{{ column }},
            to_{{ column }},
        {%- endfor %}
        count(*) as count_customers,
        count(*) filter (where has_churned) as count_churned,
        count(closing_balance) as count_known_balances,
        sum(closing_balance) as sum_balance
    from valued
    group by
        grouping sets (  -- noqa: PRS, LT02
            {%- for column in columns %}
                (
                    period, as_of_date, from_date, customer_kind, from_state, to_state,
                    from_{{ column }}, to_{{ column }}
                ){{ ',' if not loop.last }}
            {%- endfor %}
        )
),

named as (
    select
        *,
        case set_no
            {%- for scheme, _, _ in tiers %}
                when {{ loop.index }} then '{{ scheme }}'
            {%- endfor %}
        end as scheme,
        case set_no
            {%- for _, basis, _ in tiers %}
                when {{ loop.index }} then '{{ basis }}'
            {%- endfor %}
        end as basis,
        case set_no
            {%- for column in columns %}
                when {{ loop.index }} then from_{{ column }}
            {%- endfor %}
        end as tier_before,
        case set_no
            {%- for column in columns %}
                when {{ loop.index }} then to_{{ column }}
            {%- endfor %}
        end as tier_after
    from counted
),

{# A scheme that the earlier snapshot did not have yet has no moves since. #}
comparable as (
    select *
    from (
        select
            *,
            count(*) filter (where from_state = 'in_stock' and tier_before is null) over (
                partition by set_no, period, as_of_date
            ) as count_without_tier
        from named
    ) as looked_up
    where count_without_tier = 0
),

{# The tier that a customer without an open account had goes into its state. #}
final as (
    select
        scheme,
        basis,
        period,
        customer_kind,
        from_state,
        case when from_state = 'in_stock' then tier_before else from_state end as from_tier,
        to_state,
        case when to_state = 'in_stock' then tier_after else to_state end as to_tier,
        cast(sum(count_customers) as integer) as count_customers,
        cast(sum(count_churned) as integer) as count_churned,
        cast(sum(count_known_balances) as integer) as count_known_balances,
        cast(sum(sum_balance) as {{ money() }}) as sum_balance,
        as_of_date,
        from_date
    from comparable
    group by
        scheme, basis, period, customer_kind, from_state, from_tier, to_state, to_tier, as_of_date, from_date
)

select * from final
