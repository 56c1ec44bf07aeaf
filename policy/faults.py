"""What the room has to say when something is wrong."""

from dataclasses import dataclass


class PolicyError(Exception):
    """The request cannot be answered; the message says why and what to do."""

    exit_code = 2


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a policy seed: where, which row, what, and what to do."""

    file: str
    line: int | None
    row: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.row + ': ' if self.row else ''}{self.message}"
