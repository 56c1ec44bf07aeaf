"""Month-end snapshots of the past, built in one pass from delivered history.

**What it powers.** `history.*` before the first day of `customer_daily`: trends, tier migration, and the
month-ends that `churn_training` learns from.

**How urgent.** Once, when a bank starts or delivers older history. Without it no champion can be
trained, and scoring fails.

**What to do when it fails.** Read the last lines of the failed task; `ops.test_results` names a failed test.
Nothing was published, so mend and clear the run. Skipped is no failure: every month-end that history covers
stands already.
"""

from airflow.sdk import DAG, chain

from keepwell_dags import commands
from keepwell_dags.arguments import BUILD_TIMEOUT, COMMON
from keepwell_dags.operators import CommandLine

with DAG(
    dag_id="customer_bootstrap",
    doc_md=__doc__,
    schedule=None,
    tags=["tier-2", "once", "history"],
    **COMMON,
):
    chain(
        CommandLine(task_id="init", bash_command=commands.init()),
        CommandLine(task_id="ingest", bash_command=commands.ingest()),
        # Nothing to build is exit code 99: the run and all after it are skipped.
        CommandLine(task_id="start_run", bash_command=commands.start_run("bootstrap"), do_xcom_push=True),
        CommandLine(task_id="arrival_gate", bash_command=commands.expectations("arrival"), final=(1,)),
        # One dbt, whose start takes seconds: a failed test of a fact skips what stands on that fact.
        CommandLine(
            task_id="facts_and_snapshot",
            bash_command=commands.dbt_layer("facts_and_snapshot"),
            final=(1,),
            execution_timeout=BUILD_TIMEOUT,
        ),
        CommandLine(task_id="marts_gate", bash_command=commands.expectations("marts"), final=(1,)),
        CommandLine(task_id="publish", bash_command=commands.publish(), final=(1,)),
    )
