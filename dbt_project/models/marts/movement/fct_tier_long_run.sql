{# Today's shares after 1,024 more periods like the last: the matrix squared ten times. An ergodic chain has forgotten by then
    where it began, and the shares are its stationary distribution. Exact decimals of 15 places, so that engines agree. #}
{%- set cell = 'numeric(18, 15)' -%}
{%- set matrix = 'as_of_date, period, scheme, customer_kind' -%}
with

every_kind as (
    {{
        with_all_kinds(
            ref('int_tier_moves'),
            [
                'scheme', 'basis', 'period', 'from_state', 'from_tier', 'to_state', 'to_tier', 'count_customers',
                'as_of_date', 'from_date',
            ]
        )
    }}
),

moves as (
    select
        scheme,
        period,
        customer_kind,
        from_tier,
        to_tier,
        sum(count_customers) as count_customers,
        as_of_date,
        from_date
    from every_kind
    where
        basis = 'effective'
        and from_state = 'in_stock'
        and to_state = 'in_stock'
    group by scheme, period, customer_kind, from_tier, to_tier, as_of_date, from_date
),

power_0 as materialized (
    select
        {{ matrix }},
        from_tier,
        to_tier,
        cast(
            {{
                divide_exact(
                    'count_customers',
                    'sum(count_customers) over (partition by ' ~ matrix ~ ', from_tier)',
                    15
                )
            }} as {{ cell }}
        ) as share
    from moves
),

{%- for step in range(10) %}
    power_{{ step + 1 }} as materialized (
        select
            once.as_of_date,
            once.period,
            once.scheme,
            once.customer_kind,
            once.from_tier,
            twice.to_tier,
            cast(sum(once.share * twice.share) as {{ cell }}) as share
        from power_{{ step }} as once
        inner join power_{{ step }} as twice
            on
                once.as_of_date = twice.as_of_date
                and once.period = twice.period
                and once.scheme = twice.scheme
                and once.customer_kind = twice.customer_kind
                and once.to_tier = twice.from_tier
        group by
            once.as_of_date, once.period, once.scheme, once.customer_kind, once.from_tier, twice.to_tier
    ),
{%- endfor %}

now_in as (
    select
        {{ matrix }},
        from_date,
        to_tier as tier,
        sum(count_customers) as count_customers
    from moves
    group by {{ matrix }}, from_date, to_tier
),

{# Also the tiers that everybody has left. #}
tiers as (
    select
        {{ matrix }},
        from_date,
        tier,
        count_customers
    from now_in

    union all

    select
        moves.as_of_date,
        moves.period,
        moves.scheme,
        moves.customer_kind,
        moves.from_date,
        moves.from_tier as tier,
        0 as count_customers
    from moves
    left join now_in
        on
            moves.as_of_date = now_in.as_of_date
            and moves.period = now_in.period
            and moves.scheme = now_in.scheme
            and moves.customer_kind = now_in.customer_kind
            and moves.from_tier = now_in.tier
    where now_in.tier is null
    group by
        moves.as_of_date, moves.period, moves.scheme, moves.customer_kind, moves.from_date, moves.from_tier
),

tiers_before as (
    select distinct
        {{ matrix }},
        from_tier
    from moves
),

shares as (
    select
        tiers.*,
        cast(
            {{
                divide_exact(
                    'tiers.count_customers',
                    'sum(tiers.count_customers) over (partition by '
                    ~ 'tiers.as_of_date, tiers.period, tiers.scheme, tiers.customer_kind)',
                    15
                )
            }} as {{ cell }}
        ) as share_now,
        tiers_before.from_tier is not null as is_left_by_known_rates
    from tiers
    left join tiers_before
        on
            tiers.as_of_date = tiers_before.as_of_date
            and tiers.period = tiers_before.period
            and tiers.scheme = tiers_before.scheme
            and tiers.customer_kind = tiers_before.customer_kind
            and tiers.tier = tiers_before.from_tier
),

long_run as (
    select
        shares.as_of_date,
        shares.period,
        shares.scheme,
        shares.customer_kind,
        power_10.to_tier as tier,
        sum(shares.share_now * power_10.share) as share_long_run
    from shares
    inner join power_10
        on
            shares.as_of_date = power_10.as_of_date
            and shares.period = power_10.period
            and shares.scheme = power_10.scheme
            and shares.customer_kind = power_10.customer_kind
            and shares.tier = power_10.from_tier
    group by shares.as_of_date, shares.period, shares.scheme, shares.customer_kind, power_10.to_tier
),

{# A tier that somebody entered and nobody was in before: how it is left is not known, and so neither is the long run. #}
closed as (
    select
        {{ matrix }},
        min(case when is_left_by_known_rates then 1 else 0 end) = 1 as is_closed
    from shares
    group by {{ matrix }}
),

final as (
    select
        shares.period,
        shares.scheme,
        shares.customer_kind,
        shares.tier,
        cast(shares.count_customers as integer) as count_customers,
        cast(shares.share_now as numeric(18, 6)) as share_now,
        case when closed.is_closed then cast(coalesce(long_run.share_long_run, 0) as numeric(18, 6)) end
            as share_long_run,
        shares.as_of_date,
        shares.from_date
    from shares
    inner join closed
        on
            shares.as_of_date = closed.as_of_date
            and shares.period = closed.period
            and shares.scheme = closed.scheme
            and shares.customer_kind = closed.customer_kind
    left join long_run
        on
            shares.as_of_date = long_run.as_of_date
            and shares.period = long_run.period
            and shares.scheme = long_run.scheme
            and shares.customer_kind = long_run.customer_kind
            and shares.tier = long_run.tier
)

select * from final
