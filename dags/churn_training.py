"""A challenger for the churn model, fitted on month-end snapshots, promoted only when it beats the champion.

**What it powers.** The champion in the model registry, which `customer_daily` scores with. It has no
schedule: `churn_monitoring` starts it in a month in which a check alerts, there is no champion, or it is old.

**How urgent.** Not at all while a champion stands: scores go on with it. For a bank without one it is what
`customer_daily` waits for.

**What to do when it fails.** Read the last lines of the failed task; `ops.training_runs` keeps the outcome of
every training, `ops.test_results` the tests of its panel. `panel_gate` and `replay` guard against leakage: a
label that shares a day with its features, and a past day whose features, built again with what was known
then, are not those of the archive; the failed tests name columns, counts and the remedy. Mend, then clear
the run. Skipped is no failure: the bank has no labels yet whose outcome is known, and `ops.training_runs`
says so.
"""

from airflow.sdk import DAG, chain

from keepwell_dags import commands
from keepwell_dags.arguments import BUILD_TIMEOUT, COMMON
from keepwell_dags.operators import CommandLine

with DAG(
    dag_id="churn_training",
    doc_md=__doc__,
    schedule=None,
    tags=["tier-2", "on request", "model"],
    **COMMON,
):
    panel_gate = CommandLine(task_id="panel_gate", bash_command=commands.expectations("panel"), final=(1,))
    # A young bank has no day to build again, which skips `replay` and not the training.
    train = CommandLine(
        task_id="train",
        bash_command=commands.churn("train"),
        # A feature that knows the outcome knows it at the next try too.
        final=(1,),
        trigger_rule="none_failed_min_one_success",
    )
    panel_gate >> train
    chain(
        CommandLine(task_id="init", bash_command=commands.init()),
        CommandLine(task_id="start_run", bash_command=commands.start_run("training"), do_xcom_push=True),
        CommandLine(task_id="panel", bash_command=commands.dbt_layer("training"), final=(1,)),
        panel_gate,
        CommandLine(
            task_id="replay", bash_command=commands.replay(), final=(1,), execution_timeout=BUILD_TIMEOUT
        ),
        train,
    )
