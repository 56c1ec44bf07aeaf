"""Airflow's home: secrets of its own, nothing open to others, and the log of a DAG run read back."""

import configparser
import stat
import subprocess
from pathlib import Path

import pytest

from keepwell.airflow_home import AIRFLOW, AirflowHome
from keepwell.dag_log import KEPT_LINES, DagLog
from warehouse import Settings

SECRETS = [("core", "fernet_key"), ("api", "secret_key"), ("api_auth", "jwt_secret")]

DAG = """
from airflow.sdk import DAG, Param
from airflow.providers.standard.operators.bash import BashOperator
with DAG("trial", params={"as_of_date": Param(None, type=["null", "string"])}):
    first = BashOperator(
        task_id="first", bash_command="echo as of $AS_OF", env={"AS_OF": "{{ params.as_of_date }}"}
    )
    second = BashOperator(task_id="second", bash_command="exit 99")
    third = BashOperator(
        task_id="third",
        bash_command="seq 1 50; echo '  the [reason] is: here'; exit 7",
        trigger_rule="none_failed",
        retries=1,
        retry_delay=0,
    )
    first >> second >> third >> BashOperator(task_id="fourth", bash_command="true")
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> AirflowHome:
    home = AirflowHome(Settings(home=tmp_path_factory.mktemp("100% home"), target="duckdb"))
    home.prepare()
    return home


def configuration(home: AirflowHome) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(home.configuration)
    return parser


def test_what_holds_a_secret_is_for_the_owner_only(home: AirflowHome) -> None:
    for path in (home.folder, home.configuration, home.passwords):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_secrets_are_made_once_and_for_each_home(home: AirflowHome, tmp_path: Path) -> None:
    before, password = configuration(home), home.passwords.read_text()
    home.prepare()
    other = AirflowHome(Settings(home=tmp_path, target="duckdb"))
    other.folder.mkdir()
    (other.folder / "migrated").write_text((home.folder / "migrated").read_text())
    other.prepare()
    for section, option in SECRETS:
        assert len(before[section][option]) >= 40
        assert configuration(home)[section][option] == before[section][option]
        assert configuration(other)[section][option] != before[section][option]
    assert home.passwords.read_text() == password != other.passwords.read_text()


def test_airflow_reads_the_settings_as_they_are_meant(home: AirflowHome) -> None:
    def value(section: str, option: str) -> str:
        command = [AIRFLOW, "config", "get-value", section, option]
        done = subprocess.run(command, env=home.environment(), capture_output=True, text=True, check=True)
        return done.stdout.splitlines()[-1]

    assert value("database", "sql_alchemy_conn") == f"sqlite:///{home.folder}/airflow.db"
    assert (home.folder / "airflow.db").exists()
    assert value("api", "host") == "127.0.0.1"


def test_a_dag_that_fails_is_read_back_from_its_log(home: AirflowHome, tmp_path: Path) -> None:
    (tmp_path / "trial.py").write_text(DAG)
    done = subprocess.run(
        [AIRFLOW, "dags", "test", "trial", "--conf", '{"as_of_date": "2026-10-31"}'],
        env={**home.environment(), "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    log = DagLog()
    news = [(task.name, task.state) for line in done.stdout.splitlines() if (task := log.feed(line))]
    assert done.returncode != 0
    assert news == [
        ("first", "running"),
        ("first", "success"),
        ("second", "running"),
        ("second", "skipped"),
        ("third", "running"),
        ("third", "up_for_retry"),
        ("third", "running"),
        ("third", "failed"),
    ]
    assert list(log.tasks["first"].lines) == ["as of 2026-10-31"]
    assert log.failed is not None
    assert (log.failed.name, log.failed.tries) == ("third", 2)
    assert list(log.failed.lines)[-2:] == ["50", "  the [reason] is: here"]
    assert len(log.failed.lines) == KEPT_LINES
