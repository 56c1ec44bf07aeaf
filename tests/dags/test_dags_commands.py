"""The command lines behind the tasks: run for real in bash, with a recorder in the place of the programs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import Template

from keepwell_dags import commands

NASTY = """a b'c"d;touch pwned $(touch pwned) `touch pwned` \\ *"""
RECORDER = """#!{python}
import json, os, sys, time
with open({calls!r}, "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
with open({calls!r} + ".roles", "a") as roles:
    roles.write(sys.argv[2] + " " + os.environ.get("KEEPWELL_ROLE", "-") + "\\n")
if "dbt-environment" in sys.argv:
    print("export KEEPWELL_PG_PASSWORD='hush hush'")
if "audit-day" in sys.argv:
    print("2026-06-30")
if "start-run" in sys.argv:
    print("opened a run")
    print("run_20261031_01")
if sys.argv[1] == "build" and os.environ.get("RESULTS"):
    folder = sys.argv[sys.argv.index("--target-path") + 1]
    open(os.path.join(folder, "run_results.json"), "w").write(os.environ["RESULTS"])
    open(os.path.join(folder, "password"), "w").write(os.environ["KEEPWELL_PG_PASSWORD"])
if os.environ.get("HANG") in sys.argv:
    time.sleep(60)
command, code = os.environ.get("FAIL", "none 0").split()
sys.exit(int(code) if command in sys.argv else 0)
"""
Run = Callable[..., tuple[subprocess.CompletedProcess[str], list[list[str]]]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a script with every program of ours replaced by a recorder; the process and the calls it made."""
    calls, recorder = tmp_path / "calls", tmp_path / "recorder"
    recorder.write_text(RECORDER.format(python=sys.executable, calls=str(calls)))
    recorder.chmod(0o755)

    def run(script: str, **environment: str) -> tuple[subprocess.CompletedProcess[str], list[list[str]]]:
        programs = [str(Path(sys.executable).with_name(name)) for name in ("dbt-ol", "dbt")]
        for program in (sys.executable, *programs):
            script = script.replace(program, str(recorder))
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        made = [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []
        calls.unlink(missing_ok=True)
        return done, made

    return run


def test_values_reach_the_command_whole_and_are_never_executed(run: Run, tmp_path: Path) -> None:
    values = {
        "KEEPWELL_SOURCE": NASTY,
        "KEEPWELL_LANDING": NASTY,
        "AS_OF": NASTY,
        "RUN_ID": NASTY,
        "RUN_KEY": NASTY,
    }
    assert run(commands.ingest(), **values)[1] == [
        ["-m", "ingest", "load", "--source", NASTY, "--landing", NASTY, "--as-of", NASTY]
    ]
    assert run(commands.start_run("daily"), **values)[1] == [
        ["-m", "warehouse", "start-run", "--kind", "daily", "--as-of", NASTY, "--key", NASTY]
    ]
    assert run(commands.publish(), **values)[1] == [["-m", "warehouse", "publish", "--run", NASTY]]
    assert run(commands.expectations("marts"), **values)[1] == [
        ["-m", "expectations", "run", "--suite", "marts", "--run", NASTY]
    ]
    assert run(commands.expectations("marts", "scores"), **values)[1] == [
        ["-m", "expectations", "run", "--suite", "marts", "--suite", "scores", "--run", NASTY]
    ]
    assert run(commands.churn("score"), **values)[1] == [["-m", "ml.churn", "score", "--run", NASTY]]
    assert list(tmp_path.rglob("pwned")) == []


def test_the_rooms_not_named_by_a_run_have_defaults_under_keepwell_home(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "var"
    assert run(commands.ingest(), AS_OF="2026-10-31")[1] == [
        [
            "-m",
            "ingest",
            "load",
            "--source",
            "demo",
            "--landing",
            f"{home}/landing/demo",
            "--as-of",
            "2026-10-31",
        ]
    ]
    assert run(commands.report(), KEEPWELL_TARGET="duckdb")[1] == [
        ["-m", "dashboards", page, "--out", f"{home}/banks/demo-duckdb/report/{page}.html"]
        for page in ("history", "report")
    ]
    assert run(commands.history(), KEEPWELL_TARGET="duckdb")[1] == [
        ["-m", "dashboards", "history", "--out", f"{home}/banks/demo-duckdb/report/history.html"]
    ]
    assert run(commands.init())[1] == [["-m", "warehouse", "init"]]
    assert run(commands.retain())[1] == [["-m", "warehouse", "retain"]]


@pytest.mark.parametrize(
    ("script", "roles"),
    [
        (commands.init(), ["warehouse publisher"]),
        (commands.ingest(), ["ingest loader"]),
        (commands.start_run("daily"), ["warehouse publisher"]),
        (commands.expectations("arrival"), ["expectations transformer"]),
        (
            commands.dbt_layer("facts"),
            # dbt itself connects as whom the second has given it.
            ["policy -", "warehouse transformer", "--selector -", "expectations transformer"],
        ),
        (commands.churn("score"), ["ml.churn scorer"]),
        (commands.churn("train"), ["ml.churn scorer", "warehouse publisher"]),
        (commands.churn("monitor"), ["ml.churn scorer", "warehouse publisher"]),
        (
            commands.replay(),
            [
                *("ml.churn scorer", "warehouse publisher", "warehouse transformer", "--selector -"),
                *("expectations transformer", "expectations transformer", "warehouse publisher"),
            ],
        ),
        (commands.publish(), ["warehouse publisher"]),
        (commands.report(), ["dashboards bi_reader", "dashboards bi_reader"]),
        (commands.history(), ["dashboards bi_reader"]),
        (commands.retain(), ["warehouse publisher"]),
        (commands.watch(), ["warehouse publisher"]),
    ],
)
def test_each_command_has_the_role_of_its_work(
    run: Run, tmp_path: Path, script: str, roles: list[str]
) -> None:
    done, _ = run(script, AS_OF="2026-10-31", RUN_ID="r", RUN_KEY="k", RESULTS="{}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "calls.roles").read_text().splitlines() == roles


def test_the_run_id_is_the_last_line(run: Run) -> None:
    assert run(commands.start_run("daily"), AS_OF="2026-10-31", RUN_KEY="k")[0].stdout == "run_20261031_01\n"


def test_a_run_with_nothing_to_do_keeps_its_exit_code(run: Run) -> None:
    assert run(commands.start_run("bootstrap"), AS_OF="", RUN_KEY="", FAIL="start-run 99")[0].returncode == 99


@pytest.mark.parametrize(("code", "ends"), [(0, True), (99, True), (1, False), (75, False)])
def test_a_training_is_done_when_it_has_said_so(run: Run, code: int, ends: bool) -> None:
    done, calls = run(commands.churn("train"), RUN_ID="r", FAIL=f"train {code}")
    assert done.returncode == code
    assert calls[0] == ["-m", "ml.churn", "train", "--run", "r"]
    assert (["-m", "warehouse", "end-run", "--run", "r"] in calls) is ends


@pytest.mark.parametrize("code", [0, 1])
def test_an_audit_is_done_whatever_it_found(run: Run, code: int) -> None:
    done, calls = run(commands.replay(), RUN_ID="r", RUN_KEY="k", RESULTS="{}", FAIL=f"leakage {code}")
    assert done.returncode == code
    assert calls[-1][:3] == ["-m", "warehouse", "end-run"]
    assert calls[-1][-1] != "r", "the audit, not the training that asked for it"


def test_one_dbt_of_two_layers_is_recorded_under_both_gates(run: Run) -> None:
    _, calls = run(commands.dbt_layer("facts_and_snapshot"), RUN_ID="r", RESULTS="{}")
    assert calls[0] == ["-m", "policy", "check"]
    assert calls[2][:3] == ["build", "--selector", "facts_and_snapshot"]
    assert calls[3][5:9] == ["--gate", "facts", "--gate", "marts"]


def test_dbt_is_recorded_and_its_environment_stays_secret(run: Run, tmp_path: Path) -> None:
    done, calls = run(commands.dbt_layer("snapshot"), RUN_ID="run_20261031_01", RESULTS="yes")
    folder = tmp_path / "var/banks/demo-postgres/dbt"
    assert done.returncode == 0
    assert calls[0] == ["-m", "warehouse", "dbt-environment"]
    build = calls[1]
    assert build[:3] == ["build", "--selector", "snapshot"]
    assert json.loads(build[build.index("--vars") + 1]) == {"run_id": "run_20261031_01"}
    assert build[build.index("--target-path") + 1] == str(folder)
    assert calls[2:] == [
        ["-m", "expectations", "record-dbt", "--run", "run_20261031_01"]
        + ["--gate", "marts", "--results", f"{folder}/run_results.json"]
    ]
    # dbt got the password, nobody else saw it.
    assert (folder / "password").read_text() == "hush hush"
    assert "hush" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("results", "code"), [('{"status": "fail"}', 1), ('{"status": "error"}', 75), ('{"status": "warn"}', 75)]
)
def test_a_failed_dbt_is_recorded_and_only_a_failed_test_is_a_verdict(
    run: Run, results: str, code: int
) -> None:
    done, calls = run(commands.dbt_layer("facts"), RUN_ID="r", RESULTS=results, FAIL="build 1")
    assert done.returncode == code
    assert calls[-1][2] == "record-dbt"


LINEAGE = {"KEEPWELL_OPENLINEAGE_URL": "http://lineage.test:5000/$(touch pwned)"}


def test_lineage_is_sent_only_where_a_server_is_named(run: Run, tmp_path: Path) -> None:
    done, calls = run(commands.dbt_layer("facts"), RUN_ID="r", RESULTS="{}")
    assert [call for call in calls if "send-events" in call] == []
    assert "lineage" not in done.stdout + done.stderr
    done, calls = run(commands.dbt_layer("facts"), RUN_ID="r", RESULTS="{}", **LINEAGE)
    assert (done.returncode, done.stderr) == (0, "")
    folder = tmp_path / "var/banks/demo-postgres/dbt"
    assert calls[-1] == ["send-events", "--project-dir", "dbt_project", "--target", "postgres"] + [
        "--target-path",
        str(folder),
    ]
    # After the results are on record, of which nothing may depend on lineage.
    assert "record-dbt" in calls[-2]
    assert list(tmp_path.rglob("pwned")) == []


@pytest.mark.parametrize(
    ("macros", "parent"),
    [
        (SimpleNamespace(), ""),
        (SimpleNamespace(OpenLineageProviderPlugin=SimpleNamespace()), ""),
        (
            SimpleNamespace(OpenLineageProviderPlugin=SimpleNamespace(lineage_parent_id=lambda ti: ti)),
            "a/b/c",
        ),
    ],
    ids=["no provider", "provider that is off", "provider that is on"],
)
def test_lineage_names_its_task_where_airflow_knows_of_lineage(macros: Any, parent: str) -> None:
    template = Template(commands.ENVIRONMENT["OPENLINEAGE_PARENT_ID"])
    assert template.render(macros=macros, ti="a/b/c") == parent


@pytest.mark.parametrize(
    ("user", "actor"), [("dag_test", ""), ("night", "night"), (None, "scheduled"), ("", "scheduled")]
)
def test_the_actor_of_a_task_is_who_asked_airflow(user: str | None, actor: str) -> None:
    """Empty: the worker's own KEEPWELL_ACTOR stays, else it is the user of the operating system."""
    template = Template(commands.ENVIRONMENT["KEEPWELL_ACTOR"])
    assert template.render(dag_run=SimpleNamespace(triggering_user_name=user)) == actor


@pytest.mark.parametrize(("failure", "code"), [("send-events 1", 0), ("build 1", 75)])
def test_lineage_that_cannot_be_sent_changes_no_verdict(failure: str, code: int, run: Run) -> None:
    done, calls = run(commands.dbt_layer("facts"), RUN_ID="r", RESULTS="{}", FAIL=failure, **LINEAGE)
    assert done.returncode == code
    assert "send-events" in calls[-1]
    assert ("lineage of this build was not sent" in done.stderr) == (failure == "send-events 1")


def test_lineage_that_hangs_is_ended(run: Run) -> None:
    script = commands.dbt_layer("facts")
    assert "timeout --kill-after=2 20 " in script
    script = script.replace("timeout --kill-after=2 20 ", "timeout --kill-after=2 0.2 ")
    done, _ = run(script, RUN_ID="r", RESULTS="{}", HANG="send-events", **LINEAGE)
    assert done.returncode == 0
    assert "lineage of this build was not sent" in done.stderr


def test_results_of_an_earlier_dbt_are_not_recorded_again(run: Run) -> None:
    run(commands.dbt_layer("facts"), RUN_ID="r", RESULTS='{"status": "fail"}')
    done, calls = run(commands.dbt_layer("facts"), RUN_ID="r", FAIL="build 2")
    assert done.returncode == 75
    assert [call[0] for call in calls] == ["-m", "-m", "build"]


def test_results_that_cannot_be_recorded_fail_the_task(run: Run) -> None:
    done, _ = run(commands.dbt_layer("facts"), RUN_ID="r", RESULTS="{}", FAIL="record-dbt 2")
    assert done.returncode == 2


def test_dbt_is_not_started_without_its_environment(run: Run) -> None:
    done, calls = run(commands.dbt_layer("facts"), RUN_ID="r", FAIL="dbt-environment 2")
    assert done.returncode == 2
    assert calls == [["-m", "policy", "check"], ["-m", "warehouse", "dbt-environment"]]


def test_a_replay_builds_the_features_of_a_past_day_and_holds_them_against_the_archive(run: Run) -> None:
    done, calls = run(commands.replay(), RUN_ID="run_20261130_01", RUN_KEY="a/b/1", RESULTS="{}")
    assert done.returncode == 0
    assert calls[0] == ["-m", "ml.churn", "audit-day", "--run", "run_20261130_01"]
    assert calls[1][3:] == ["--kind", "audit", "--as-of", "2026-06-30", "--key", "a/b/1/audit"]
    build = calls[3]
    assert build[:3] == ["build", "--selector", "features"]
    assert json.loads(build[build.index("--vars") + 1]) == {"run_id": "run_20261031_01"}
    assert calls[4][2:7] == ["record-dbt", "--run", "run_20261031_01", "--gate", "marts"]
    assert calls[5] == ["-m", "expectations", "run", "--suite", "leakage", "--run", "run_20261031_01"]


@pytest.mark.parametrize(
    ("failure", "code", "last"),
    [("audit-day 99", 99, "audit-day"), ("start-run 99", 99, "start-run"), ("build 1", 75, "record-dbt")],
)
def test_a_replay_stops_where_it_fails(run: Run, failure: str, code: int, last: str) -> None:
    done, calls = run(commands.replay(), RUN_ID="r", RUN_KEY="k", RESULTS="{}", FAIL=failure)
    assert done.returncode == code
    assert last in [call for call in calls if "end-run" not in call][-1]
    # Once there is an audit it is ended.
    assert ("end-run" in calls[-1]) is (last == "record-dbt")


def test_a_replay_that_differs_is_a_verdict(run: Run) -> None:
    assert run(commands.replay(), RUN_ID="r", RUN_KEY="k", RESULTS="{}", FAIL="leakage 1")[0].returncode == 1


@pytest.mark.parametrize("layer", ["facts", "facts_and_snapshot"])
def test_an_unsound_policy_is_final_and_nothing_is_built_by_it(run: Run, layer: str) -> None:
    done, calls = run(commands.dbt_layer(layer), RUN_ID="r", FAIL="policy 2")
    assert done.returncode == 2
    assert calls == [["-m", "policy", "check"]]


def test_no_value_of_a_run_stands_in_a_command_line() -> None:
    layers = ("facts", "snapshot", "facts_and_snapshot", "lists", "training", "features")
    for text in (commands.replay(), *(commands.dbt_layer(layer) for layer in layers)):
        # Airflow renders the text as a template too: nothing in it may look like one.
        assert not {"{{", "{%", "{#"} & {text[i : i + 2] for i in range(9999)}
