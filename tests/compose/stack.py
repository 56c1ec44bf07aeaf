"""The whole stack, for real: `make compose-test`. Not collected by `make test`: it needs a Docker engine,
about 12 GB of disk and, on two cores, three quarters of an hour.

The steps stand in their order and each goes on from the one before. The stack has a name, ports, secrets
and volumes of its own and is removed at the end with all of them, so one that is in use is never touched. The
images are those of the tree, under a tag of their own; their layers stay for the next time.
"""

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dashboards.superset.client import Superset
from keepwell.airflow_api import AirflowApi
from tests.browser import Tab
from tests.dashboards.superset_pages import open_dashboard, sign_in

PROJECT = Path(__file__).resolve().parents[2]
DAY = "2026-10-31"
CUSTOMERS = 600
RUN_PATIENCE_S = 1800
FIRST_RUN_PATIENCE_S = 3600
HEALTH_PATIENCE_S = 600
IMAGES = ("keepwell-airflow", "keepwell-superset", "keepwell-mlflow")
# What takes long enough to be broken off in its middle.
LONG_TASK = "facts_and_snapshot"


@dataclass
class Stack:
    """One stack of its own, and the table of what was tried on it."""

    folder: Path
    name: str
    ports: dict[str, int]
    variables: dict[str, str] = field(default_factory=dict)
    steps: list[tuple[str, str, float]] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """The caller's without what is meant for another stack."""
        own = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("KEEPWELL_", "COMPOSE_"))
        }
        return {
            **own,
            "COMPOSE_PARALLEL_LIMIT": "1",
            "KEEPWELL_COMPOSE_NAME": self.name,
            "KEEPWELL_TAG": self.name,
            "KEEPWELL_SECRETS": str(self.folder / "secrets"),
            "KEEPWELL_DEMO_CUSTOMERS": str(CUSTOMERS),
            "KEEPWELL_RETRY_SECONDS": "20",
            **{f"KEEPWELL_{service}_PORT": str(port) for service, port in self.ports.items()},
            **self.variables,
        }

    def compose(self, *arguments: str, seconds: float = 3600) -> str:
        """`docker compose ...`; its stdout. Raises AssertionError with the last lines of what it said."""
        # Not the .env of who uses this tree.
        command = ["docker", "compose", "--env-file", "/dev/null", *arguments]
        done = subprocess.run(
            command,
            cwd=PROJECT,
            env=self.environment(),
            text=True,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{_end(done.stdout)}\n{_end(done.stderr)}"
        return done.stdout

    def secret(self, name: str) -> str:
        return (self.folder / "secrets" / name).read_text(encoding="utf-8")

    def address(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def airflow(self) -> AirflowApi:
        return AirflowApi(self.address("AIRFLOW"), "admin", self.folder / "secrets" / "airflow_admin")

    def containers(self) -> dict[str, dict[str, Any]]:
        """What the engine says of each service."""
        lines = self.compose("ps", "--all", "--format", "json").splitlines()
        return {entry["Service"]: entry for entry in map(json.loads, lines)}

    def wait_until_healthy(self) -> None:
        """Until every server says so of itself."""
        deadline = time.monotonic() + HEALTH_PATIENCE_S
        while True:
            ill = [
                f"{service}: {entry['State']} {entry['Health']}"
                for service, entry in self.containers().items()
                if entry["State"] != "exited" and entry["Health"] != "healthy"
            ]
            if not ill:
                return
            assert time.monotonic() < deadline, f"not healthy after {HEALTH_PATIENCE_S} s: {ill}"
            time.sleep(5)

    def first_run(self) -> str:
        """Wait for the one-shot service; what it said. Raises AssertionError unless it ended well."""
        deadline = time.monotonic() + FIRST_RUN_PATIENCE_S
        while (entry := self.containers()["first-run"])["State"] != "exited":
            assert time.monotonic() < deadline, self.compose("logs", "first-run")
            time.sleep(5)
        # Not `docker compose logs`, which adds what moves a terminal's cursor.
        logs = ["docker", "logs", entry["ID"]]
        said = subprocess.run(
            logs, text=True, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ).stdout
        assert entry["ExitCode"] == 0, said
        return said

    def trigger(self, dag_id: str, day: str) -> str:
        """A run through the REST API; its id."""
        run_id = f"stack_{dag_id}_{day}_{len(self.steps)}_{time.monotonic_ns()}"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": {"as_of_date": day}}
        assert self.airflow().post(f"dags/{dag_id}/dagRuns", body) is not None
        return run_id

    def task(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        found = self.airflow().get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}")
        assert found is not None, f"{dag_id} {run_id} has no task {task_id}"
        return found

    def wait_until_building(self, dag_id: str, run_id: str) -> None:
        """Until dbt has been at work in the warehouse for some seconds; before, it reads its files."""
        deadline = time.monotonic() + RUN_PATIENCE_S
        seen = 0
        while seen < 5:
            state = self.task(dag_id, run_id, LONG_TASK)["state"]
            assert state not in {"success", "failed", "upstream_failed"}, f"{LONG_TASK} is {state} already"
            assert time.monotonic() < deadline, f"{LONG_TASK} is {state} after {RUN_PATIENCE_S} s"
            at_work = "select count(*) from pg_stat_activity where usename = 'keepwell_transformer'"
            seen += bool(state == "running" and self.one(at_work))
            time.sleep(1)

    def wait_for_success(self, dag_id: str, run_id: str) -> None:
        deadline = time.monotonic() + RUN_PATIENCE_S
        api = self.airflow()
        while True:
            run = api.get(f"dags/{dag_id}/dagRuns/{run_id}")
            assert run is not None
            if run["state"] in {"success", "failed"}:
                break
            assert time.monotonic() < deadline, f"{dag_id} is {run['state']} after {RUN_PATIENCE_S} s"
            time.sleep(3)
        tasks = api.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=100) or {}
        states = {task["task_id"]: task["state"] for task in tasks["task_instances"]}
        assert run["state"] == "success", f"{dag_id} {run_id}: {states}"

    def connect(self, role: str) -> "psycopg.Connection[tuple[Any, ...]]":
        """As somebody of the bank does, through the port of this machine."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.ports["WAREHOUSE"],
            dbname="keepwell",
            user=role,
            password=self.secret(role),
        )

    def one(self, sql: str, role: str = "keepwell_bi_reader") -> Any:
        with self.connect(role) as connection:
            row = connection.execute(sql).fetchone()  # type: ignore[arg-type]
        assert row is not None
        return row[0]


def _end(text: str) -> str:
    return "\n".join(text.splitlines()[-25:])


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for probe in sockets:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in sockets]
    for probe in sockets:
        probe.close()
    return ports


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Made by the steps, removed with its volumes whatever became of them."""
    names = ("AIRFLOW", "SUPERSET", "MLFLOW", "WAREHOUSE")
    stack = Stack(
        tmp_path_factory.mktemp("stack"),
        f"keepwelltest{os.getpid()}",
        dict(zip(names, _free_ports(4), strict=True)),
    )
    try:
        yield stack
    finally:
        started = time.monotonic()
        stack.variables["COMPOSE_PROFILES"] = "celery"
        stack.compose("down", "--volumes", "--remove-orphans", "--timeout", "30")
        label = f"label=com.docker.compose.project={stack.name}"
        left = [
            kind
            for kind in ("container", "volume", "network")
            if subprocess.run(
                ["docker", kind, "ls", "--quiet", "--filter", label]
                + (["--all"] if kind == "container" else []),
                capture_output=True, text=True, check=True,
            ).stdout.strip()
        ]  # fmt: skip
        stack.steps.append(
            (
                "down, with its volumes",
                f"left: {left}" if left else "nothing left",
                time.monotonic() - started,
            )
        )
        for image in IMAGES:
            subprocess.run(
                ["docker", "image", "rm", f"{image}:{stack.name}"], capture_output=True, check=False
            )
        print("\n\n| step | result | seconds |\n|---|---|---|")
        for step, result, seconds in stack.steps:
            print(f"| {step} | {result} | {seconds:.0f} |")
        assert left == []


@pytest.fixture
def step(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Callable[[str], None]]:
    """Adds the test to the table: its name, what it found, how long it took."""
    found: list[str] = []
    started = time.monotonic()
    yield found.append
    name = request.node.name.removeprefix("test_").replace("_", " ")
    stack.steps.append((name, "; ".join(found) or "FAILED", time.monotonic() - started))


def test_secrets_are_made(stack: Stack, step: Callable[[str], None]) -> None:
    command = ["make", "secrets", f"KEEPWELL_SECRETS={stack.folder / 'secrets'}"]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    step(f"{len(list((stack.folder / 'secrets').iterdir()))} files")


def test_images_are_built(stack: Stack, step: Callable[[str], None]) -> None:
    # One after the other: three builds at once would want three times the memory.
    for service in ("airflow-init", "mlflow", "superset-init"):
        stack.compose("build", service)
    sizes = []
    for image in IMAGES:
        inspect = [
            "docker",
            "image",
            "inspect",
            "--format",
            "{{.Size}} {{.Config.User}}",
            f"{image}:{stack.name}",
        ]
        size, user = subprocess.run(inspect, capture_output=True, text=True, check=True).stdout.split()
        assert int(user.partition(":")[0]) >= 1000
        sizes.append(f"{image} {int(size) / 1e9:.2f} GB, user {user}")
    step("; ".join(sizes))


def test_up_goes_to_the_first_published_marts(stack: Stack, step: Callable[[str], None]) -> None:
    started = time.monotonic()
    stack.compose("up", "--detach")
    up = time.monotonic() - started
    said = stack.first_run()
    print(said)
    assert said.splitlines()[-1].startswith(f"{DAY} is published.")
    stack.wait_until_healthy()
    tasks = {
        name: entry["ExitCode"] for name, entry in stack.containers().items() if entry["State"] == "exited"
    }
    assert tasks == dict.fromkeys(
        ("warehouse-init", "airflow-init", "superset-init", "dashboards-init", "first-run"), 0
    )
    step(f"`up` returned after {up:.0f} s, marts of {CUSTOMERS} customers published")


def test_a_second_up_has_nothing_to_do(stack: Stack, step: Callable[[str], None]) -> None:
    before = stack.one("select max(publication_no) from ops.publications")
    stack.compose("up", "--detach")
    assert stack.first_run().splitlines()[-1] == f"{DAY} is published: nothing to do."
    assert stack.one("select max(publication_no) from ops.publications") == before
    stack.wait_until_healthy()
    step(f"publication {before} stands")


def test_the_bi_reader_reads_marts_and_nothing_else(stack: Stack, step: Callable[[str], None]) -> None:
    counts = [
        stack.one(f"select count(*) from {mart} where as_of_date = '{DAY}'")
        for mart in ("marts.fct_customer_tiers", "marts.fct_churn_scores", "marts.fct_kpis")
    ]
    assert all(counts), counts
    refused = []
    for sql in (
        "select * from restricted.customers",
        "select * from crm.customers_to_keep",
        "select * from raw.transactions",
        "select * from archive.fct_customer_tiers",
        "select * from ops.audit_log",
        "delete from ops.publications",
        "create table marts.mine (a integer)",
        "create role intruder",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            stack.one(sql)
        refused.append(sql)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(
            host="127.0.0.1",
            port=stack.ports["WAREHOUSE"],
            dbname="keepwell",
            user="keepwell_bi_reader",
            password="x",
        )
    # Nobody outside the stack's own network reaches the databases of Airflow, Superset and MLflow.
    assert not stack.containers()["metadata"]["Publishers"] or all(
        not publisher.get("PublishedPort") for publisher in stack.containers()["metadata"]["Publishers"]
    )
    step(f"rows {counts}; refused: {len(refused)} statements and a wrong password")


def test_every_dashboard_is_drawn_in_a_browser(stack: Stack, tab: Tab, step: Callable[[str], None]) -> None:
    superset = Superset(stack.address("SUPERSET"), "admin", stack.secret("superset_admin"))
    dashboards = superset.pages("/api/v1/dashboard/")
    assert len(dashboards) >= 2
    sign_in(tab, stack.address("SUPERSET"), "admin", stack.secret("superset_admin"))
    charts, empty = 0, []
    for dashboard in dashboards:
        count = len(superset.get(f"/api/v1/dashboard/{dashboard['id']}/charts")["result"])
        opened = open_dashboard(tab, stack.address("SUPERSET"), dashboard["slug"], count)
        assert opened.errors == [], f"{dashboard['slug']}: {opened.errors}"
        charts += count
        empty += [f"{dashboard['slug']}: {title}" for title in opened.empty]
    print("charts without data in so small a bank:", empty)
    step(f"{len(dashboards)} dashboards, {charts} charts, no error, {len(empty)} without data")


def test_mlflow_shows_the_training(stack: Stack, step: Callable[[str], None]) -> None:
    with urllib.request.urlopen(stack.address("MLFLOW"), timeout=60) as page:
        assert b"<title>MLflow" in page.read()

    def ask(path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{stack.address('MLFLOW')}/api/2.0/mlflow/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            content: dict[str, Any] = json.load(answer)
            return content

    experiment = ask("experiments/get-by-name?experiment_name=churn")["experiment"]["experiment_id"]
    runs = ask("runs/search", {"experiment_ids": [experiment], "max_results": 10})["runs"]
    files = ask(f"artifacts/list?run_id={runs[-1]['info']['run_id']}")["files"]
    assert {file["path"] for file in files} == {"metadata.json", "card.html"}
    step(f"{len(runs)} training, {len(runs[-1]['data']['metrics'])} figures, its card")


def test_the_day_is_built_again_through_the_rest_api(stack: Stack, step: Callable[[str], None]) -> None:
    newest = "select max(publication_no) from ops.publications"
    before = stack.one(newest)
    run_id = stack.trigger("customer_daily", DAY)
    stack.wait_for_success("customer_daily", run_id)
    assert stack.one(newest) == before + 1
    by = "select published_by from ops.publications order by publication_no desc limit 1"
    assert stack.one(by) == "admin"
    step("published once more, by Airflow's user admin")


def test_a_killed_scheduler_comes_back_and_the_run_ends_well(
    stack: Stack, step: Callable[[str], None]
) -> None:
    run_id = stack.trigger("customer_daily", DAY)
    stack.wait_until_building("customer_daily", run_id)
    scheduler = stack.containers()["airflow-scheduler"]["ID"]
    before = _started_at(scheduler)
    # The process, not the container: an engine does not start again what it was told to kill.
    kill = "kill -9 $(cat /proc/1/task/1/children)"
    subprocess.run(["docker", "exec", scheduler, "sh", "-c", kill], check=False, capture_output=True)
    started = time.monotonic()
    stack.wait_for_success("customer_daily", run_id)
    assert _started_at(scheduler) != before, "the scheduler was never gone"
    stack.wait_until_healthy()
    step(f"killed with -9 in {LONG_TASK}; the run ended well {time.monotonic() - started:.0f} s later")


def _started_at(container: str) -> str:
    inspect = ["docker", "inspect", "--format", "{{.State.StartedAt}}", container]
    return subprocess.run(inspect, capture_output=True, text=True, check=True).stdout


def test_a_restarted_warehouse_is_waited_for(stack: Stack, step: Callable[[str], None]) -> None:
    run_id = stack.trigger("customer_daily", DAY)
    stack.wait_until_building("customer_daily", run_id)
    stack.compose("restart", "warehouse")
    stack.wait_for_success("customer_daily", run_id)
    tries = stack.task("customer_daily", run_id, LONG_TASK)["try_number"]
    assert tries > 1, "the restart came too late to be felt"
    step(f"restarted in {LONG_TASK}; try {tries} ended well")


def test_a_restarted_metadata_database_is_waited_for(stack: Stack, step: Callable[[str], None]) -> None:
    run_id = stack.trigger("customer_daily", DAY)
    stack.wait_until_building("customer_daily", run_id)
    stack.compose("restart", "metadata")
    stack.wait_for_success("customer_daily", run_id)
    stack.wait_until_healthy()
    step("restarted in the middle; the run ended well, all services are healthy again")


def test_a_customer_is_erased_and_the_receipt_stays(stack: Stack, step: Callable[[str], None]) -> None:
    customer = stack.one("select max(customer_id) from marts.fct_churn_scores")
    erase = (
        "run", "--rm", "privacy", "erase", "--customer", customer, "--reason", "request 2026-117",
        "--author", "S-0012",
    )  # fmt: skip
    told = stack.compose(*erase)
    assert customer not in told
    for mart in ("marts.fct_churn_scores", "marts.fct_customer_tiers", "history.fct_customer_tiers"):
        assert stack.one(f"select count(*) from {mart} where customer_id = '{customer}'") == 0
    receipts = stack.one("select count(*) from ops.erasures", role="keepwell_auditor")
    assert receipts == 1
    step("one customer gone from marts and history, one receipt")


def test_both_databases_are_restored_from_their_dumps(stack: Stack, step: Callable[[str], None]) -> None:
    before = stack.one("select count(*) from marts.fct_customer_tiers")
    stack.compose("stop", "airflow-scheduler", "superset")
    for service, user, database in (
        ("warehouse", "keepwell_owner", "keepwell"),
        ("metadata", "metadata_admin", "airflow"),
    ):
        script = f"""set -eu
            pg_dump --username {user} --format custom --file /tmp/dump {database}
            psql --quiet --username {user} --dbname postgres --command 'drop database {database} with (force)'
            pg_restore --username {user} --dbname postgres --create --exit-on-error /tmp/dump
            rm /tmp/dump"""
        stack.compose("exec", "--no-TTY", service, "bash", "-c", script)
    stack.compose("up", "--detach")
    assert stack.first_run().splitlines()[-1] == f"{DAY} is published: nothing to do."
    assert stack.one("select count(*) from marts.fct_customer_tiers") == before
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        stack.one("select * from restricted.customers")
    stack.wait_until_healthy()
    step(f"dumped, dropped, restored; {before} rows of tiers and the rights are there again")


def test_with_celery_the_tasks_run_in_a_worker(stack: Stack, step: Callable[[str], None]) -> None:
    stack.variables |= {"COMPOSE_PROFILES": "celery", "KEEPWELL_EXECUTOR": "CeleryExecutor"}
    stack.compose("up", "--detach")
    stack.first_run()
    stack.wait_until_healthy()
    run_id = stack.trigger("customer_daily", DAY)
    stack.wait_for_success("customer_daily", run_id)
    worker = stack.containers()["airflow-worker"]["ID"]
    host = stack.task("customer_daily", run_id, LONG_TASK)["hostname"]
    assert worker.startswith(host) or host == worker[:12]
    step(f"customer_daily ran on {host}, the worker")
