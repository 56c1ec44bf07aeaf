"""The tiering and grading schemes as published: what the report and the summary show of them.

A publication of an older warehouse lacks some of these marts; what they hold is then empty.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from dashboards.language import Language, words
from dashboards.reading import Reader, Row
from warehouse import Warehouse

# Schemes whose tiers have an order, by merit or (risk appetite) by boldness, as they are shown.
ORDINAL_SCHEMES = (
    "value_tier", "asset_tier", "pyramid_tier", "savings_grade", "risk_appetite", "loyalty_class",
)  # fmt: skip
SCHEMES = (*ORDINAL_SCHEMES, "lifecycle_stage", "rfm_segment")
# States of a migration that are no tiers: where customers come from, and where they go.
ENTERING, LEAVING = ("new", "reactivated"), "churned"
KINDS = ("personal", "small_business")
# Those whose history is counted when the customer to show is chosen.
SHORTLIST = 20


class UnknownCustomer(LookupError):  # noqa: N818 - it is the reader's slip, not a fault of the warehouse
    """The warehouse knows no tiers of the customer that was asked for."""


@dataclass(frozen=True)
class Tiering:
    """Rows of plain values in a stable order; a list is empty where its mart was not published."""

    # scheme, tier, tier_order, tier_en, tier_zh, the best first
    policy: list[Row] = field(default_factory=list)
    # value_tier and pyramid_tier by customer_kind: count_customers, sum_assets, rates, plan_*
    summary: list[Row] = field(default_factory=list)
    # value tiers of all over the longest period: period, from_date, from_tier, to_tier, count_customers
    migration: list[Row] = field(default_factory=list)
    # shares of those who moved by scheme and basis over the shortest period
    mobility: list[Row] = field(default_factory=list)
    # one row a basis (profit, assets): Gini, shares, sums
    concentration: list[Row] = field(default_factory=list)
    # basis, point_no 0 to 100, share_customers, share_value
    lorenz: list[Row] = field(default_factory=list)
    # one customer's spells: scheme, tier, started_on, ended_on (None: holds on)
    customer_id: str | None = None
    spells: list[Row] = field(default_factory=list)

    def tiers(self, scheme: str) -> list[Row]:
        """The tiers of a scheme, the best first."""
        return [row for row in self.policy if row["scheme"] == scheme]

    def tier_label(self, scheme: str, tier: str, say: Language) -> str:
        """What a tier is called; states that are no tiers (new, churned ...) from the catalogue."""
        for row in self.tiers(scheme):
            if row["tier"] == tier:
                return say.label(row, "tier")
        return say.named("state", tier) or words(tier)

    def migrating_tiers(self) -> list[str]:
        """Codes of the tiers that customers moved between, the best first, those of an older policy last."""
        codes = [row["tier"] for row in self.tiers("value_tier")]
        found = {row[side] for row in self.migration for side in ("from_tier", "to_tier")}
        return [*codes, *sorted(found - {*codes, *ENTERING, LEAVING})]

    def summary_of(self, scheme: str, kind: str) -> list[Row]:
        """The tiers of a scheme with what their customers of a kind do, the best first."""
        return [row for row in self.summary if (row["scheme"], row["customer_kind"]) == (scheme, kind)]


def read_tiering(reader: Reader, customer_id: str | None = None) -> Tiering:
    """Read one publication. `customer_id`: whose history to show; None: the liveliest of `_shortlist`.

    Raises UnknownCustomer.
    """

    def rows(sql: str, *marts: str) -> list[Row]:
        return reader.rows(sql, dict.fromkeys(marts, ()))

    summary = rows(SUMMARY, "fct_tier_summary")
    assets = rows(ASSETS, "fct_customer_tiers", "fct_customer_asset_tiers")
    shown, spells = _history(reader.wh, reader.schema, reader.as_of, customer_id)
    return Tiering(
        policy=rows(POLICY, "fct_tier_summary"),
        summary=_with_assets(summary, assets),
        migration=rows(MIGRATION, "fct_tier_migration"),
        mobility=rows(MOBILITY, "fct_tier_mobility"),
        concentration=rows(CONCENTRATION, "fct_value_concentration"),
        lorenz=rows(LORENZ, "fct_value_lorenz"),
        customer_id=shown,
        spells=spells,
    )


# Names and order of the tiers; where a kind of customers has names of its own, those of persons.
POLICY = """
select scheme, tier, tier_order, tier_en, tier_zh
from {schema}.fct_tier_summary
where as_of_date = $1 and customer_kind = 'all'
order by scheme, tier_order
"""

SUMMARY = """
select
    scheme,
    customer_kind,
    tier,
    tier_order,
    tier_en,
    tier_zh,
    count_customers,
    mean_amount_365d as mean_amount,
    mean_product_families,
    multi_product_share,
    satisfaction_share,
    churn_rate_annualised as churn_rate,
    plan_count_customers,
    plan_churn_rate_annualised as plan_churn_rate,
    plan_kind_churn_rate_annualised as plan_kind_churn_rate,
    plan_satisfaction_share
from {schema}.fct_tier_summary
where as_of_date = $1 and scheme in ('value_tier', 'pyramid_tier') and customer_kind <> 'all'
order by scheme, customer_kind, tier_order
"""

# Assets of customers with an open account, by both schemes at once: one scan. One unknown amount makes the
# sum unknown, as everywhere: a part must not pass as the whole.
ASSETS = """
select
    tiers.customer_kind,
    tiers.value_tier,
    tiers.pyramid_tier,
    case when count(assets.metric_amount) = count(*) then sum(assets.metric_amount) end as sum_assets
from {schema}.fct_customer_tiers as tiers
left join {schema}.fct_customer_asset_tiers as assets
    on tiers.customer_id = assets.customer_id and tiers.as_of_date = assets.as_of_date
where tiers.as_of_date = $1 and tiers.is_open
group by tiers.customer_kind, tiers.value_tier, tiers.pyramid_tier
"""

# The longest period that has an earlier snapshot to start from.
MIGRATION = """
select period, from_date, from_tier, to_tier, count_customers
from {schema}.fct_tier_migration
where
    as_of_date = $1
    and scheme = 'value_tier'
    and customer_kind = 'all'
    and from_date = (
        select min(longest.from_date)
        from {schema}.fct_tier_migration as longest
        where
            longest.as_of_date = $1
            and longest.scheme = 'value_tier'
            and longest.customer_kind = 'all'
    )
order by period, from_tier, to_tier
"""

# Holding on to a tier is against moves back and forth within months: the shortest period shows them.
MOBILITY = """
select period, scheme, basis, from_date, mobility, moved_share, flip_back_rate
from {schema}.fct_tier_mobility
where as_of_date = $1 and customer_kind = 'all' and period = 'month'
order by scheme, basis
"""

CONCENTRATION = """
select
    basis,
    count_customers,
    count_unknown,
    sum_value,
    sum_positive_value,
    count_negative,
    top_20_share,
    share_customers_80,
    gini
from {schema}.fct_value_concentration
where as_of_date = $1 and customer_kind = 'all'
order by basis desc
"""

LORENZ = """
select basis, point_no, share_customers, share_value
from {schema}.fct_value_lorenz
where as_of_date = $1 and customer_kind = 'all' and share_value is not null
order by basis desc, point_no
"""

SPELLS = """
select customer_id, scheme, tier, started_on, ended_on
from history.customer_tier_spells
where customer_id in ({places}) and started_on <= $1
order by customer_id, scheme, started_on
"""

# Of the open customers, those whose tiers moved in the most schemes since they were first seen; the
# greatest assets first among equals, and the smallest id only where those are equal too.
LIVELIEST = """
with first_seen as (
    select
        tiers.*,
        least({since_columns}) as first_seen_on
    from {schema}.fct_customer_tiers as tiers
    where tiers.as_of_date = $1 and tiers.is_open
)

select
    first_seen.customer_id,
    assets.metric_amount as assets_amount
from first_seen
inner join {schema}.fct_customer_asset_tiers as assets
    on first_seen.customer_id = assets.customer_id and first_seen.as_of_date = assets.as_of_date
order by
    {count_moved} desc,
    coalesce(assets.metric_amount, 0) desc,
    first_seen.customer_id
limit {shortlist}
"""


def _with_assets(summary: list[Row], assets: list[Row]) -> list[Row]:
    """The summary with `sum_assets`: of nobody 0, with one customer's amount unknown None."""
    for row in summary:
        sums = [
            part["sum_assets"]
            for part in assets
            if (part["customer_kind"], part[row["scheme"]]) == (row["customer_kind"], row["tier"])
        ]
        row["sum_assets"] = None if not assets or None in sums else sum(sums)
    return summary


def _history(
    wh: Warehouse, schema: str, as_of: dt.date, customer_id: str | None
) -> tuple[str | None, list[Row]]:
    """The customer to show and the spells of the ordinal schemes, cut off at the day."""
    if not wh.exists("history.customer_tier_spells"):
        if customer_id is not None:
            raise UnknownCustomer(customer_id)
        return None, []
    candidates = [customer_id] if customer_id is not None else _shortlist(wh, schema, as_of)
    if not candidates:
        return None, []
    places = ", ".join(f"${number}" for number in range(2, len(candidates) + 2))
    spells: dict[str, list[Row]] = {candidate: [] for candidate in candidates}
    for row in wh.query(SPELLS.format(places=places), [as_of, *candidates]).to_pylist():
        if row["scheme"] in ORDINAL_SCHEMES:
            if row["ended_on"] is not None and row["ended_on"] > as_of:
                row["ended_on"] = None
            spells[row.pop("customer_id")].append(row)
    # The shortlist is in order already: of those who moved equally often the first is taken.
    shown = max(candidates, key=lambda candidate: len(spells[candidate]))
    if not spells[shown]:
        if customer_id is not None:
            raise UnknownCustomer(customer_id)
        return None, []
    in_order = sorted(
        spells[shown], key=lambda row: (ORDINAL_SCHEMES.index(row["scheme"]), row["started_on"])
    )
    return shown, in_order


def _shortlist(wh: Warehouse, schema: str, as_of: dt.date) -> list[str]:
    """Customers worth showing. Counting the moves of all customers would read the whole history for one
    picture; the newest snapshot says in how many schemes each has moved.
    """
    columns = set(wh.column_types(f"{schema}.fct_customer_tiers"))
    since = [f"{scheme}_since_on" for scheme in ORDINAL_SCHEMES if f"{scheme}_since_on" in columns]
    if not since or not wh.exists(f"{schema}.fct_customer_asset_tiers"):
        return []
    moved = " + ".join(f"case when {name} > first_seen_on then 1 else 0 end" for name in since)
    query = LIVELIEST.format(
        schema=schema, since_columns=", ".join(since), count_moved=moved, shortlist=SHORTLIST
    )
    found: list[str] = wh.query(query, [as_of])["customer_id"].to_pylist()
    return found
