"""history.customer_tier_spells: how long each customer was shown in which tier."""

from __future__ import annotations

from collections.abc import Iterable

TIERS = "fct_customer_tiers"
SPELLS_VIEW = "history.customer_tier_spells"
_SINCE = "_since_on"


def tier_schemes(columns: Iterable[str]) -> list[str]:
    """Schemes of a tiers mart, in its order: the columns `x` that have an `x_since_on` beside them."""
    names = list(columns)
    return [name for name in names if name + _SINCE in names]


def spells_sql(columns: Iterable[str]) -> str | None:
    """The select behind the view, for an archive of tiers with these columns; None when they hold no scheme.

    One row per scheme, customer with an open account and spell in a tier: [started_on, ended_on), ended_on
    null while it holds; count_days of a spell that holds go up to the newest standing snapshot, its day
    included.

    A spell ends at the first snapshot that shows no open account. Who opens one again begins a new spell,
    with no tier before, at the first snapshot that shows it: since when a tier was shown counts closed days.

    A snapshot says since when its tier has been shown, so a start survives the snapshots that retention
    drops. It is believed within the time after the snapshot kept before it; where a later publication put a
    snapshot in between, the snapshots decide. Two spells of one tier in a row say that the customer left it
    and came back between snapshots that are no longer kept.
    """
    schemes = tier_schemes(columns)
    if not schemes:
        return None
    pairs = ", ".join(f"('{scheme}', tiers.{scheme}, tiers.{scheme}{_SINCE})" for scheme in schemes)
    # Every window is of one customer and scheme, and so lets a filter on either down to the archive.
    return f"""
        with standing as (
            select as_of_date, run_id, lag(as_of_date) over (order by as_of_date) as snapshot_before_on
            from ops.standing_snapshots
        ),
        snapshots as (
            select
                pairs.scheme,
                tiers.customer_id,
                case when tiers.is_open then pairs.tier end as tier,
                tiers.as_of_date,
                standing.snapshot_before_on,
                coalesce(pairs.since_on, tiers.as_of_date) as since_on
            from archive.{TIERS} as tiers
            inner join standing
                on tiers.as_of_date = standing.as_of_date and tiers.run_id = standing.run_id
            cross join lateral (values {pairs}) as pairs(scheme, tier, since_on)
            where pairs.tier is not null
        ),
        followed as (
            select
                *,
                lag(tier) over (partition by customer_id, scheme order by as_of_date) as kept_tier,
                lag(as_of_date) over (partition by customer_id, scheme order by as_of_date) as kept_on
            from snapshots
        ),
        -- A start without a tier says that the account was closed: it ends a spell and is none.
        starts as (
            select
                scheme,
                customer_id,
                tier,
                case
                    when tier is null or (kept_on is not null and kept_tier is null) then as_of_date
                    when kept_on is null or since_on > kept_on then least(since_on, as_of_date)
                    else as_of_date
                end as started_on,
                kept_tier as previous_tier
            from followed
            where
                kept_on is null
                or kept_tier is distinct from tier
                or (since_on > kept_on and snapshot_before_on > kept_on)
        ),
        spells as (
            select
                *,
                lead(started_on) over (partition by customer_id, scheme order by started_on) as ended_on
            from starts
        )
        select
            scheme,
            customer_id,
            tier,
            previous_tier,
            cast(
                coalesce(ended_on, (select max(as_of_date) + 1 from ops.standing_snapshots)) - started_on
                as integer
            ) as count_days,
            started_on,
            ended_on
        from spells
        where tier is not null
    """
