"""Rows dated or known after D change nothing: features of a past day, built again, are those of the archive.

Raw holds today what nobody knew on D; a feature that looked at any of it comes out otherwise now.
"""

from __future__ import annotations

from expectations.asset import Asset, Rule, every_row
from warehouse import Warehouse
from warehouse.runs import Run

FEATURES = "fct_customer_features"
KEY = ("as_of_date", "customer_id")
# Doubles are computed from exact sums; what may differ is the last place of a logarithm after an upgrade.
TOLERANCE = "1e-9"
# Features that set a customer against the others of the day: when one of them is erased, all may move a hair.
# How far, as SQL over the greater of both values: a score to its neighbour; points, which are three scores,
# by one of each; the ratio to what is usual for the kind by a tenth.
RELATIVE = {
    "ratio_transactions_to_kind_365d": "0.1 * {greater}",
    "rfm_recency_score": "1",
    "rfm_frequency_score": "1",
    "rfm_monetary_score": "1",
    "change_in_rfm_points_1m": "3",
    "change_in_rfm_points_3m": "3",
}
# What is usual for the kind moves everybody of the kind; bounds between scores move who stands next to them.
MOVES_ALL = ("ratio_transactions_to_kind_365d",)
MOVED_SHARE = 0.2
# More than no row at all: a rule with an allowed share warns.
NEXT_TO_NONE = 1e-9


def assets(wh: Warehouse, run: Run) -> list[Asset]:
    """The leakage suite of an audit run: who has features, and every column of them, against the archive.

    Where a customer was erased after the day was published, RELATIVE features warn and close no gate, as long
    as they moved no further, and no more of them, than an erasure moves them.
    """
    moved = tuple(RELATIVE) if _was_anybody_erased(wh, run) else ()
    rebuilt, archived = f"{run.run_id}.{FEATURES}", f"history.{FEATURES}"
    types = wh.column_types(rebuilt) or {}
    kept = wh.column_types(archived) or {}
    columns = [name for name in types if name not in KEY and name in kept]
    unknown = [name for name in types if name not in kept]
    values = ", ".join(f"rebuilt.{name} as new_{name}, archived.{name} as old_{name}" for name in columns)
    return [
        every_row(
            relation=rebuilt,
            columns=", ".join(["rebuilt.customer_id as new_id, archived.customer_id as old_id", values]),
            source=f"""
                (select * from {rebuilt} where as_of_date = date '{run.as_of_date}') as rebuilt
                full outer join (
                    select * from {archived} where as_of_date = date '{run.as_of_date}'
                ) as archived on rebuilt.customer_id = archived.customer_id
            """,
            rules=[
                Rule("the_same_customers_have_features", "new_id is null or old_id is null"),
                *(_unchanged(name, types[name], may_move=name in moved) for name in columns),
                *(rule for name in columns if name in moved for rule in _moved_a_hair(name)),
                *(Rule(f"{name}_stands_in_history", "new_id is not null") for name in unknown),
            ],
            reads=(rebuilt, archived),
            remedy=f"the features of {run.as_of_date} are not what was known then. Did their SQL, a policy "
            "in force on that day or an earlier snapshot change since they were published? Then build that "
            "day and those after it again: airflow backfill create --dag-id customer_daily --from-date "
            f"{run.as_of_date} --to-date ... --max-active-runs 1. Else a feature sees the future: mend it "
            "before a model learns from it",
        )
    ]


def _was_anybody_erased(wh: Warehouse, run: Run) -> bool:
    """Was a customer erased after the archived day was published?"""
    erased = wh.query(
        """
        select count(*) as n
        from ops.erasures
        where erased_at > (
            select max(publications.published_at)
            from ops.publications as publications
            inner join ops.standing_snapshots as standing on publications.run_id = standing.run_id
            where standing.as_of_date = $1 and publications.withdrawn_at is null
        )
        """,
        [run.as_of_date],
    )
    return bool(erased["n"][0].as_py())


def _unchanged(name: str, kind: str, *, may_move: bool = False) -> Rule:
    new, old = f"new_{name}", f"old_{name}"
    differs = f"{new} is distinct from {old}"
    if "double" in kind.lower():
        scale = f"greatest(abs({new}), abs({old}), 1)"
        differs += f" and coalesce(abs({new} - {old}) > {TOLERANCE} * {scale}, true)"
    return Rule(
        f"{name}_is_what_was_known",
        f"new_id is not null and old_id is not null and {differs}",
        allowed_share=NEXT_TO_NONE if may_move else 0,
    )


def _moved_a_hair(name: str) -> list[Rule]:
    """What an erasure explains; a feature that sees the future goes beyond it."""
    new, old = f"new_{name}", f"old_{name}"
    both = "new_id is not null and old_id is not null"
    bound = RELATIVE[name].format(greater=f"greatest(abs({new}), abs({old}))")
    is_far = f"coalesce(abs({new} - {old}) > {bound}, ({new} is null) <> ({old} is null))"
    rules = [Rule(f"{name}_moved_no_further_than_an_erasure_moves_it", f"{both} and {is_far}")]
    if name not in MOVES_ALL:
        rules.append(
            Rule(
                f"{name}_moved_for_few",
                f"{both} and {new} is distinct from {old}",
                allowed_share=MOVED_SHARE,
                is_strict=True,
            )
        )
    return rules
