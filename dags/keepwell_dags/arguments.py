"""What every DAG has in common."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Param
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from keepwell_dags.alerts import on_failure, on_missed_deadline

# The pause between tries is Airflow's [core] default_task_retry_delay: minutes in a bank, seconds in a demo.
# A bootstrap of two years builds every snapshot in one task.
BUILD_TIMEOUT = timedelta(hours=4)
DAY, LONGEST_MONTH = timedelta(days=1), timedelta(days=31)

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "customer-analytics",
    "retries": 2,
    "execution_timeout": timedelta(hours=1),
    "on_failure_callback": on_failure,
}

COMMON: dict[str, Any] = {
    # Before the first day of any bank's data, so that any past date can be backfilled.
    "start_date": datetime(1990, 1, 1, tzinfo=UTC),
    "catchup": False,
    # One warehouse, one writer at a time.
    "max_active_runs": 1,
    "dagrun_timeout": timedelta(hours=6),
    "default_args": DEFAULT_ARGS,
    "params": {
        "as_of_date": Param(
            None, type=["null", "string"], format="date", title="As-of date",
            description="The day to build, as it was at its end. Empty: the last day of the run's interval.",
        ),
        "source": Param(
            None, type=["null", "string"], enum=[None, "demo", "berka", "canonical"], title="Source",
            description="The bank. Empty: KEEPWELL_SOURCE of the worker.",
        ),
        "landing": Param(
            None, type=["null", "string"], title="Landing folder",
            description="Where the bank's deliveries lie. Empty: KEEPWELL_LANDING of the worker.",
        ),
        "target": Param(
            None, type=["null", "string"], enum=[None, "postgres", "duckdb"], title="Target",
            description="The engine. Empty: KEEPWELL_TARGET of the worker.",
        ),
    },
}  # fmt: skip


def done_within(hours: float, *, period: timedelta) -> DeadlineAlert | None:
    """An alert when a run has not ended well this many hours after it was due: at the end of its `period`,
    which its logical date begins.

    KEEPWELL_DEADLINE_HOURS of the DAG processor says otherwise for every DAG with a deadline, 0 that there is
    none. It is the only value that parsing reads from the environment: Airflow's own way, a Variable, keeps a
    run from being created where nobody has set it. The triggerer sends the alert, so that it needs no free
    worker; a run that is mended in time takes it back. Raises ValueError, which Airflow's pages show as an
    import error, when the variable holds no hours.
    """
    text = os.environ.get("KEEPWELL_DEADLINE_HOURS") or str(hours)
    try:
        hours = float(text)
    except ValueError:
        hours = -1.0
    if not 0 <= hours <= 168:
        raise ValueError(
            f"KEEPWELL_DEADLINE_HOURS is {text!r}: write hours, such as 4, up to 168; 0: no deadline"
        )
    if not hours:
        return None
    return DeadlineAlert(
        # Not from when it was queued: Airflow 3.3.2 cannot clear a run with such a deadline.
        reference=DeadlineReference.DAGRUN_LOGICAL_DATE,
        interval=period + timedelta(hours=hours),
        callback=AsyncCallback(on_missed_deadline),
        name=f"done {hours:g} hours after it was due",
    )
