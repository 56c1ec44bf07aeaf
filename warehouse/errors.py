"""The one error of the room: its message is meant for the user."""


class WarehouseError(Exception):
    """Something about the warehouse, its settings or a statement is wrong; the message says what to do."""


class GateError(WarehouseError):
    """The run's own data forbids what was asked: exit code 1."""


class NothingToDoError(Exception):
    """There is no work in what was asked: exit code 99, which Airflow shows as skipped."""

    def __init__(self, message: str, run_id: str | None = None) -> None:
        super().__init__(message)
        self.run_id = run_id
