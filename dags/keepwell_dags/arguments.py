"""What every DAG has in common."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Param

from keepwell_dags.alerts import on_failure

# The pause between tries is Airflow's [core] default_task_retry_delay: minutes in a bank, seconds in a demo.
# A bootstrap of two years builds every snapshot in one task.
BUILD_TIMEOUT = timedelta(hours=4)

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
