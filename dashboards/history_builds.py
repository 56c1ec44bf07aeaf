"""How long dbt took to build a bank's models, run by run."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import median

from dashboards.history_ops import Ops
from dashboards.reading import Row

# Runs whose build times are compared, slowest models told, and of those the ones drawn.
RUNS_TIMED, MOST_MODELS, MODELS_DRAWN = 30, 15, 5


@dataclass(frozen=True)
class BuildTimes:
    """How long dbt took, over the newest whole runs of one kind, oldest first."""

    kind: str
    runs: list[Row]  # run_id, as_of_date, seconds, and seconds by gate
    slowest: list[Row]  # node_name, resource_type, seconds in the newest run, median_seconds of those before
    by_run: dict[str, list[float | None]]  # seconds of each of the slowest in each run


def read_build_times(ops: Ops, runs: list[Row]) -> BuildTimes | None:
    """Of the newest daily runs that were built to their end, else of the kind of the newest such run."""
    columns = ("run_id", "gate", "node_name", "duration_seconds")
    timed = {row["run_id"] for row in ops.rows(TIMED_RUNS, {"ops.build_results": columns})}
    whole = [run for run in runs if run["run_id"] in timed and run["state"] not in ("failed", "opened")]
    if not whole:
        return None
    kind = "daily" if any(run["kind"] == "daily" for run in whole) else whole[0]["kind"]
    chosen = [run for run in whole if run["kind"] == kind][:RUNS_TIMED][::-1]
    ids = [run["run_id"] for run in chosen]
    places = ", ".join(f"${place}" for place in range(1, len(ids) + 1))
    seconds: dict[str, dict[str, float]] = defaultdict(dict)
    by_gate: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    types: dict[str, str] = {}
    for row in ops.rows(NODE_TIMES.format(places=places), {}, ids):
        node, run_id = row["node_name"], row["run_id"]
        seconds[node][run_id] = seconds[node].get(run_id, 0.0) + row["seconds"]
        by_gate[run_id][row["gate"]] += row["seconds"]
        types[node] = row["resource_type"]
    newest = ids[-1]
    names = sorted(
        (node for node in seconds if newest in seconds[node]), key=lambda node: (-seconds[node][newest], node)
    )[:MOST_MODELS]
    slowest = []
    for node in names:
        before = [seconds[node][run_id] for run_id in ids[:-1] if run_id in seconds[node]]
        slowest.append(
            {
                "node_name": node,
                "resource_type": types[node],
                "seconds": seconds[node][newest],
                "median_seconds": median(before) if before else None,
            }
        )
    return BuildTimes(
        kind=kind,
        runs=[
            {
                "run_id": run["run_id"],
                "as_of_date": run["as_of_date"],
                "seconds": sum(by_gate[run["run_id"]].values()),
                "gates": dict(by_gate[run["run_id"]]),
            }
            for run in chosen
        ],
        slowest=slowest,
        by_run={node: [seconds[node].get(run_id) for run_id in ids] for node in names},
    )


TIMED_RUNS = "select distinct run_id from ops.build_results"

NODE_TIMES = """
select run_id, gate, node_name, resource_type, sum(duration_seconds) as seconds
from ops.build_results
where run_id in ({places})
group by run_id, gate, node_name, resource_type
order by run_id, gate, node_name
"""
