"""What must be true of profit, behaviour and concentration: parts add up, and to the customers."""

from __future__ import annotations

from expectations.asset import Asset, Rule, every_row

BASES = ("profit", "assets")
KINDS = ("all", "personal", "small_business")
HABITS = ("channel", "day_of_week", "third_of_month", "part_of_day")
# A balance that nobody knows is a month-end file that did not come, or an account missing from it.
UNKNOWN_PROFIT_SHARE = 0.05
# Straight pieces, each a hundredth wide, lie above the true curve and take at most that from its Gini.
GINI_TOLERANCE = 0.0101


def assets(schema: str) -> list[Asset]:
    """Profit and behaviour of each customer; concentration and its curve beside what they were made of."""
    return [profit(schema), behaviour(schema), concentration(schema), lorenz(schema)]


def profit(schema: str) -> Asset:
    """Each customer's profit against its parts."""
    parts = "interest_margin_90d + fees_90d - service_cost_90d - expected_credit_loss_90d"
    relation = f"{schema}.fct_customer_profit"
    return every_row(
        relation=relation,
        columns=f"net_profit_90d, {parts} as sum_of_parts",
        source=relation,
        rules=[
            Rule("net_profit_is_the_sum_of_its_parts", "net_profit_90d <> sum_of_parts"),
            Rule(
                "profit_is_unknown_where_a_part_is_and_nowhere_else",
                "(net_profit_90d is null) <> (sum_of_parts is null)",
            ),
            Rule("most_profits_are_known", "net_profit_90d is null", allowed_share=UNKNOWN_PROFIT_SHARE),
        ],
        reads=(relation,),
    )


def behaviour(schema: str) -> Asset:
    """Each customer's habits: who acts has them all, and who does not has none."""
    relation = f"{schema}.fct_customer_behaviour"
    unlike = " or ".join(
        f"""preferred_{habit} is null
        or (preferred_{habit} = 'none') <> (count_transactions_365d <= 0)
        or (preferred_{habit} = 'none') <> (preferred_{habit}_share is null)"""
        for habit in HABITS
    )
    return every_row(
        relation=relation,
        columns="*",
        source=relation,
        rules=[Rule("who_acts_has_habits_and_who_does_not_has_none", unlike)],
        reads=(relation,),
    )


def concentration(schema: str) -> Asset:
    """Each basis and kind of customer on each date: bounds, and the sums over the customers it stands for."""
    relation = f"{schema}.fct_value_concentration"
    sums = {
        "profit": f"""
            select as_of_date, customer_kind, count(*) as count_open, count(net_profit_90d) as count_known,
                sum(net_profit_90d) as sum_value
            from {schema}.fct_customer_profit
            where relationship_status = 'open'
            group by as_of_date, customer_kind
        """,
        "assets": f"""
            select activity.as_of_date, profit.customer_kind, count(*) as count_open,
                count(activity.closing_assets) as count_known, sum(activity.closing_assets) as sum_value
            from {schema}.fct_customer_activity as activity
            inner join {schema}.fct_customer_profit as profit
                on activity.as_of_date = profit.as_of_date and activity.customer_id = profit.customer_id
            where activity.relationship_status = 'open'
            group by activity.as_of_date, profit.customer_kind
        """,
    }
    summed = " union all ".join(f"select '{basis}' as basis, * from ({sums[basis]}) as s" for basis in BASES)
    expected = f"""
        select dates.as_of_date, bases.basis, kinds.customer_kind
        from (select distinct as_of_date from {schema}.dim_customers) as dates
        cross join ({" union all ".join(f"select '{basis}' as basis" for basis in BASES)}) as bases
        cross join ({" union all ".join(f"select '{kind}' as customer_kind" for kind in KINDS)}) as kinds
    """
    return every_row(
        relation=relation,
        columns="found.*, stock.count_open, stock.count_known, stock.sum_value as sum_of_customers",
        source=f"""
            ({expected}) as expected
            left join {relation} as found
                on
                    expected.as_of_date = found.as_of_date
                    and expected.basis = found.basis
                    and expected.customer_kind = found.customer_kind
            left join (
                select
                    as_of_date, basis, coalesce(customer_kind, 'all') as customer_kind,
                    sum(count_open) as count_open, sum(count_known) as count_known,
                    sum(sum_value) as sum_value
                from ({summed}) as summed
                group by grouping sets ((as_of_date, basis, customer_kind), (as_of_date, basis))
            ) as stock
                on
                    expected.as_of_date = stock.as_of_date
                    and expected.basis = stock.basis
                    and expected.customer_kind = stock.customer_kind
        """,
        rules=[
            Rule("every_basis_and_kind_has_a_concentration", "basis is null"),
            Rule(
                "concentration_counts_the_customers_of_its_kind",
                """count_customers <> coalesce(count_open, 0)
                or count_customers - count_unknown <> coalesce(count_known, 0)""",
            ),
            Rule(
                "concentration_sums_the_values_of_its_customers", "sum_value <> coalesce(sum_of_customers, 0)"
            ),
            Rule(
                "gains_and_losses_add_up_to_the_sum", "sum_value <> sum_positive_value + sum_negative_value"
            ),
            Rule(
                "there_are_shares_where_there_is_value",
                """(sum_positive_value > 0) <> (gini is not null)
                or (sum_positive_value > 0) <> (top_20_share is not null)
                or (sum_positive_value > 0) <> (share_customers_80 is not null)""",
            ),
            Rule("the_top_fifth_holds_a_fifth_or_more", "top_20_share < 0.2"),
            # Of equal values it takes four fifths of the customers, in the fewest whole ones.
            Rule(
                "no_more_than_four_fifths_hold_four_fifths",
                """share_customers_80 <= 0
                or 5 * (count_customers_80 - 1) >= 4 * (count_customers - count_unknown)""",
            ),
        ],
        reads=(
            relation,
            *(
                f"{schema}.{mart}"
                for mart in ("dim_customers", "fct_customer_profit", "fct_customer_activity")
            ),
        ),
    )


def lorenz(schema: str) -> Asset:
    """Each curve: whole, and with the area that its Gini coefficient says."""
    relation = f"{schema}.fct_value_lorenz"
    return every_row(
        relation=relation,
        columns="curves.*, concentration.gini",
        source=f"""
            (
                select
                    as_of_date,
                    basis,
                    customer_kind,
                    count(*) as count_points,
                    count(share_value) as count_known,
                    1 - sum((share_value + share_before) * (share_customers - customers_before))
                        as gini_of_curve
                from (
                    select
                        *,
                        lag(share_value) over curve as share_before,
                        lag(share_customers) over curve as customers_before
                    from {relation}
                    window curve as (partition by as_of_date, basis, customer_kind order by point_no)
                ) as points
                group by as_of_date, basis, customer_kind
            ) as curves
            full outer join {schema}.fct_value_concentration as concentration
                on
                    curves.as_of_date = concentration.as_of_date
                    and curves.basis = concentration.basis
                    and curves.customer_kind = concentration.customer_kind
        """,
        rules=[
            Rule("every_concentration_has_a_curve_of_101_points", "coalesce(count_points, 0) <> 101"),
            Rule(
                "a_curve_is_known_where_its_gini_is",
                "(gini is null and count_known > 0) or (gini is not null and count_known < 101)",
            ),
            Rule(
                "the_gini_is_the_area_of_the_curve",
                f"gini - gini_of_curve > {GINI_TOLERANCE} or gini_of_curve - gini > 0.0001",
            ),
        ],
        reads=(relation, f"{schema}.fct_value_concentration"),
    )
