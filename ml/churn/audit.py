"""Which past day a training audits: its features are built again and held against the archive."""

from datetime import date

from ml.churn.errors import InputError
from ml.churn.runs import get_run
from warehouse import Settings, open_warehouse


def audit_day(settings: Settings, run_id: str) -> date | None:
    """The newest date of `<run_id>.churn_panel` with mature labels, which the test figures come from; None
    when there is none yet.

    Raises InputError when the run has no panel.
    """
    with open_warehouse(settings, read_only=True) as wh:
        run = get_run(wh, run_id)
        relation = f"{run.run_id}.churn_panel"
        if not wh.exists(relation):
            raise InputError(f"{relation} does not exist; build it first: dbt build --selector training")
        found = wh.query(f"select max(as_of_date) as day from {relation} where label_status = 'mature'")
    day: date | None = found["day"][0].as_py()
    return day
