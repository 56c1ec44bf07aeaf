"""What must be true of the tiers of every scheme: one table of schemes, the same questions to each.

dbt's data tests hold the key and the columns of one mart; here a scheme's mart is held against the mart that
shows all tiers side by side, against the policy in force on each date, and against the snapshot before.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass

import great_expectations.expectations as gxe

from expectations.asset import WARN, Asset, Rule, every_row, named
from warehouse import Warehouse
from warehouse.runs import Run

TIERS = "fct_customer_tiers"
POLICY = "int_tier_policy"

# A cut that puts nearly everybody into one tier no longer fits the bank (or its currency). Asked of schemes
# with cuts only: where nobody answers questionnaires, everybody's appetite is rightly unknown.
LARGEST_SHARE = 0.97
# Of the value tier, which the plan gives to 20, 40 and 40 % of the customers, none is ever nearly empty.
SMALLEST_SHARE = 0.005
# Against the snapshot before. A bank that gains or loses a fifth of its customers between two snapshots has
# lost a file more often than customers.
CUSTOMER_COUNT_BAND = (0.8, 1.25)
# Three times what any share of the demo bank moves between month-ends once a year of data lies behind them:
# 3.4 points of a lifecycle stage, 2.1 of a value tier (2026-11, 20,000 customers). More is another policy, or
# a broken metric.
SHARE_SHIFT = 0.10
# An override is an exception with an author; past one customer in twenty the policy is what needs changing.
OVERRIDDEN_SHARE = 0.05


@dataclass(frozen=True)
class Scheme:
    """A scheme: `code` is its column of effective tiers in the mart of all schemes, `column` in its own."""

    code: str
    mart: str
    column: str
    shows_raw: bool = False
    has_cuts: bool = False


SCHEMES = (
    Scheme("value_tier", "fct_customer_value_tiers", "value_tier", shows_raw=True, has_cuts=True),
    Scheme("asset_tier", "fct_customer_asset_tiers", "asset_tier", shows_raw=True, has_cuts=True),
    Scheme("pyramid_tier", "fct_customer_pyramid_tiers", "pyramid_tier", shows_raw=True, has_cuts=True),
    Scheme("savings_grade", "fct_customer_savings_grades", "savings_grade"),
    Scheme("risk_appetite", "fct_customer_risk_appetites", "risk_appetite"),
    Scheme("lifecycle_stage", "fct_customer_lifecycle_stages", "lifecycle_stage"),
    Scheme("loyalty_class", "fct_customer_loyalty_classes", "loyalty_class", shows_raw=True, has_cuts=True),
    Scheme("rfm_segment", "fct_customer_rfm", "segment"),
)

# Columns of every scheme's mart beside its tier and labels, never null; `reason` has a rule of its own.
_STATE = (
    "customer_kind", "relationship_status", "raw_tier", "candidate_tier", "earned_tier", "action_en",
    "action_zh", "rule_version", "count_pending_snapshots", "is_overridden", "held_since_on",
    "earned_since_on",
)  # fmt: skip


def assets(wh: Warehouse, run: Run, day: datetime.date) -> list[Asset]:
    """Each scheme's mart on every date of the run, and the shape of all schemes on `day`, its last."""
    return [
        *(scheme_mart(run.run_id, scheme) for scheme in SCHEMES),
        shape(run.run_id, day, snapshot_before(wh, run, day), wh.column_types(f"archive.{TIERS}")),
    ]


def snapshot_before(wh: Warehouse, run: Run, day: datetime.date) -> tuple[str, datetime.date] | None:
    """Run and date of the newest standing snapshot with tiers before `day`, None when there is none."""
    rows = wh.query(
        """
        select snapshots.run_id, snapshots.as_of_date
        from ops.standing_snapshots as snapshots
        inner join ops.archived_days as archived
            on snapshots.run_id = archived.run_id and snapshots.as_of_date = archived.as_of_date
        where archived.mart = $1 and snapshots.as_of_date < $2 and snapshots.run_id <> $3
        order by snapshots.as_of_date desc
        limit 1
        """,
        [TIERS, day, run.run_id],
    ).to_pylist()
    return (rows[0]["run_id"], rows[0]["as_of_date"]) if rows else None


def scheme_mart(schema: str, scheme: Scheme) -> Asset:
    """A scheme's mart beside the mart of all schemes, row by row, and the policy of each row's day and kind.

    A scheme at a time: all eight joined at once would hold eight tables of customers in memory.
    """
    code, mart = scheme.code, scheme.mart
    tiers = {"shown": "tier", "raw": "raw_tier", "candidate": "candidate_tier", "earned": "earned_tier"}
    labels = (f"{scheme.column}_en", f"{scheme.column}_zh")
    rows = f"""
        (
            select
                listed.customer_id as listed_id,
                listed.{code} as listed_tier,
                listed.{code}_since_on as listed_since_on,
                listed.customer_kind as listed_kind,
                listed.relationship_status as listed_status,
                {f"listed.raw_{code}" if scheme.shows_raw else "rated.raw_tier"} as listed_raw_tier,
                rated.customer_id,
                rated.as_of_date,
                rated.{scheme.column} as tier,
                {", ".join(f"rated.{column}" for column in (*labels, *_STATE))},
                rated.reason,
                rated.override_author,
                rated.pending_since_on
            from {schema}.{TIERS} as listed
            full outer join {schema}.{mart} as rated
                on listed.as_of_date = rated.as_of_date and listed.customer_id = rated.customer_id
        ) as rows_
    """
    policies = "\n".join(
        f"""
        left join {schema}.{POLICY} as {name}
            on
                {name}.scheme = '{code}'
                and rows_.as_of_date = {name}.as_of_date
                and rows_.customer_kind = {name}.customer_kind
                and rows_.{column} = {name}.tier
        """
        for name, column in tiers.items()
    )
    is_rated = "customer_id is not null"
    missing = " or ".join(f"{column} is null" for column in ("tier", *labels, *_STATE))
    return every_row(
        relation=f"{schema}.{mart}",
        columns=f"""
            rows_.*,
            shown.rule_version as policy_version,
            {" or ".join(f"{name}.tier is null" for name in tiers)} as is_beside_policy
        """,
        source=rows + policies,
        rules=[
            Rule(f"every_customer_is_in_{mart}", "customer_id is null"),
            Rule(
                f"nothing_of_a_{code}_is_missing",
                f"{is_rated} and ({missing})",
            ),
            Rule(f"every_{code}_has_a_reason", f"{is_rated} and coalesce(reason, '') = ''"),
            Rule(f"every_{code}_is_of_the_policy_of_its_day", f"{is_rated} and is_beside_policy"),
            # Some cite the version of a second policy behind it.
            Rule(
                f"every_{code}_cites_the_policy_of_its_day", "position(policy_version in rule_version) <> 1"
            ),
            Rule(
                f"a_{code}_is_the_earned_one_unless_overridden", "not is_overridden and tier <> earned_tier"
            ),
            Rule(
                f"whoever_sets_a_{code}_is_named",
                f"{is_rated} and is_overridden <> (override_author is not null)",
            ),
            Rule(
                f"a_pending_{code}_has_a_candidate_and_a_day",
                f"""{is_rated} and (
                    (count_pending_snapshots > 0) <> (pending_since_on is not null)
                    or (count_pending_snapshots > 0) <> (candidate_tier <> earned_tier)
                )""",
            ),
            Rule(
                f"no_{code}_is_held_from_a_later_day",
                "held_since_on > as_of_date or earned_since_on > as_of_date or pending_since_on > as_of_date",
            ),
            Rule(
                f"the_mart_of_all_tiers_shows_each_{code}",
                f"""listed_id is not null and {is_rated} and (
                    listed_tier <> tier or listed_since_on <> held_since_on or listed_raw_tier <> raw_tier
                    or listed_kind <> customer_kind or listed_status <> relationship_status
                )""",
            ),
            Rule(f"few_overrides_of_{code}", "is_overridden", allowed_share=OVERRIDDEN_SHARE),
        ],
        reads=(f"{schema}.{mart}", f"{schema}.{TIERS}", f"{schema}.{POLICY}"),
        at_most=(f"no_more_rows_in_{mart}_than_customers", f"select count(*) from {schema}.{TIERS}"),
    )


def shape(
    schema: str,
    day: datetime.date,
    before: tuple[str, datetime.date] | None,
    archived_columns: Collection[str] = (),
) -> Asset:
    """Shares of the tiers of every scheme on `day` and in the standing snapshot before it, in one row.

    That snapshot is read from the archive, which keeps published rows after their run's schema was dropped;
    without one nothing is compared, nor is a scheme that the archive has no column of, or that the snapshot
    is older than.
    """
    codes = [scheme.code for scheme in SCHEMES]
    before_listed = ", ".join(code if code in archived_columns else f"null as {code}" for code in codes)
    listed = ", ".join(codes)
    standing = ""
    if before is not None:
        standing = f"""
            union all
            select 'standing' as side, {before_listed}
            from archive.{TIERS}
            where run_id = '{before[0]}' and as_of_date = date '{before[1]}'
        """
    known = "\n".join(f"when grouping({code}) = 0 then '{code}'" for code in codes)
    measures = {"shift": "max(share_shift)", "largest": "max(share)", "smallest": "min(share)"}
    figures = ",\n".join(
        f"{measure} filter (where scheme = '{code}') as {name}_{code}"
        for code in codes
        for name, measure in measures.items()
    )
    return Asset(
        relation=f"{schema}.{TIERS}",
        query=f"""
        with shown as (
            select 'new' as side, {listed} from {schema}.{TIERS} where as_of_date = date '{day}'
            {standing}
        ),

        counted as (
            select
                case {known} end as scheme,
                coalesce({listed}) as tier,
                count(case when side = 'new' then 1 end) * 1.0e0 as count_new,
                count(case when side = 'standing' then 1 end) * 1.0e0 as count_standing
            from shown
            group by grouping sets ({", ".join(f"({code})" for code in codes)})
            having coalesce({listed}) is not null
        ),

        -- Tiers without a customer have a share too.
        policy as (
            select distinct scheme, tier from {schema}.{POLICY} where as_of_date = date '{day}'
        ),

        sizes as (
            select
                coalesce(counted.scheme, policy.scheme) as scheme,
                coalesce(count_new, 0) as count_new,
                coalesce(count_standing, 0) as count_standing
            from counted
            full outer join policy on counted.scheme = policy.scheme and counted.tier = policy.tier
        ),

        shares as (
            select
                scheme,
                sum(count_new) over of_scheme as customers_new,
                sum(count_standing) over of_scheme as customers_standing,
                count_new / nullif(sum(count_new) over of_scheme, 0) as share,
                abs(
                    count_new / nullif(sum(count_new) over of_scheme, 0)
                    - count_standing / nullif(sum(count_standing) over of_scheme, 0)
                ) as share_shift
            from sizes
            window of_scheme as (partition by scheme)
        )

        select
            max(customers_new) / nullif(max(customers_standing), 0) as count_ratio,
            {figures}
        from shares
        """,
        expectations=(
            gxe.ExpectColumnValuesToBeBetween(
                column="count_ratio",
                min_value=CUSTOMER_COUNT_BAND[0],
                max_value=CUSTOMER_COUNT_BAND[1],
                severity=WARN,
                meta=named("as_many_customers_as_in_the_snapshot_before"),
            ),
            *(
                gxe.ExpectColumnValuesToBeBetween(
                    column=f"shift_{code}",
                    max_value=SHARE_SHIFT,
                    severity=WARN,
                    meta=named(f"{code}_shares_are_near_those_of_the_snapshot_before"),
                )
                for code in codes
            ),
            *(
                gxe.ExpectColumnValuesToBeBetween(
                    column=f"largest_{scheme.code}",
                    max_value=LARGEST_SHARE,
                    severity=WARN,
                    meta=named(f"no_{scheme.code}_holds_everybody"),
                )
                for scheme in SCHEMES
                if scheme.has_cuts
            ),
            gxe.ExpectColumnValuesToBeBetween(
                column="smallest_value_tier",
                min_value=SMALLEST_SHARE,
                severity=WARN,
                meta=named("no_value_tier_is_empty"),
            ),
        ),
        reads=(f"{schema}.{TIERS}", f"{schema}.{POLICY}", *([f"archive.{TIERS}"] if before else [])),
    )
