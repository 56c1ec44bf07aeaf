"""What a user did wrong, said once and clearly."""

from __future__ import annotations

from collections.abc import Iterable


class IngestError(Exception):
    """One or more faults of the input. Each says what is wrong, where, and what to do."""

    def __init__(self, faults: str | Iterable[str]) -> None:
        self.faults = [faults] if isinstance(faults, str) else list(faults)
        super().__init__("\n".join(self.faults))


class ContractError(IngestError):
    """A contract or source file that cannot be used."""


class BatchRefusedError(IngestError):
    """A batch with too many rejected rows: refused whole, raw unchanged."""
