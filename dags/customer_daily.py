"""Customers of one day: facts, tiers, RFM, churn scores, lists and KPIs, published together.

**What it powers.** Every table of `marts` and all that reads it: dashboards, the report, the lists of the
customer managers.

**How urgent.** Until it succeeds readers see the last whole publication: nothing is wrong, only old. Mend it
within a working day; the lists are worked in the morning, and an alert is sent when four hours are over.

**What to do when it fails.** Read the last lines of the failed task. A gate names the test or expectation in
`ops.test_results`, a refused delivery its reason in `ops.rejected_rows`. Mend the delivery or the rule, clear
the run: it starts again under a new run id. "No champion": run `churn_training` first. A past day: `airflow
backfill create --dag-id customer_daily --from-date D --to-date D --max-active-runs 1` (in order of the days).
"""

from airflow.sdk import DAG, CronDataIntervalTimetable, chain

from keepwell_dags import commands
from keepwell_dags.arguments import BUILD_TIMEOUT, COMMON, DAY, done_within
from keepwell_dags.operators import CommandLine

with DAG(
    dag_id="customer_daily",
    doc_md=__doc__,
    # The run of logical date D starts when D is over, and describes D. Midnight UTC is 08:00 in China: the
    # night's extracts have landed. A bank whose night is another shifts the hour here, not the day.
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    tags=["tier-1", "daily", "marts"],
    deadline=done_within(4, period=DAY),
    **COMMON,
):
    # One dbt, whose start takes seconds: a failed test of a fact skips what stands on that fact.
    facts_and_snapshot = CommandLine(
        task_id="facts_and_snapshot",
        bash_command=commands.dbt_layer("facts_and_snapshot"),
        final=(1,),
        execution_timeout=BUILD_TIMEOUT,
    )
    # A bank too young to be scored skips `score` and is published without scores.
    lists = CommandLine(
        task_id="lists",
        bash_command=commands.dbt_layer("lists"),
        final=(1,),
        trigger_rule="none_failed_min_one_success",
    )
    facts_and_snapshot >> lists
    chain(
        CommandLine(task_id="init", bash_command=commands.init()),
        CommandLine(task_id="ingest", bash_command=commands.ingest()),
        CommandLine(task_id="start_run", bash_command=commands.start_run("daily"), do_xcom_push=True),
        CommandLine(task_id="arrival_gate", bash_command=commands.expectations("arrival"), final=(1,)),
        facts_and_snapshot,
        CommandLine(task_id="score", bash_command=commands.churn("score")),
        lists,
        CommandLine(
            task_id="marts_and_scores_gate", bash_command=commands.expectations("marts", "scores"), final=(1,)
        ),
        CommandLine(task_id="publish", bash_command=commands.publish(), final=(1,)),
        CommandLine(task_id="report", bash_command=commands.report()),
        CommandLine(task_id="retain", bash_command=commands.retain()),
    )
