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


def assets(wh: Warehouse, run: Run) -> list[Asset]:
    """The leakage suite of an audit run: who has features, and every column of them, against the archive."""
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
                *(_unchanged(name, types[name]) for name in columns),
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


def _unchanged(name: str, kind: str) -> Rule:
    new, old = f"new_{name}", f"old_{name}"
    differs = f"{new} is distinct from {old}"
    if "double" in kind.lower():
        scale = f"greatest(abs({new}), abs({old}), 1)"
        differs += f" and coalesce(abs({new} - {old}) > {TOLERANCE} * {scale}, true)"
    return Rule(f"{name}_is_what_was_known", f"new_id is not null and old_id is not null and {differs}")
