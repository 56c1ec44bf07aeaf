"""What the log of `airflow dags test` says, line by line."""

import re
from collections import deque
from dataclasses import dataclass, field

_STARTED = re.compile(r"\[DAG TEST\] starting task_id=(\w+)")
_STATE = re.compile(r"Task instance state updated .*new_state=(\w+)")
_OUTPUT = re.compile(r"^\S+ \[\w+ *\] (.*?)\s*\[airflow\.task\.hooks\.[\w.]+SubprocessHook\]")
# The hook's own words around the output of the command.
_HOOK = re.compile(r"^(Tmp dir root location|Running command|Output:|Command exited with|Sending SIGTERM)")
KEPT_LINES = 30


@dataclass
class TaskOutcome:
    """One task: its state in Airflow's words (`running` at first), tries, last lines of output."""

    name: str
    state: str = "running"
    tries: int = 1
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))


class DagLog:
    """Reads the log of one DAG run; `feed` it line by line."""

    def __init__(self) -> None:
        self.tasks: dict[str, TaskOutcome] = {}
        self._current: TaskOutcome | None = None

    def feed(self, line: str) -> TaskOutcome | None:
        """Take a line; the task it is news about (started or finished), else None."""
        if started := _STARTED.search(line):
            name = started[1]
            if name in self.tasks:
                task = self.tasks[name]
                task.state, task.tries = "running", task.tries + 1
                task.lines.clear()
            else:
                task = self.tasks[name] = TaskOutcome(name)
            self._current = task
            return task
        if self._current is None:
            return None
        if state := _STATE.search(line):
            self._current.state = state[1]
            return self._current
        output = _OUTPUT.match(line)
        if output and output[1].strip() and not _HOOK.match(output[1]):
            self._current.lines.append(output[1])
        return None

    @property
    def failed(self) -> TaskOutcome | None:
        """The task that stopped the run, if one did."""
        return next(
            (task for task in self.tasks.values() if task.state in ("failed", "up_for_retry", "running")),
            None,
        )
