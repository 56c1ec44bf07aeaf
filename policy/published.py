"""The published snapshot that a question is about."""

import datetime as dt
from dataclasses import dataclass

from policy.codes import MARTS
from policy.faults import PolicyError
from warehouse import Warehouse
from warehouse.publish import shown_runs


@dataclass(frozen=True)
class Snapshot:
    """What marts.* show: the run, its day, and whose policy it follows."""

    run_id: str
    as_of_date: dt.date
    policy_set: str
    currency_code: str


def newest_snapshot(wh: Warehouse) -> Snapshot:
    """The newest published snapshot; PolicyError when there is none, or its tables are not all there."""
    if not wh.exists("ops.publications") or not (shown := shown_runs(wh)):
        raise PolicyError("nothing is published yet, so nobody can move: publish a day first (`make run`)")
    run_id = shown[0]
    if run_id not in wh.schemas():
        raise PolicyError(f"the schema of {run_id} is gone: publish the newest day again, then ask")
    missing = [
        mart for mart, _ in MARTS.values() if "candidate_tier" not in wh.column_types(f"{run_id}.{mart}")
    ]
    if missing:
        raise PolicyError(
            f"{run_id} was published before the tiers of {', '.join(missing)} were kept: publish a day with "
            "this version of the code, then ask"
        )
    row = wh.query(
        """
        select runs.as_of_date, sources.policy_set, sources.reporting_currency_code as currency_code
        from ops.runs as runs
        cross join ops.sources as sources
        where runs.run_id = $1
        """,
        [run_id],
    ).to_pylist()[0]
    return Snapshot(run_id=run_id, **row)
