"""Does the champion still hold? Drift, calibration, matured scores, errors by group; a training when asked.

**What it powers.** `ops.model_monitoring`, which the report shows, and `churn_training`: it is started when a
check alerts that policy calls a reason (`policy_model_alerts`), there is no champion, or it is too old.

**How urgent.** Not at all: scores go on with the champion. A month without it is a month in which nobody
looked.

**What to do when it fails.** Read the last lines of the failed task; `ops.test_results` keeps the tests of
its panel. Mend, then clear the run. A skipped `monitor` is no failure: nothing asked for a training, and its
last line says why.
"""

from airflow.sdk import DAG, CronDataIntervalTimetable, chain

from keepwell_dags import commands
from keepwell_dags.arguments import COMMON, LONGEST_MONTH, done_within
from keepwell_dags.operators import CommandLine, StartDag

with DAG(
    dag_id="churn_monitoring",
    doc_md=__doc__,
    # The run of a month starts two hours after its last day was closed, behind that day's customer_daily.
    schedule=CronDataIntervalTimetable("0 2 1 * *", timezone="UTC"),
    tags=["tier-2", "monthly", "model"],
    # Nobody waits for it, but a month without it should not pass unseen; a short one has three days more.
    deadline=done_within(24, period=LONGEST_MONTH),
    **COMMON,
):
    chain(
        CommandLine(task_id="init", bash_command=commands.init()),
        CommandLine(task_id="start_run", bash_command=commands.start_run("training"), do_xcom_push=True),
        CommandLine(task_id="panel", bash_command=commands.dbt_layer("training"), final=(1,)),
        # Nothing asked for is exit code 99: the training is skipped.
        CommandLine(task_id="monitor", bash_command=commands.churn("monitor")),
        StartDag(task_id="ask_for_training", trigger_dag_id="churn_training"),
    )
