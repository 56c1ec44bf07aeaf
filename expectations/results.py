"""Test results: one shape for dbt's tests and for expectations, their table, and how they are shown."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from warehouse import Warehouse

LOG_WIDTH = 240

SCHEMA = pa.schema(
    [
        ("run_id", pa.string()),
        ("as_of_date", pa.date32()),
        ("tool", pa.string()),
        ("gate", pa.string()),
        ("test_name", pa.string()),
        ("relation", pa.string()),
        ("severity", pa.string()),
        ("status", pa.string()),
        ("failures", pa.int64()),
        ("message", pa.string()),
        ("executed_at", pa.timestamp("us")),
    ]
)


@dataclass(frozen=True)
class TestResult:
    """What one test found. `failures` counts rows, None where it could not; no text cites a value."""

    __test__ = False  # pytest would take it for a class of tests

    test_name: str
    relation: str
    severity: str  # error, warn
    status: str  # pass, warn, fail, error, skipped
    failures: int | None
    message: str

    @property
    def is_broken(self) -> bool:
        """Whether this result closes its gate."""
        return self.status in ("fail", "error")


def record(
    wh: Warehouse,
    results: Sequence[TestResult],
    *,
    run_id: str,
    as_of_date: datetime.date,
    tool: str,
    gate: str,
    executed_at: datetime.datetime,
) -> None:
    """Put the results of one gate in place of those an earlier attempt of the same run left there."""
    where = {"run_id": run_id, "as_of_date": as_of_date, "tool": tool, "gate": gate}
    rows = [{**where, **asdict(result), "executed_at": executed_at} for result in results]
    with wh.transaction():
        wh.execute(
            "delete from ops.test_results where run_id = $1 and tool = $2 and gate = $3", [run_id, tool, gate]
        )
        wh.append("ops.test_results", pa.Table.from_pylist(rows, schema=SCHEMA))


def show(results: Sequence[TestResult], *, run_id: str, gate: str) -> None:
    """One line of totals and a table of what did not pass, on stderr."""
    console = Console(stderr=True)
    if not console.is_terminal:
        # A log is searched: a name broken over lines would not be found.
        console = Console(stderr=True, width=LOG_WIDTH)
    found = [result for result in results if result.status not in ("pass", "skipped")]
    broken = sum(result.is_broken for result in results)
    counts = f"{len(results)} tests, {broken} failed, {len(found) - broken} warnings"
    console.print(f"gate {gate} of {run_id}: {counts}", style="bold red" if broken else "", highlight=False)
    if found:
        table = Table("status", "relation", "test", "failures", "message", box=None, pad_edge=False)
        for result in sorted(found, key=lambda each: (not each.is_broken, each.relation, each.test_name)):
            table.add_row(
                result.status,
                result.relation,
                result.test_name,
                "" if result.failures is None else str(result.failures),
                result.message,
                style="red" if result.is_broken else "yellow",
            )
        console.print(table, highlight=False, markup=False)
