"""What must be true of a run's marts before anyone may read them.

dbt's data tests hold keys, contracts and rules within one model; this gate looks across marts (nobody lost,
nobody twice, parts that add up), at distributions, and at the distance from the snapshot before.
"""

from __future__ import annotations

import datetime

import great_expectations.expectations as gxe

from expectations import churn, movement, risk_index, tiers, value
from expectations.asset import Asset, Rule, between, every_row, named, not_null
from expectations.tiers import TIERS
from warehouse import Warehouse
from warehouse.runs import Run

# One row a customer each, held against `dim_customers`; each scheme's mart is held against that of all tiers.
CUSTOMER_MARTS = ("fct_customer_activity", TIERS, "fct_customer_profit", "fct_customer_behaviour")

# Columns that belong to the schema `restricted` only, under any of the names they go by.
PERSONAL_COLUMNS = [
    "full_name", "name", "first_name", "last_name", "phone", "mobile", "email", "national_id", "id_number",
    "birth_date", "birth_number", "date_of_birth", "address", "raw_text",
]  # fmt: skip


def assets(wh: Warehouse, run: Run) -> list[Asset]:
    """The marts suite for this run: totals by as-of date, each customer's figures, tiers, value, columns."""
    schema = run.run_id
    dates = dates_of(wh, run)
    return [
        totals(schema, len(dates)),
        *tiers.assets(wh, run, dates[-1]),
        rfm(schema),
        activity(schema),
        *value.assets(schema),
        *risk_index.assets(schema),
        *churn.assets(schema),
        *movement.assets(schema),
        kpis(schema),
        columns(schema),
    ]


def dates_of(wh: Warehouse, run: Run) -> list[datetime.date]:
    """The as-of dates that the run builds, in order: one for a daily run, many month-ends for a bootstrap."""
    rows = wh.query(
        "select as_of_date from ops.run_dates where run_id = $1 order by as_of_date", [run.run_id]
    )
    dates: list[datetime.date] = rows["as_of_date"].to_pylist()
    return dates or [run.as_of_date]


def totals(schema: str, count_dates: int) -> Asset:
    """Customers counted in each mart, one row an as-of date."""
    marts = ("dim_customers", *CUSTOMER_MARTS)
    listed = "\nunion all\n".join(
        f"select '{mart}' as mart, as_of_date, customer_id from {schema}.{mart}" for mart in marts
    )
    counts = ", ".join(f"count(case when mart = '{mart}' then 1 end) as {mart}" for mart in marts)
    sums = ", ".join(f"cast(sum({mart}) as bigint) as {mart}" for mart in marts)
    return Asset(
        relation=f"{schema}.dim_customers",
        # By customer first: PostgreSQL counts distinct values by sorting them.
        query=f"""
        select as_of_date, {sums}, count(customer_id) as count_customers
        from (
            select as_of_date, customer_id, {counts}
            from ({listed}) as listed
            group by as_of_date, customer_id
        ) as customers
        group by as_of_date
        """,
        expectations=(
            gxe.ExpectTableRowCountToEqual(
                value=count_dates, meta=named("marts_hold_every_as_of_date_of_the_run")
            ),
            gxe.ExpectColumnValuesToBeBetween(
                column="dim_customers", min_value=1, meta=named("there_are_customers_on_every_as_of_date")
            ),
            gxe.ExpectColumnPairValuesToBeEqual(
                column_A="dim_customers",
                column_B="count_customers",
                meta=named("every_customer_is_listed_once"),
            ),
            *(
                gxe.ExpectColumnPairValuesToBeEqual(
                    column_A="dim_customers",
                    column_B=mart,
                    meta=named(f"every_customer_is_once_in_{mart}"),
                )
                for mart in CUSTOMER_MARTS
            ),
        ),
        reads=tuple(f"{schema}.{mart}" for mart in ("dim_customers", *CUSTOMER_MARTS)),
    )


def rfm(schema: str) -> Asset:
    """Every customer's RFM scores: 1 to 5, or 0 together where the window saw no activity."""
    scores = ("r_score", "f_score", "m_score")
    return every_row(
        relation=f"{schema}.fct_customer_rfm",
        columns=", ".join(scores),
        source=f"{schema}.fct_customer_rfm",
        rules=[
            *(between(column, f"{column}_is_between_0_and_5", low=0, high=5) for column in scores),
            *(not_null(column, f"every_customer_has_a_{column}") for column in scores),
            Rule(
                "no_activity_scores_zero_throughout",
                f"least({', '.join(scores)}) = 0 and greatest({', '.join(scores)}) <> 0",
            ),
        ],
        reads=(f"{schema}.fct_customer_rfm",),
    )


def activity(schema: str) -> Asset:
    """Every customer's trailing windows: a shorter window never holds more than a longer one."""
    return every_row(
        relation=f"{schema}.fct_customer_activity",
        columns="""
            count_transactions_30d, currency_code, days_since_last_activity,
            count_transactions_90d - count_transactions_30d as count_between_30d_and_90d,
            count_transactions_365d - count_transactions_90d as count_between_90d_and_365d
        """,
        source=f"{schema}.fct_customer_activity",
        rules=[
            *(
                between(column, name, low=0)
                for column, name in (
                    ("count_transactions_30d", "transaction_counts_are_not_negative"),
                    ("count_between_30d_and_90d", "the_90_day_window_holds_the_30_day_window"),
                    ("count_between_90d_and_365d", "the_365_day_window_holds_the_90_day_window"),
                    ("days_since_last_activity", "no_activity_lies_after_the_as_of_date"),
                )
            ),
            *(
                not_null(column, f"every_customer_has_a_{column}")
                for column in ("count_transactions_30d", "currency_code")
            ),
        ],
        reads=(f"{schema}.fct_customer_activity",),
    )


def kpis(schema: str) -> Asset:
    """The KPI of customers against its parts by tier, and shares that are shares; one row an as-of date."""
    return Asset(
        relation=f"{schema}.fct_kpis",
        query=f"""
        select
            as_of_date,
            sum(case when kpi_code = 'customers' and dimension = 'all' then kpi_value end)
                as count_customers,
            sum(case when kpi_code = 'customers' and dimension = 'value_tier' then kpi_value end)
                as count_by_tier,
            min(case when unit = 'share' then kpi_value end) as lowest_share,
            max(case when unit = 'share' then kpi_value end) as highest_share
        from {schema}.fct_kpis
        group by as_of_date
        """,
        expectations=(
            gxe.ExpectColumnValuesToBeBetween(
                column="count_customers", min_value=1, meta=named("kpis_count_customers")
            ),
            gxe.ExpectColumnValuesToNotBeNull(
                column="count_customers", meta=named("kpis_count_customers_on_every_as_of_date")
            ),
            gxe.ExpectColumnPairValuesToBeEqual(
                column_A="count_customers",
                column_B="count_by_tier",
                meta=named("customers_by_tier_add_up_to_all_customers"),
            ),
            gxe.ExpectColumnValuesToBeBetween(
                column="lowest_share", min_value=0, meta=named("no_share_is_below_zero")
            ),
            gxe.ExpectColumnValuesToBeBetween(
                column="highest_share", max_value=1, meta=named("no_share_is_above_one")
            ),
        ),
        reads=(f"{schema}.fct_kpis",),
    )


def columns(schema: str) -> Asset:
    """The names of all columns of the run's tables."""
    return Asset(
        relation=schema,
        query=f"""
        select cast(table_name as varchar) as table_name, lower(cast(column_name as varchar)) as column_name
        from information_schema.columns
        where table_schema = '{schema}'
        """,
        expectations=(
            gxe.ExpectTableRowCountToBeBetween(min_value=1, meta=named("the_run_has_tables")),
            gxe.ExpectColumnValuesToNotBeInSet(
                column="column_name",
                value_set=PERSONAL_COLUMNS,
                meta=named("no_table_of_the_run_has_a_personal_column"),
            ),
        ),
        reads=(),
    )
