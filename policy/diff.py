"""Whom the policy of the seeds would move, and where, on the newest published snapshot."""

import csv
import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from policy.check import check
from policy.codes import MARTS, SCHEMES
from policy.faults import PolicyError
from policy.published import Snapshot, newest_snapshot
from policy.reading import read
from policy.rows import BankPolicy
from policy.seeds import SEEDS
from policy.what_if import PROJECT, SCHEMA, built
from warehouse import Settings, Warehouse, open_warehouse


@dataclass(frozen=True)
class Move:
    """Customers with an open account whom another policy moves to another tier, and their deposits.

    `now`: the effective tier changes at once. `eventually`: the tier changes that a customer is bound for
    when dwell, grace and overrides are over and nothing else changes.
    """

    scheme: str
    customer_kind: str
    from_tier: str
    to_tier: str
    count_now: int
    balance_now: Decimal
    count_eventually: int
    balance_eventually: Decimal


@dataclass(frozen=True)
class Diff:
    """All moves, by scheme in the order of `SCHEMES`, kind, and most customers first."""

    snapshot: Snapshot
    policy_on: dt.date
    count_customers: int
    moves: Sequence[Move]


def diff(settings: Settings, *, as_if: dt.date | None = None, project: Path = PROJECT) -> Diff:
    """Build the newest published snapshot by the project's seeds and compare.

    The policy is that of `as_if`, else of the newest version in the seeds, so that a change to come is seen.
    Raises PolicyError when the seeds are not sound, nothing is published, or dbt fails.
    """
    faults = check(project / "seeds")
    if faults:
        raise PolicyError("\n".join(["the policy is not sound:", *map(str, faults)]))
    with open_warehouse(settings) as wh:
        snapshot = newest_snapshot(wh)
    policy_on = as_if or max(snapshot.as_of_date, newest_version(project / "seeds", snapshot.policy_set))
    with built(settings, snapshot, policy_on=policy_on, project=project), open_warehouse(settings) as wh:
        _refuse_lost_customers(wh, snapshot, policy_on)
        return Diff(
            snapshot=snapshot,
            policy_on=policy_on,
            count_customers=_count_open(wh, snapshot.run_id),
            moves=[move for scheme in SCHEMES for move in _moves(wh, snapshot, scheme)],
        )


def newest_version(seeds: Path, policy_set: str) -> dt.date:
    """The last day on which a version of the policy set begins, in any seed."""
    rows = [row for name, seed in SEEDS.items() for row in read(seeds / f"{name}.csv", seed)[0]]
    return max(
        row.effective_from for row in rows if isinstance(row, BankPolicy) and row.policy_set == policy_set
    )


def write_csv(found: Diff, out: TextIO) -> None:
    """One row a move, with the snapshot and the day of the policy."""
    same = {
        "as_of_date": found.snapshot.as_of_date,
        "policy_on": found.policy_on,
        "currency_code": found.snapshot.currency_code,
    }
    writer = csv.DictWriter(out, [*same, *(field.name for field in fields(Move))], lineterminator="\n")
    writer.writeheader()
    writer.writerows({**same, **asdict(move)} for move in found.moves)


def _count_open(wh: Warehouse, run_id: str) -> int:
    sql = f"select count(*) as rows from {run_id}.{MARTS['value_tier'][0]} where relationship_status = 'open'"
    return int(wh.query(sql)["rows"][0].as_py())


def _refuse_lost_customers(wh: Warehouse, snapshot: Snapshot, policy_on: dt.date) -> None:
    """A day before the first version has no policy, and a customer without a tier is in no comparison."""
    for scheme, (mart, _) in MARTS.items():
        counts = [
            wh.query(f"select count(*) as rows from {schema}.{mart}")["rows"][0].as_py()
            for schema in (snapshot.run_id, SCHEMA)
        ]
        if counts[0] != counts[1]:
            raise PolicyError(
                f"by the policy of {policy_on} {counts[1]:,} of {counts[0]:,} customers have a "
                f"tier of {scheme}: "
                "is there a version of every seed then?"
            )


def _moves(wh: Warehouse, snapshot: Snapshot, scheme: str) -> list[Move]:
    mart, tier = MARTS[scheme]  # type: ignore[index]
    rows = wh.query(
        f"""
        with

        pairs as (
            select
                published.customer_kind,
                published.{tier} as tier,
                published.candidate_tier,
                what_if.{tier} as new_tier,
                what_if.candidate_tier as new_candidate_tier,
                coalesce(activity.closing_balance, 0) as closing_balance
            from {snapshot.run_id}.{mart} as published
            inner join {SCHEMA}.{mart} as what_if
                on
                    published.customer_id = what_if.customer_id
                    and published.as_of_date = what_if.as_of_date
            inner join {snapshot.run_id}.fct_customer_activity as activity
                on
                    published.customer_id = activity.customer_id
                    and published.as_of_date = activity.as_of_date
            where published.relationship_status = 'open'
        ),

        moves as (
            select
                customer_kind,
                tier as from_tier,
                new_tier as to_tier,
                1 as count_now,
                closing_balance as balance_now,
                0 as count_eventually,
                0.00 as balance_eventually
            from pairs
            where tier != new_tier

            union all

            select
                customer_kind,
                candidate_tier as from_tier,
                new_candidate_tier as to_tier,
                0 as count_now,
                0.00 as balance_now,
                1 as count_eventually,
                closing_balance as balance_eventually
            from pairs
            where candidate_tier != new_candidate_tier
        )

        select
            customer_kind,
            from_tier,
            to_tier,
            cast(sum(count_now) as bigint) as count_now,
            cast(sum(balance_now) as numeric(18, 2)) as balance_now,
            cast(sum(count_eventually) as bigint) as count_eventually,
            cast(sum(balance_eventually) as numeric(18, 2)) as balance_eventually
        from moves
        group by customer_kind, from_tier, to_tier
        order by customer_kind, count_eventually desc, count_now desc, from_tier, to_tier
        """
    ).to_pylist()
    return [Move(scheme=scheme, **row) for row in rows]
