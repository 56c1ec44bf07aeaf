"""The first run of the stack: against a small server that answers as Airflow's REST API does."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from keepwell import first_run as module
from keepwell.airflow_api import AirflowApi, ApiError
from keepwell.first_run import DagRuns, FirstRunError, Wanted, first_run, land
from keepwell.request import BadRequestError
from warehouse import WarehouseError

DAY = date(2026, 10, 31)
PASSWORD = "a secret word"


class Airflow:
    """DAGs, runs and what becomes of them: a run goes through `states`, one at each look at it."""

    def __init__(self) -> None:
        self.paused = dict.fromkeys(module.ALWAYS_ON, True)
        self.runs: dict[tuple[str, str], dict[str, Any]] = {}
        self.states: dict[str, list[str]] = {}
        self.tasks: dict[str, list[dict[str, Any]]] = {}
        self.started: list[tuple[str, str, dict[str, Any]]] = []
        self.logins = 0
        self.tokens: set[str] = set()
        self.ill_answers = 0
        self.hidden_for: dict[str, int] = {}
        self.refused_logins = 0
        self.lost_answers = 0

    def answer(self, method: str, path: str, body: dict[str, Any], token: str) -> tuple[int, dict[str, Any]]:
        if self.ill_answers:
            self.ill_answers -= 1
            return 503, {"detail": "the metadata database is away"}
        if path == "/auth/token":
            if self.refused_logins or body != {"username": "admin", "password": PASSWORD}:
                self.refused_logins -= 1
                return 401, {"detail": "no"}
            self.logins += 1
            self.tokens = {f"token{self.logins}"}
            return 201, {"access_token": f"token{self.logins}"}
        if token not in self.tokens:
            return 401, {"detail": "expired"}
        parts = path.removeprefix("/api/v2/").split("/")
        if parts == ["importErrors"]:
            return 200, {
                "import_errors": [{"filename": "dags/x.py", "stack_trace": "Traceback\nKeyError: 'y'\n"}]
            }
        return self._dag(method, parts[1:], body)

    def _dag(self, method: str, parts: list[str], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        dag_id = parts[0]
        if self.hidden_for.get(dag_id, 0) or dag_id not in self.paused:
            self.hidden_for[dag_id] = self.hidden_for.get(dag_id, 0) - 1
            return 404, {"detail": "no such DAG"}
        if len(parts) == 1:
            if method == "PATCH":
                self.paused[dag_id] = body["is_paused"]
            return 200, {"dag_id": dag_id, "is_paused": self.paused[dag_id]}
        if method == "POST":
            assert not self.paused[dag_id], "a run of a paused DAG waits for ever"
            if (dag_id, body["dag_run_id"]) in self.runs:
                return 409, {"detail": "there is such a run"}
            self.started.append((dag_id, body["dag_run_id"], body["conf"]))
            self.runs[dag_id, body["dag_run_id"]] = {"state": "queued"}
            if self.lost_answers:
                self.lost_answers -= 1
                return 502, {"detail": "the connection broke"}
            return 200, {"state": "queued"}
        run = self.runs.get((dag_id, parts[2]))
        if run is None:
            return 404, {"detail": "no such run"}
        if parts[3:] == ["taskInstances"]:
            return 200, {"task_instances": self.tasks.get(dag_id, [])}
        if run["state"] not in {"success", "failed"}:
            coming = self.states.get(dag_id, [])
            run = self.runs[dag_id, parts[2]] = {"state": coming.pop(0) if coming else "success"}
        return 200, run


@pytest.fixture
def airflow() -> Airflow:
    return Airflow()


@pytest.fixture
def address(airflow: Airflow) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else {}
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            status, content = airflow.answer(self.command, self.path.partition("?")[0], body, token)
            text = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Not to the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "airflow_admin"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    return file


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def api(address: str, password_file: Path, slept: list[float]) -> AirflowApi:
    return AirflowApi(address, "admin", password_file, sleep=slept.append)


@pytest.fixture
def runs(api: AirflowApi, slept: list[float]) -> DagRuns:
    runs = DagRuns(api, "http://pages", sleep=slept.append)
    runs.switch_on(module.ALWAYS_ON)
    return runs


@pytest.fixture
def wanted(address: str, password_file: Path, tmp_path: Path) -> Callable[..., Wanted]:
    def make(**variables: str) -> Wanted:
        return Wanted.from_environment(
            {
                "KEEPWELL_HOME": str(tmp_path / "home"),
                "KEEPWELL_LANDING": str(tmp_path / "landing" / "demo"),
                "KEEPWELL_AIRFLOW_URL": address,
                "KEEPWELL_AIRFLOW_PASSWORD_FILE": str(password_file),
                **variables,
            }
        )

    return make


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[bool], None]:
    """A warehouse that answers every question of what stands with yes or no; a bank that has landed."""
    landing = tmp_path / "landing" / "demo"
    landing.mkdir(parents=True)
    (landing / "customers.csv").write_text("customer_id\n", encoding="utf-8")

    def stand(stands: bool) -> None:
        monkeypatch.setattr(module, "is_published", lambda *_: stands)
        monkeypatch.setattr(module, "is_history_built", lambda *_: stands)
        monkeypatch.setattr(module, "due_dags", lambda *_, **__: [] if stands else list(module.DAGS))
        monkeypatch.setattr(module, "POLL_S", 0.0)

    return stand


def test_a_run_whose_answer_was_lost_is_followed(airflow: Airflow, runs: DagRuns) -> None:
    airflow.lost_answers = 1
    airflow.states = {"customer_daily": ["running", "success"]}
    runs.run("customer_daily", DAY)
    assert [run_id for _, run_id, _ in airflow.started] == ["first_run_2026-10-31_1"]


def test_a_new_bank_goes_through_all_dags_in_their_order(
    airflow: Airflow, wanted: Callable[..., Wanted], published: Callable[[bool], None], capsys
) -> None:
    published(False)
    airflow.states = {"customer_bootstrap": ["running", "running", "success"]}
    airflow.tasks = {"customer_bootstrap": [{"task_id": "ingest", "state": "success", "duration": 3.21}]}
    first_run(wanted())
    assert airflow.started == [
        (dag_id, "first_run_2026-10-31_1", {"as_of_date": "2026-10-31"})
        for dag_id in ("customer_bootstrap", "churn_training", "customer_daily", "churn_monitoring")
    ]
    assert not any(airflow.paused.values())
    lines = capsys.readouterr().out.splitlines()
    assert lines.count("customer_bootstrap: ingest success 3.2 s") == 1
    assert lines[-1] == "2026-10-31 is published. Airflow: " + wanted().pages


def test_a_second_start_starts_nothing_and_switches_the_dags_on(
    airflow: Airflow, wanted: Callable[..., Wanted], published: Callable[[bool], None], capsys
) -> None:
    published(True)
    first_run(wanted(KEEPWELL_SCHEDULES="True"))
    assert airflow.started == []
    assert not any(airflow.paused.values())
    assert capsys.readouterr().out == "2026-10-31 is published: nothing to do.\n"
    first_run(wanted())
    assert capsys.readouterr().out.startswith("Schedules are off: KEEPWELL_SCHEDULES=True starts the DAGs")


def test_a_run_that_goes_on_is_waited_for_and_one_that_failed_is_started_anew(
    airflow: Airflow, runs: DagRuns
) -> None:
    airflow.runs["customer_daily", "first_run_2026-10-31_1"] = {"state": "failed"}
    airflow.runs["customer_daily", "first_run_2026-10-31_2"] = {"state": "running"}
    airflow.states = {"customer_daily": ["running", "running", "success"]}
    runs.run("customer_daily", DAY)
    assert airflow.started == []
    runs.run("customer_daily", DAY)
    assert [run_id for _, run_id, _ in airflow.started] == ["first_run_2026-10-31_3"]


def test_a_failed_dag_is_told_with_its_task_and_where_the_log_is(airflow: Airflow, runs: DagRuns) -> None:
    airflow.states = {"customer_daily": ["running", "failed"]}
    airflow.tasks = {
        "customer_daily": [
            {"task_id": "ingest", "state": "success", "duration": 1.0},
            {"task_id": "arrival_gate", "state": "failed", "duration": 1.0},
            {"task_id": "publish", "state": "upstream_failed", "duration": None},
        ]
    }
    with pytest.raises(FirstRunError) as error:
        runs.run("customer_daily", DAY)
    assert str(error.value).splitlines()[:2] == [
        "customer_daily failed at arrival_gate.",
        "Log: http://pages/dags/customer_daily/runs/first_run_2026-10-31_1/tasks/arrival_gate",
    ]


def test_a_dag_that_airflow_does_not_come_to_know_is_told_with_what_keeps_it(
    airflow: Airflow, api: AirflowApi, slept: list[float]
) -> None:
    airflow.hidden_for = {"customer_daily": 3}
    DagRuns(api, "http://pages", sleep=slept.append).switch_on(("customer_daily",))
    assert slept == [module.POLL_S] * 3
    del airflow.paused["churn_training"]
    with pytest.raises(
        FirstRunError, match=r"knows no DAG churn_training after 300 s: dags/x\.py: KeyError: 'y'"
    ):
        DagRuns(api, "http://pages", sleep=slept.append).switch_on(("churn_training",))


def test_a_server_that_is_ill_is_waited_for_and_an_old_token_renewed(
    airflow: Airflow, api: AirflowApi, slept: list[float]
) -> None:
    assert api.get("dags/customer_daily") == {"dag_id": "customer_daily", "is_paused": True}
    airflow.tokens.clear()
    airflow.ill_answers = 2
    assert api.get("dags/customer_daily") == {"dag_id": "customer_daily", "is_paused": True}
    assert (airflow.logins, slept) == (2, [5.0, 5.0])


def test_a_server_that_stays_away_is_told_after_ten_minutes(password_file: Path, slept: list[float]) -> None:
    api = AirflowApi("http://127.0.0.1:9", "admin", password_file, sleep=slept.append)
    with pytest.raises(ApiError, match="has not answered POST /auth/token for 10 minutes"):
        api.get("dags/customer_daily")
    assert sum(slept) == 600


def test_a_login_that_is_refused_while_the_database_is_away_is_tried_again(
    airflow: Airflow, api: AirflowApi, slept: list[float]
) -> None:
    airflow.refused_logins = 2
    assert api.get("dags/customer_daily") is not None
    assert slept == [5.0, 5.0]


def test_a_wrong_password_is_told_without_the_password(
    address: str, password_file: Path, slept: list[float]
) -> None:
    password_file.write_text("wrong word", encoding="utf-8")
    with pytest.raises(ApiError, match="takes no login of admin") as error:
        AirflowApi(address, "admin", password_file, sleep=slept.append).get("dags/customer_daily")
    assert "wrong word" not in str(error.value)
    assert slept == [5.0] * 5


def test_what_has_landed_stays_and_a_bank_of_its_own_is_asked_for_its_files(
    wanted: Callable[..., Wanted],
    published: Callable[[bool], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    called: list[list[str]] = []

    def run(command: list[str], **_: Any) -> Any:
        called.append(command[1:])
        return module.subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(module.subprocess, "run", run)
    land(wanted())
    assert called == []
    empty = str(tmp_path / "volume" / "landing" / "demo")
    land(wanted(KEEPWELL_LANDING=empty, KEEPWELL_DEMO_CUSTOMERS="600"))
    truth = str(tmp_path / "volume" / "truth" / "demo")
    assert called == [
        ["-m", "simulator", "--out", empty, "--truth", truth, "--customers", "600", "--dirt", "0.001"]
    ]
    own = wanted(KEEPWELL_SOURCE="canonical", KEEPWELL_AS_OF="2026-01-31", KEEPWELL_LANDING=empty)
    with pytest.raises(BadRequestError, match=r"Nothing has landed in .* deliveries of canonical"):
        land(own)


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"KEEPWELL_AIRFLOW_URL": ""}, "KEEPWELL_AIRFLOW_URL not set"),
        ({"KEEPWELL_SOURCE": "berka"}, "KEEPWELL_SOURCE=berka needs KEEPWELL_AS_OF"),
        ({"KEEPWELL_AS_OF": "31.10.2026"}, "KEEPWELL_AS_OF=31.10.2026 is no date"),
        ({"KEEPWELL_DEMO_CUSTOMERS": "many"}, "KEEPWELL_DEMO_CUSTOMERS=many is no number"),
    ],
)
def test_what_the_environment_lacks_is_told(
    wanted: Callable[..., Wanted], variables: dict[str, str], told: str
) -> None:
    with pytest.raises((BadRequestError, WarehouseError), match=told):
        wanted(**variables)


def test_what_stands_is_read_from_the_warehouse(duckdb_settings, wanted: Callable[..., Wanted]) -> None:
    """The queries of `due` run as they are on a warehouse that `init` made, and find nothing published."""
    from keepwell.due import due_dags, is_history_built, is_published
    from warehouse import open_warehouse

    with open_warehouse(duckdb_settings) as warehouse:

        def holds(query: str, *days: date) -> bool:
            return bool(warehouse.query(query, days).column("n")[0].as_py())

        assert not is_published(holds, DAY)
        assert due_dags(holds, DAY, is_built=is_history_built(holds, DAY)) == list(module.DAGS)
        warehouse.execute(
            "insert into ops.publications (publication_no, run_id, kind, as_of_date, scores_status, "
            "rows_published, published_at) values (1, 'run_20261031_01', 'daily', date '2026-10-31', "
            "'none', 1, timestamp '2026-11-01 00:00:00')"
        )
        assert is_published(holds, DAY)
        assert not is_published(holds, date(2026, 11, 1))
