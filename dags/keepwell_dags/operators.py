"""The operators: one of the project's command lines as a task, and the start of another DAG."""

from functools import cached_property
from typing import Any

from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from keepwell_dags.commands import ENVIRONMENT, PARAMS, PROJECT, given

BAD_INPUT = 2


class LastLine(SubprocessHook):
    """Keeps the last line that the command wrote: where it failed, the project's programs say why in it."""

    last_line = ""

    def run_command(self, *arguments: Any, **options: Any) -> Any:
        """Run it, as the hook does."""
        result = super().run_command(*arguments, **options)
        self.last_line = str(result.output)
        return result


class CommandLine(BashOperator):
    """A command line, run from the project's root with the run's parameters in its environment.

    Exit code 99 skips the task. Bad input (2) and the exit codes in `final` fail it at once: a retry would
    get the same answer.
    """

    env: dict[str, str] | None

    def __init__(self, *, final: tuple[int, ...] = (), **arguments: Any) -> None:
        arguments.setdefault("do_xcom_push", False)
        arguments.setdefault("cwd", str(PROJECT))
        super().__init__(env=dict(ENVIRONMENT), append_env=True, **arguments)
        self.final = {BAD_INPUT, *final}

    @cached_property
    def subprocess_hook(self) -> LastLine:
        """What runs the command."""
        return LastLine()

    def execute(self, context: Any) -> Any:
        """Run it; the last line of its output, for tasks that push one.

        Raises AirflowSkipException (99), AirflowFailException (final) or AirflowException (worth a retry).
        """
        self.env = given(self.env)
        try:
            return super().execute(context)
        except AirflowSkipException:
            raise
        except AirflowException as error:
            process = self.subprocess_hook.sub_process
            reason = f"{error} {self.subprocess_hook.last_line}".strip()
            if process is not None and process.returncode in self.final:
                raise AirflowFailException(reason) from error
            raise AirflowException(reason) from error


class StartDag(TriggerDagRunOperator):
    """Start another DAG for the bank and the day of this run; it does not wait for it."""

    conf: dict[str, str]

    def __init__(self, **arguments: Any) -> None:
        super().__init__(conf=dict(PARAMS), **arguments)

    def execute(self, context: Any) -> Any:
        """Without the parameters that this run was not given: the other DAG has its own defaults for them."""
        self.conf = given(self.conf)
        return super().execute(context)
