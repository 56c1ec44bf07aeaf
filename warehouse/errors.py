"""The errors of the room: their messages are meant for the user, their exit codes for Airflow."""


class WarehouseError(Exception):
    """Something about the warehouse, its settings or a statement is wrong; the message says what to do."""

    exit_code = 2


class GateError(WarehouseError):
    """The run's own data forbids what was asked."""

    exit_code = 1


class HealthError(WarehouseError):
    """The platform is not well; the message names the checks that alert."""

    exit_code = 1


class UnavailableError(WarehouseError):
    """The warehouse cannot be reached, or was lost on the way: the same may work in a minute."""

    exit_code = 75


class NothingToDoError(Exception):
    """There is no work in what was asked: exit code 99, which Airflow shows as skipped."""

    def __init__(self, message: str, run_id: str | None = None) -> None:
        super().__init__(message)
        self.run_id = run_id
