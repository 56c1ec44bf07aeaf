"""A challenger for the churn model, fitted on month-end snapshots, promoted only when it beats the champion.

**What it powers.** The champion in the model registry, which `customer_daily` scores with.

**How urgent.** Not at all while a champion stands: scores go on with it. For a bank without one it is what
`customer_daily` waits for.

**What to do when it fails.** Read the last lines of the failed task; `ops.training_runs` keeps the outcome of
every training, `ops.test_results` the tests of its panel. Mend, then clear the run. Skipped is no
failure: the bank has no labels yet whose outcome is known, and `ops.training_runs` says so.
"""

from airflow.sdk import DAG, CronDataIntervalTimetable, chain

from keepwell_dags import commands
from keepwell_dags.arguments import COMMON
from keepwell_dags.operators import CommandLine

with DAG(
    dag_id="churn_training",
    doc_md=__doc__,
    # The run of a month starts two hours after its last day was closed, behind that day's customer_daily.
    schedule=CronDataIntervalTimetable("0 2 1 * *", timezone="UTC"),
    tags=["tier-2", "monthly", "model"],
    **COMMON,
):
    chain(
        CommandLine(task_id="init", bash_command=commands.init()),
        CommandLine(task_id="start_run", bash_command=commands.start_run("training"), do_xcom_push=True),
        CommandLine(task_id="panel", bash_command=commands.dbt_layer("training"), final=(1,)),
        CommandLine(task_id="train", bash_command=commands.churn("train")),
    )
