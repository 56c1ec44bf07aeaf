"""Airflow's own processes on localhost, for those who schedule with it."""

import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from types import TracebackType

from keepwell.airflow_home import AIRFLOW, PROJECT, AirflowHome

# Task logs are read from disk: the log servers would listen on every interface of the machine.
PROCESSES = {
    "api-server": (),
    "scheduler": ("--skip-serve-logs",),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
}
STOP_SECONDS = 15


class ServiceError(Exception):
    """A process of Airflow's is gone; the message names its log."""


class Services:
    """The processes as a context: started on entry, stopped on exit, each with a log of its own."""

    def __init__(self, airflow: AirflowHome) -> None:
        self.airflow = airflow
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def log(self, name: str) -> Path:
        """Where a process writes."""
        return self.airflow.folder / "logs" / f"{name}.log"

    def __enter__(self) -> "Services":
        self.log("").parent.mkdir(parents=True, exist_ok=True)
        # The triggerer imports the callbacks of deadlines by name, and knows of no folder of DAGs.
        environment = self.airflow.environment()
        paths = [str(PROJECT / "dags"), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        for name, options in PROCESSES.items():
            with self.log(name).open("ab") as output:
                # Groups of their own: Ctrl-C reaches this process, which then stops them in order.
                self._processes[name] = subprocess.Popen(
                    [AIRFLOW, name, *options], cwd=PROJECT, env=environment,
                    stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self._processes.values()):
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in self._processes.values():
            try:
                process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def is_up(self) -> bool:
        """Whether the pages answer."""
        try:
            with urllib.request.urlopen(f"{self.airflow.address}/api/v2/monitor/health", timeout=2):
                return True
        except OSError:
            return False

    def check(self) -> None:
        """Raises ServiceError with the log of a process that is gone although nobody stopped it."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise ServiceError(f"Airflow's {name} ended by itself; see {self.log(name)}")


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of localhost."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
