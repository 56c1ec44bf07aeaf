"""How long dbt took to build each model and seed, for ops.build_results."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from expectations.dbt_results import Invocation, resource_type
from warehouse import Warehouse

BUILT = ("model", "seed")

SCHEMA = pa.schema(
    [
        ("run_id", pa.string()),
        ("gate", pa.string()),
        ("node_name", pa.string()),
        ("resource_type", pa.string()),
        ("status", pa.string()),
        ("duration_seconds", pa.float64()),
        ("built_at", pa.timestamp("us")),
    ]
)


@dataclass(frozen=True)
class BuildResult:
    """One model or seed that dbt built or failed to build. Times are UTC without a zone, as everywhere."""

    node_name: str
    resource_type: str  # model, seed
    status: str  # dbt's own word: success, error
    duration_seconds: float  # from the first step's start to the last step's end: compiled and executed
    built_at: dt.datetime  # the last step's end


def read(invocation: Invocation) -> dict[str, list[BuildResult]]:
    """Every model and seed that an invocation worked on, by gate; what it skipped took no time."""
    return {
        gate: sorted(
            (result for outcome, node in outcomes if (result := _result(outcome, node))),
            key=lambda result: (result.resource_type, result.node_name),
        )
        for gate, outcomes in invocation.outcomes.items()
    }


def record(wh: Warehouse, results: Sequence[BuildResult], *, run_id: str, gate: str) -> None:
    """Put the build times of one gate in place of those an earlier attempt of the same run left there."""
    rows = [{"run_id": run_id, "gate": gate, **asdict(result)} for result in results]
    with wh.transaction():
        wh.execute("delete from ops.build_results where run_id = $1 and gate = $2", [run_id, gate])
        wh.append("ops.build_results", pa.Table.from_pylist(rows, schema=SCHEMA))


def _result(outcome: dict[str, Any], node: dict[str, Any]) -> BuildResult | None:
    kind = resource_type(outcome, node)
    steps = [step for step in outcome.get("timing") or [] if step.get("completed_at")]
    if kind not in BUILT or not steps:
        return None
    begun = min(_utc(step["started_at"]) for step in steps)
    ended = max(_utc(step["completed_at"]) for step in steps)
    return BuildResult(
        node_name=node.get("name") or outcome["unique_id"].rsplit(".", 1)[-1],
        resource_type=kind,
        status=str(outcome["status"]).lower(),
        duration_seconds=(ended - begun).total_seconds(),
        built_at=ended,
    )


def _utc(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment.tzinfo else moment
