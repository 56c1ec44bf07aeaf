"""What must be true of what tells how tiers relate and move: everything adds up to the customers there are.

The summary is held against the tiers of every customer, and the other marts, which are small, against it.
That shares add up to one, and the rows of a migration to the stock of the earlier day, dbt's tests hold.
"""

from __future__ import annotations

from expectations.asset import Asset, Rule, every_row
from expectations.tiers import POLICY, SCHEMES, TIERS

SUMMARY = "fct_tier_summary"
MIGRATION = "fct_tier_migration"
KPI_SHARES = "int_kpi_shares"


def assets(schema: str) -> list[Asset]:
    """Summary, migration, mobility and crosswalk on every date of the run."""
    return [summary(schema), migration(schema), mobility(schema), crosswalk(schema)]


def summary(schema: str) -> Asset:
    """Each tier of the policy against the customers with an open account who hold it."""
    relation = f"{schema}.{SUMMARY}"
    codes = [scheme.code for scheme in SCHEMES]
    sets = ", ".join(f"(as_of_date, {code}{kind})" for code in codes for kind in ("", ", customer_kind"))
    known = "\n".join(f"when grouping({code}) = 0 then '{code}'" for code in codes)
    return every_row(
        relation=relation,
        columns="""
            found.*, expected.tier as expected_tier, coalesce(stock.count_stock, 0) as count_stock,
            sum(found.count_at_start) over (
                partition by found.as_of_date, found.scheme, found.customer_kind
            ) as count_at_start_of_all,
            base.denominator as count_base
        """,
        source=f"""
            (
                select as_of_date, scheme, customer_kind, tier from {schema}.{POLICY}
                union
                select as_of_date, scheme, 'all', tier from {schema}.{POLICY}
            ) as expected
            full outer join {relation} as found
                on
                    expected.as_of_date = found.as_of_date
                    and expected.scheme = found.scheme
                    and expected.customer_kind = found.customer_kind
                    and expected.tier = found.tier
            left join (
                select
                    as_of_date,
                    case {known} end as scheme,
                    coalesce(customer_kind, 'all') as customer_kind,
                    coalesce({", ".join(codes)}) as tier,
                    count(*) as count_stock
                from {schema}.{TIERS}
                where is_open
                group by grouping sets ({sets})
            ) as stock
                on
                    found.as_of_date = stock.as_of_date
                    and found.scheme = stock.scheme
                    and found.customer_kind = stock.customer_kind
                    and found.tier = stock.tier
            left join {schema}.{KPI_SHARES} as base
                on
                    found.as_of_date = base.as_of_date
                    and base.kpi_code = 'churn_rate_period'
                    and base.dimension in ('all', 'customer_kind')
                    and found.customer_kind = base.member
        """,
        rules=[
            Rule("every_tier_of_the_policy_is_summarised", "tier is null"),
            Rule("no_tier_beside_the_policy_is_summarised", "tier is not null and expected_tier is null"),
            Rule("the_summary_counts_the_customers_of_each_tier", "count_customers <> count_stock"),
            Rule(
                "churn_by_value_tier_is_of_the_customers_of_the_indicator",
                "scheme = 'value_tier' and coalesce(count_at_start_of_all, 0) <> coalesce(count_base, 0)",
            ),
        ],
        reads=(relation, f"{schema}.{TIERS}", f"{schema}.{POLICY}", f"{schema}.{KPI_SHARES}"),
    )


def migration(schema: str) -> Asset:
    """Who came into or stayed in each tier, in each period that has rows, against the tier's customers.

    A scheme has none where the earlier snapshot is from before the scheme: dbt holds which periods those are.
    """
    relation = f"{schema}.{MIGRATION}"
    return every_row(
        relation=relation,
        columns="moved.count_customers, summary.count_customers as count_stock",
        source=f"""
            (
                select periods.period, summary.*
                from {schema}.{SUMMARY} as summary
                inner join (select distinct as_of_date, period, scheme from {relation}) as periods
                    on summary.as_of_date = periods.as_of_date and summary.scheme = periods.scheme
            ) as summary
            full outer join (
                select
                    as_of_date, period, scheme, customer_kind, to_tier,
                    sum(count_customers) as count_customers
                from {relation}
                where to_state = 'in_stock'
                group by as_of_date, period, scheme, customer_kind, to_tier
            ) as moved
                on
                    summary.as_of_date = moved.as_of_date
                    and summary.period = moved.period
                    and summary.scheme = moved.scheme
                    and summary.customer_kind = moved.customer_kind
                    and summary.tier = moved.to_tier
        """,
        rules=[
            Rule(
                "migration_adds_up_to_the_customers_of_each_tier",
                "coalesce(count_customers, 0) <> coalesce(count_stock, 0)",
            ),
        ],
        reads=(relation, f"{schema}.{SUMMARY}"),
    )


def mobility(schema: str) -> Asset:
    """How much customers move, against the migration of the same customers."""
    relation = f"{schema}.fct_tier_mobility"
    key = ("as_of_date", "period", "scheme", "customer_kind")
    return every_row(
        relation=relation,
        columns="found.*, moved.count_both, moved.count_other",
        source=f"""
            {relation} as found
            full outer join (
                select
                    {", ".join(key)}, 'effective' as basis, sum(count_customers) as count_both,
                    sum(case when from_tier <> to_tier then count_customers else 0 end) as count_other
                from {schema}.{MIGRATION}
                where from_state = 'in_stock' and to_state = 'in_stock'
                group by {", ".join(key)}
            ) as moved
                on {" and ".join(f"found.{column} = moved.{column}" for column in (*key, "basis"))}
        """,
        rules=[
            Rule(
                "mobility_is_of_the_customers_who_migrate",
                """count_customers is null or basis = 'effective' and (
                    count_customers <> coalesce(count_both, 0) or count_moved <> coalesce(count_other, 0)
                )""",
            ),
            # Shorrocks: k/(k - 1) where everybody moves.
            Rule(
                "mobility_lies_within_its_bounds",
                "mobility < 0 or mobility > count_tiers * 1.0 / nullif(count_tiers - 1, 0) + 0.000001",
            ),
        ],
        reads=(relation, f"{schema}.{MIGRATION}"),
    )


def crosswalk(schema: str) -> Asset:
    """Each tier spread over the tiers of each other scheme: all of its customers."""
    relation = f"{schema}.fct_tier_crosswalk"
    schemes = " union all ".join(f"select '{scheme.code}' as other_scheme" for scheme in SCHEMES)
    return every_row(
        relation=relation,
        columns="summary.count_customers as count_stock, spread.count_customers",
        source=f"""
            (
                select summary.*, others.other_scheme
                from {schema}.{SUMMARY} as summary
                inner join ({schemes}) as others on summary.scheme <> others.other_scheme
                where summary.customer_kind = 'all'
            ) as summary
            full outer join (
                select as_of_date, scheme, tier, other_scheme, sum(count_customers) as count_customers
                from {relation}
                group by as_of_date, scheme, tier, other_scheme
            ) as spread
                on
                    summary.as_of_date = spread.as_of_date
                    and summary.scheme = spread.scheme
                    and summary.tier = spread.tier
                    and summary.other_scheme = spread.other_scheme
        """,
        rules=[
            Rule(
                "each_pair_of_schemes_spreads_all_customers",
                "coalesce(count_customers, 0) <> coalesce(count_stock, 0)",
            ),
        ],
        reads=(relation, f"{schema}.{SUMMARY}"),
    )
