"""Is the platform well? What is published, delivered, rejected, failed or unrecorded, looked at every hour.

**What it powers.** `ops.health_checks`, which the history page and the dashboards of data quality show, and
an alert for what no failed task tells: a delivery that never came, one far too small, a day not published.

**How urgent.** As the alert says: each check has its section in `docs/operations.md`. The task fails in the
hour in which a check begins to alert, and once a day while it goes on; in between the run is green, and the
table in its log says what still stands. The task `history` then makes the page of runs anew.

**What to do when it fails.** Exit code 1: read the table in its log, and the section of the alert. Anything
else: the warehouse could not be asked, which the next hour tries again.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, CronDataIntervalTimetable

from keepwell_dags import commands
from keepwell_dags.arguments import COMMON
from keepwell_dags.operators import CommandLine

with DAG(
    dag_id="platform_watch",
    doc_md=__doc__,
    # Off the hour, where the other DAGs begin.
    schedule=CronDataIntervalTimetable("20 * * * *", timezone="UTC"),
    tags=["tier-1", "hourly", "operations"],
    **{**COMMON, "dagrun_timeout": timedelta(minutes=50)},
):
    common: dict[str, Any] = {
        "execution_timeout": timedelta(minutes=10),
        # They ask a few small questions: a pool of their own (`airflow pools set watch 1 ...` makes it), so
        # that they do not stand in line with the other DAGs, and the next free worker takes them.
        "pool": "watch",
        "priority_weight": 1000,
        "weight_rule": "absolute",
    }
    watch = CommandLine(task_id="watch", bash_command=commands.watch(), final=(1,), **common)
    # A run that failed never comes to its own report. A teardown is done whatever the watch found, and leaves
    # the verdict to it.
    history = CommandLine(task_id="history", bash_command=commands.history(), **common)
    watch >> history.as_teardown()
