"""What holds for every DAG: found, owned, documented, bounded, alarmed, and light to parse."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DAGS = Path(__file__).resolve().parents[2] / "dags"
WORKFLOWS = {"customer_daily", "churn_training", "churn_monitoring", "customer_bootstrap"}
DAG_IDS = {*WORKFLOWS, "platform_watch"}
HEAVY = (
    "pandas",
    "numpy",
    "pyarrow",
    "duckdb",
    "sklearn",
    "dbt",
    "great_expectations",
    "sqlalchemy",
    "warehouse",
)
DOC_PARTS = ("**What it powers.**", "**How urgent.**", "**What to do when it fails.**")


@pytest.fixture(scope="session")
def dags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        # Importing airflow writes into its home.
        patch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
        patch.delenv("KEEPWELL_DEADLINE_HOURS", raising=False)
        from airflow.dag_processing.dagbag import DagBag

        assert DAGS.is_absolute()
        bag = DagBag(dag_folder=str(DAGS))
    assert bag.import_errors == {}
    # Before anything else: a policy over no DAG passes and proves nothing.
    assert set(bag.dags) == DAG_IDS
    return dict(bag.dags)


def test_the_file_of_a_dag_is_named_after_it_and_short(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        path = Path(dag.fileloc)
        assert path == DAGS / f"{dag_id}.py"
        assert len(path.read_text().splitlines()) <= 60, dag_id


def test_every_dag_is_documented_in_three_parts(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        missing = [part for part in DOC_PARTS if part not in (dag.doc_md or "")]
        assert missing == [], dag_id
        assert dag.doc_md == ast.get_docstring(ast.parse(Path(dag.fileloc).read_text()), clean=False)


def test_every_dag_is_tagged_bounded_and_never_catches_up(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        assert any(tag.startswith("tier-") for tag in dag.tags), dag_id
        assert dag.dagrun_timeout is not None, dag_id
        assert not dag.catchup, dag_id
        assert dag.max_active_runs == 1, dag_id


def test_every_task_is_owned_retried_bounded_and_alarmed(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        assert len(dag.tasks) >= (4 if dag_id in WORKFLOWS else 1), dag_id
        for task in dag.tasks:
            assert task.owner not in ("", "airflow"), task
            assert task.retries >= 1, task
            assert task.retry_delay.total_seconds() > 0, task
            assert task.execution_timeout is not None, task
            assert task.execution_timeout <= dag.dagrun_timeout, task
            assert [callback.__name__ for callback in task.on_failure_callback] == ["on_failure"], task


def test_every_dag_takes_the_same_parameters_and_needs_none(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        assert dict(dag.params.dump()) == dict.fromkeys(("as_of_date", "source", "landing", "target")), dag_id


def test_tasks_follow_one_another_so_that_one_writer_is_enough(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        before = sorted(len(task.get_flat_relative_ids(upstream=True)) for task in dag.tasks)
        assert before == list(range(len(dag.tasks))), dag_id


def test_nothing_is_published_but_behind_every_gate(dags: dict[str, Any]) -> None:
    gates = {
        "customer_daily": {"arrival_gate", "facts_and_snapshot", "lists", "marts_and_scores_gate"},
        "customer_bootstrap": {"arrival_gate", "facts_and_snapshot", "marts_gate"},
    }
    for dag_id, expected in gates.items():
        upstream = dags[dag_id].get_task("publish").get_flat_relative_ids(upstream=True)
        assert expected <= upstream, dag_id
        # Any other rule would let publish run behind a failed gate.
        assert dags[dag_id].get_task("publish").trigger_rule == "all_success"


def test_the_daily_run_of_a_day_starts_when_that_day_is_over(dags: dict[str, Any]) -> None:
    from airflow.sdk import CronDataIntervalTimetable

    assert dags["customer_daily"].timetable == CronDataIntervalTimetable("0 0 * * *", timezone="UTC")
    assert dags["churn_monitoring"].timetable == CronDataIntervalTimetable("0 2 1 * *", timezone="UTC")


def test_only_monitoring_asks_for_a_training(dags: dict[str, Any]) -> None:
    from airflow.sdk.definitions.timetables.simple import NullTimetable

    assert isinstance(dags["churn_training"].timetable, NullTimetable)
    asking = dags["churn_monitoring"].get_task("ask_for_training")
    assert asking.trigger_dag_id == "churn_training"
    assert asking.upstream_task_ids == {"monitor"}
    # Any other rule would train where nobody asked.
    assert asking.trigger_rule == "all_success"


def test_what_is_scheduled_has_a_deadline_but_the_watch(dags: dict[str, Any]) -> None:
    hours = {
        dag_id: [alert.interval.total_seconds() / 3600 for alert in dag.deadline]
        for dag_id, dag in dags.items()
        if dag.deadline
    }
    assert hours == {"customer_daily": [24 + 4.0], "churn_monitoring": [31 * 24 + 24.0]}


def test_the_watch_waits_for_no_other_dag(dags: dict[str, Any]) -> None:
    others = [task for dag_id in WORKFLOWS for task in dags[dag_id].tasks]
    assert all(task.pool == "default_pool" for task in others)
    for task in dags["platform_watch"].tasks:
        assert task.pool == "watch"
        assert task.priority_weight > sum(other.priority_weight for other in others)
        assert {task.weight_rule.__class__.__name__} != {others[0].weight_rule.__class__.__name__}
    assert dags["platform_watch"].schedule is not None


def test_the_page_of_runs_follows_a_watch_that_alerts_and_hides_nothing_of_it(dags: dict[str, Any]) -> None:
    page = dags["platform_watch"].get_task("history")
    assert page.upstream_task_ids == {"watch"}
    assert page.is_teardown
    # Without a setup before it this rule waits for what is upstream to end, well or not.
    assert page.trigger_rule == "all_done_setup_success"
    assert not page.on_failure_fail_dagrun


def test_nothing_is_read_from_the_environment_while_parsing() -> None:
    found = []
    for path in DAGS.rglob("*.py"):
        tree = ast.parse(path.read_text())
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        in_functions = {id(inner) for function in functions for inner in ast.walk(function)}
        for node in ast.walk(tree):
            name = (
                node.attr
                if isinstance(node, ast.Attribute)
                else node.id
                if isinstance(node, ast.Name)
                else ""
            )
            if name in ("environ", "getenv", "Variable", "Connection") and id(node) not in in_functions:
                found.append(f"{path.name}:{node.lineno} {name}")
    assert found == []


PARSE = """
import sys, time
import airflow.sdk, airflow.providers.standard.operators.bash
import airflow.providers.standard.operators.trigger_dagrun
from airflow.sdk import DAG
before = set(sys.modules)
sys.path.insert(0, sys.argv[1])
started = time.perf_counter()
for name in sys.argv[2].split(","):
    __import__(name)
seconds = time.perf_counter() - started
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(seconds)
print(",".join(sorted(loaded & set(sys.argv[3].split(",")))))
"""


def test_parsing_all_dags_costs_less_than_a_second_and_loads_nothing_heavy(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PARSE, str(DAGS), ",".join(DAG_IDS), ",".join(HEAVY)],
        env={"AIRFLOW_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, heavy = done.stdout.splitlines()[-2:]
    assert float(seconds) < 1
    assert heavy == ""


def test_a_feature_that_knows_the_outcome_is_not_tried_again(dags: dict[str, Any]) -> None:
    assert 1 in dags["churn_training"].get_task("train").final
