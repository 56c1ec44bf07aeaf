with

moves as (
    select
        moves.*,
        from_policy.tier_order as from_order,
        to_policy.tier_order as to_order
    from {{ ref('int_tier_moves') }} as moves
    left join {{ ref('int_tier_policy') }} as from_policy
        on
            moves.as_of_date = from_policy.as_of_date
            and moves.scheme = from_policy.scheme
            and moves.customer_kind = from_policy.customer_kind
            and moves.from_tier = from_policy.tier
    left join {{ ref('int_tier_policy') }} as to_policy
        on
            moves.as_of_date = to_policy.as_of_date
            and moves.scheme = to_policy.scheme
            and moves.customer_kind = to_policy.customer_kind
            and moves.to_tier = to_policy.tier
    where
        moves.from_state = 'in_stock'
        and moves.to_state = 'in_stock'
),

every_kind as (
    {{
        with_all_kinds(
            'moves',
            [
                'scheme', 'basis', 'period', 'from_tier', 'to_tier', 'from_order', 'to_order', 'count_customers',
                'as_of_date', 'from_date',
            ]
        )
    }}
),

{# One row of the matrix: the customers of a tier, and the share of them that stayed. #}
tiers_before as (
    select
        scheme,
        basis,
        period,
        customer_kind,
        sum(count_customers) as count_customers,
        coalesce(sum(count_customers) filter (where from_tier = to_tier), 0) as count_stayed,
        coalesce(sum(count_customers) filter (where to_order < from_order), 0) as count_up,
        coalesce(sum(count_customers) filter (where to_order > from_order), 0) as count_down,
        as_of_date,
        from_date
    from every_kind
    group by scheme, basis, period, customer_kind, from_tier, as_of_date, from_date
),

matrices as (
    select
        scheme,
        basis,
        period,
        customer_kind,
        sum(count_customers) as count_customers,
        sum(count_customers - count_stayed) as count_moved,
        sum(count_up) as count_up,
        sum(count_down) as count_down,
        count(*) as count_tiers,
        sum({{ divide_exact('count_stayed', 'count_customers', 12) }}) as trace,
        as_of_date,
        from_date
    from tiers_before
    group by scheme, basis, period, customer_kind, as_of_date, from_date
),

every_flip as (
    {{
        with_all_kinds(
            ref('int_tier_flips'),
            ['scheme', 'basis', 'period', 'count_moved_before', 'count_back', 'as_of_date', 'earlier_date']
        )
    }}
),

flips as (
    select
        scheme,
        basis,
        period,
        customer_kind,
        sum(count_moved_before) as count_moved_before,
        sum(count_back) as count_back,
        as_of_date,
        earlier_date
    from every_flip
    group by scheme, basis, period, customer_kind, as_of_date, earlier_date
),

final as (
    select
        matrices.period,
        matrices.scheme,
        matrices.customer_kind,
        matrices.basis,
        cast(matrices.count_customers as integer) as count_customers,
        cast(matrices.count_moved as integer) as count_moved,
        {{ divide_exact('matrices.count_moved', 'matrices.count_customers', 6) }} as moved_share,
        {%- for side in ['up', 'down'] %}
            case
                when
                    matrices.scheme in (
                        {%- for scheme in schemes_by_merit() %}
                            '{{ scheme }}'{{ ',' if not loop.last }}
                        {%- endfor %}
                    )
                    then {{ divide_exact('matrices.count_' ~ side, 'matrices.count_customers', 6) }}
            end as {{ side }}_share,
        {%- endfor %}
        cast(matrices.count_tiers as integer) as count_tiers,
        {# In whole parts of the trace's last place, since a quotient is exact of whole numbers. #}
        {{
            divide_exact(
                'cast((matrices.count_tiers - matrices.trace) * 1000000000000 as numeric(32, 0))',
                '(matrices.count_tiers - 1) * 1000000000000',
                6
            )
        }} as mobility,
        cast(flips.count_moved_before as integer) as count_moved_before,
        {{ divide_exact('flips.count_back', 'flips.count_moved_before', 6) }} as flip_back_rate,
        matrices.as_of_date,
        matrices.from_date,
        flips.earlier_date
    from matrices
    left join flips
        on
            matrices.as_of_date = flips.as_of_date
            and matrices.period = flips.period
            and matrices.scheme = flips.scheme
            and matrices.customer_kind = flips.customer_kind
            and matrices.basis = flips.basis
)

select * from final
