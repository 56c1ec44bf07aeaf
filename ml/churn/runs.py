"""What ops.runs knows of a run."""

from dataclasses import dataclass
from datetime import date

from ml.churn.errors import InputError
from warehouse import Warehouse


@dataclass(frozen=True)
class Run:
    """A run and the one as-of date it is about."""

    run_id: str
    kind: str
    as_of_date: date
    knowledge_cutoff_on: date


def get_run(wh: Warehouse, run_id: str) -> Run:
    """The run, or InputError when there is none: so a run_id that is put into SQL is always one of ours."""
    found = wh.query(
        "select kind, as_of_date, knowledge_cutoff_on, status from ops.runs where run_id = $1", [run_id]
    ).to_pylist()
    if not found:
        raise InputError(
            f"there is no run {run_id} in ops.runs; start one: python -m warehouse start-run --help"
        )
    status = found[0].pop("status")
    if status != "started":
        raise InputError(f"{run_id} is {status}: only a started run takes scores or a panel; start a new one")
    return Run(run_id=run_id, **found[0])


def newest_date(wh: Warehouse) -> date | None:
    """The latest as-of date that any run of the bank was started for; None before the first."""
    newest: date | None = wh.query("select max(as_of_date) as day from ops.runs")["day"][0].as_py()
    return newest
