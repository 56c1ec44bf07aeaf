"""Airflow's home under KEEPWELL_HOME: configuration, secrets of its own, the metadata database."""

import base64
import configparser
import io
import json
import os
import secrets
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from warehouse import Settings

PROJECT = Path(__file__).resolve().parents[1]
AIRFLOW = str(Path(sys.executable).with_name("airflow"))

# Section, option, and how many random bytes the secret has. Fernet asks for 32.
_SECRETS = (("core", "fernet_key", 32), ("api", "secret_key", 32), ("api_auth", "jwt_secret", 64))

# The watch names it (dags/platform_watch.py). It gives no slot of its own here: with one task at a time the
# watch waits for the task at work, and goes before all that wait with it.
_WATCH_POOL = ("watch", "1", "The hourly watch beside everything else")


class AirflowHomeError(Exception):
    """Airflow cannot be used here; the message names the log."""


class AirflowHome:
    """The folder, and how to call `airflow` in it. Call `prepare` before anything else."""

    def __init__(self, settings: Settings, port: int = 8080) -> None:
        self.settings = settings
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        self.folder = settings.home / "airflow"
        self.configuration = self.folder / "airflow.cfg"
        self.passwords = self.folder / "passwords.json"

    def environment(self) -> dict[str, str]:
        """What `airflow` and its tasks need to find this home and the bank's warehouse."""
        return {
            **os.environ,
            **self.settings.environment(),
            **_lineage(os.environ.get("KEEPWELL_OPENLINEAGE_URL")),
            "AIRFLOW_HOME": str(self.folder),
        }

    def prepare(self) -> None:
        """Write the configuration, keep or make the secrets, migrate the database where Airflow is new.

        Raises AirflowHomeError with the path of the log when the migration fails.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write_configuration()
        if not self.passwords.exists():
            _write_private(self.passwords, json.dumps({"admin": secrets.token_urlsafe(18)}) + "\n")
        self._migrate()

    def _write_configuration(self) -> None:
        known = configparser.ConfigParser(interpolation=None)
        known.read(self.configuration)
        settings = configparser.ConfigParser(interpolation=None)
        settings.read_dict(self._settings())
        for section, option, size in _SECRETS:
            new = base64.urlsafe_b64encode(secrets.token_bytes(size)).decode()
            settings.setdefault(section, {})
            settings[section][option] = known.get(section, option, fallback=new)
        text = io.StringIO(
            "# Written by `python -m keepwell`; to change a setting use AIRFLOW__SECTION__OPTION.\n"
        )
        text.seek(0, io.SEEK_END)
        settings.write(text)
        _write_private(self.configuration, text.getvalue())

    def _settings(self) -> dict[str, dict[str, str]]:
        folder = str(self.folder).replace("%", "%%")
        return {
            "core": {
                "dags_folder": str(PROJECT / "dags").replace("%", "%%"),
                "load_examples": "False",
                "executor": "LocalExecutor",
                # One warehouse on one machine: DuckDB takes one writer, two cores no more.
                "parallelism": "1",
                "default_task_retry_delay": "10",
                "simple_auth_manager_users": "admin:admin",
                "simple_auth_manager_passwords_file": str(self.passwords).replace("%", "%%"),
                "execution_api_server_url": f"{self.address}/execution/",
            },
            # A worker is free for the next task at its next heartbeat; Airflow's own five seconds add up.
            "workers": {"min_heartbeat_interval": "1"},
            "database": {"sql_alchemy_conn": f"sqlite:///{folder}/airflow.db"},
            "logging": {"base_log_folder": f"{folder}/logs"},
            "api": {"base_url": self.address, "host": "127.0.0.1", "port": str(self.port), "workers": "1"},
        }

    def _migrate(self) -> None:
        stamp, wanted = self.folder / "migrated", f"{version('apache-airflow')}, {' '.join(_WATCH_POOL)}"
        if stamp.exists() and stamp.read_text() == wanted:
            return
        log = self.folder / "migrate.log"
        for command in (["db", "migrate"], ["pools", "set", *_WATCH_POOL]):
            with log.open("a") as output:
                done = subprocess.run(
                    [AIRFLOW, *command], env=self.environment(), stdout=output, stderr=output, check=False
                )
            if done.returncode:
                raise AirflowHomeError(f"Airflow's database could not be prepared; see {log}")
        stamp.write_text(wanted)


def _lineage(url: str | None) -> dict[str, str]:
    """What makes Airflow's OpenLineage provider, where it is installed, send its events to this server.

    A server that is broken costs each task these seconds; Airflow's own limit is ten.
    """
    if not url:
        return {}
    return {
        "OPENLINEAGE_URL": url,
        "OPENLINEAGE_NAMESPACE": "keepwell",
        "AIRFLOW__OPENLINEAGE__EXECUTION_TIMEOUT": "2",
    }


def _write_private(path: Path, text: str) -> None:
    """For the owner's eyes from the first byte on; in place at once or not at all."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    part.replace(path)
