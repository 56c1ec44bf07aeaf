"""One bank from files to report: the DAGs in their order, each through `airflow dags test`."""

import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from keepwell.airflow_home import AIRFLOW, PROJECT, AirflowHome
from keepwell.dag_log import DagLog, TaskOutcome
from keepwell.due import due_dags, is_history_built
from keepwell.processes import stopped_with_us
from keepwell.request import DEMO_CUSTOMERS, DEMO_DIRT, Request
from warehouse import open_warehouse

_FOLLOWING = {"churn_training": "the churn model", "customer_daily": "the day itself, with scores"}


class PipelineError(Exception):
    """A step failed; the message is what the operator needs to see."""


class Pipeline:
    """Runs a request to its end and says on stderr how far it is."""

    def __init__(self, request: Request, console: Console) -> None:
        self.request = request
        self.console = console
        self.airflow = AirflowHome(request.settings)

    def run(self) -> None:
        """Raises PipelineError at the first step that fails."""
        with self._alone():
            self._run()

    def _run(self) -> None:
        self._python("The warehouse", "warehouse", "init", stdout=subprocess.DEVNULL)
        if self.request.is_simulated:
            truth = self.request.settings.home / "truth" / self.request.landing.name
            self._python(
                "The demo bank", "simulator", "--out", str(self.request.landing), "--truth", str(truth),
                "--customers", str(DEMO_CUSTOMERS), "--dirt", str(DEMO_DIRT), stdout=subprocess.DEVNULL,
            )  # fmt: skip
        with self.console.status("Airflow: configuration and database"):
            self.airflow.prepare()
        due = self._due()
        for dag_id in due:
            self.run_dag(dag_id)
            if dag_id == "customer_bootstrap":
                self._tell_history(due)
        if "churn_monitoring" in due:
            # The day's own pages were made before.
            for page in ("history", "report"):
                self._python("The report", "dashboards", page, "--out", str(self._page(page)))
        self._summary()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two runs of one bank at a time would overwrite each other's dbt results. Raises PipelineError."""
        self.request.settings.bank_home.mkdir(parents=True, exist_ok=True)
        lock = self.request.settings.bank_home / "run.lock"
        with lock.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise PipelineError(
                    f"Another run of this bank is going on ({lock} is held); wait for it."
                ) from None
            yield

    def _due(self) -> list[str]:
        """The DAGs that have something to do."""
        return due_dags(self._holds, self.request.as_of, is_built=self._is_history_built())

    def _is_history_built(self) -> bool:
        return is_history_built(self._holds, self.request.as_of)

    def _holds(self, query: str, *days: date) -> bool:
        with open_warehouse(self.request.settings) as warehouse:
            return bool(warehouse.query(query, days).column("n")[0].as_py())

    def _tell_history(self, due: list[str]) -> None:
        """The bank as it stood at its last month-end, while training goes on: on stderr, since the closing
        table on stdout is the run's answer.
        """
        if not self._is_history_built():
            return
        self._python("The summary", "dashboards", "summary", "--history", stdout=sys.stderr)
        following = ", then ".join(_FOLLOWING[dag_id] for dag_id in due if dag_id in _FOLLOWING)
        self.console.print(f"That is the last month-end, published in history. Now {following}.")

    def _summary(self) -> None:
        self._python("The summary", "dashboards", "summary")
        print(f"Report: {self._page('report')}")
        print(f"Runs and publications: {self._page('history')}")

    def _page(self, name: str) -> Path:
        return self.request.settings.report_dir / f"{name}.html"

    def _python(self, name: str, *arguments: str, stdout: int | TextIO | None = None) -> None:
        """A command line of another room, which shows its own progress on stderr."""
        command, environment = [sys.executable, "-m", *arguments], self.airflow.environment()
        if subprocess.run(command, cwd=PROJECT, env=environment, stdout=stdout, check=False).returncode:
            raise PipelineError(f"{name} failed; see above.")

    def run_dag(self, dag_id: str) -> None:
        """Raises PipelineError with the last lines of the task that failed."""
        path = self._log_path(dag_id)
        conf = json.dumps(
            {
                "as_of_date": self.request.as_of.isoformat(),
                "source": self.request.settings.source,
                "landing": str(self.request.landing),
                "target": self.request.settings.target,
            }
        )
        log = DagLog()
        command = [AIRFLOW, "dags", "test", dag_id, "--conf", conf]
        # Nobody waits for this run but who started it; and `dags test` of Airflow 3.3.2 cannot end the run of
        # a DAG with a deadline: it takes the deadline for the id of one.
        environment = {
            **self.airflow.environment(),
            "PYTHONUNBUFFERED": "1",
            "KEEPWELL_DEADLINE_HOURS": "0",
        }
        with (
            path.open("w") as file,
            _progress(self.console) as progress,
            subprocess.Popen(
                command, cwd=PROJECT, env=environment, text=True, errors="replace",
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            ) as process,
            stopped_with_us(process),
        ):  # fmt: skip
            assert process.stdout is not None
            bar = progress.add_task(f"{dag_id}: starting", total=None)
            started = time.monotonic()
            for line in process.stdout:
                file.write(line)
                if task := log.feed(line):
                    progress.update(bar, description=f"{dag_id}: {task.name}")
                    if task.state == "running":
                        started = time.monotonic()
                    else:
                        self._tell(dag_id, task, time.monotonic() - started)
        if process.returncode:
            raise PipelineError(_failure(dag_id, log.failed, path))

    def _tell(self, dag_id: str, task: TaskOutcome, seconds: float) -> None:
        mark = {"success": "[green]✓[/]", "skipped": "[yellow]-[/]"}.get(task.state, "[red]✗[/]")
        state = "" if task.state == "success" else f" {task.state}"
        self.console.print(f"{mark} {dag_id} [bold]{task.name}[/]{state} {seconds:.1f} s", highlight=False)

    def _log_path(self, dag_id: str) -> Path:
        """The next free number: logs of earlier runs stay."""
        folder = self.request.settings.logs_dir
        folder.mkdir(parents=True, exist_ok=True)
        taken = (path.stem.rpartition("_")[2] for path in folder.glob(f"{dag_id}_*.log"))
        number = 1 + max((int(text) for text in taken if text.isdigit()), default=0)
        return folder / f"{dag_id}_{number}.log"


def _progress(console: Console) -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _failure(dag_id: str, task: TaskOutcome | None, log: Path) -> str:
    if task is None:
        return f"{dag_id} failed before its first task was run.\nLog: {log}"
    lines = "\n".join(f"  {line}" for line in task.lines)
    tries = f" after {task.tries} tries" if task.tries > 1 else ""
    return f"{dag_id} failed at {task.name}{tries}.\n{lines}\nLog: {log}"
