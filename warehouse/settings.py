"""Where a bank's warehouse lies: the only reader of KEEPWELL_* variables."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from warehouse.errors import WarehouseError

PROJECT_ROOT = Path(__file__).resolve().parent.parent
TARGETS = ("postgres", "duckdb")


@dataclass(frozen=True)
class Settings:
    """One bank's warehouse. `url` may hold a password and is therefore left out of the repr."""

    home: Path
    source: str = "demo"
    target: str = "postgres"
    url: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        # The source names a database and folders, so it has to be a plain word on every engine.
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", self.source):
            raise WarehouseError(
                f"KEEPWELL_SOURCE is {self.source!r}: use a short lower-case name such as demo or berka"
            )
        if self.target not in TARGETS:
            raise WarehouseError(f"KEEPWELL_TARGET is {self.target!r}: use one of {', '.join(TARGETS)}")
        if self.url and self.target == "duckdb":
            raise WarehouseError(
                "KEEPWELL_WAREHOUSE_URL names a PostgreSQL server but KEEPWELL_TARGET is duckdb: "
                "unset the URL or set KEEPWELL_TARGET=postgres"
            )
        if self.url and not self.url.startswith(("postgresql://", "postgres://")):
            raise WarehouseError(
                "KEEPWELL_WAREHOUSE_URL has to look like postgresql://user:password@host:5432/database"
            )
        if not self.home.is_absolute():
            object.__setattr__(self, "home", (PROJECT_ROOT / self.home).resolve())

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read KEEPWELL_HOME, _SOURCE, _TARGET and _WAREHOUSE_URL; empty counts as unset.

        Raises WarehouseError when a value cannot be used.
        """
        variables = os.environ if environment is None else environment
        return cls(
            home=Path(variables.get("KEEPWELL_HOME") or "var").expanduser(),
            source=variables.get("KEEPWELL_SOURCE") or "demo",
            target=variables.get("KEEPWELL_TARGET") or "postgres",
            url=variables.get("KEEPWELL_WAREHOUSE_URL") or None,
        )

    def environment(self) -> dict[str, str]:
        """The KEEPWELL_* variables that lead another process to this same warehouse."""
        return {
            "KEEPWELL_HOME": str(self.home),
            "KEEPWELL_SOURCE": self.source,
            "KEEPWELL_TARGET": self.target,
            "KEEPWELL_WAREHOUSE_URL": self.url or "",
        }

    @property
    def postgres_dir(self) -> Path:
        """The embedded cluster, shared by all banks of this home."""
        return self.home / "postgres"

    @property
    def database(self) -> str:
        """The bank's database in the embedded cluster."""
        return f"keepwell_{self.source}"

    @property
    def landing_dir(self) -> Path:
        """Where the demo bank's files land."""
        return self.home / "landing" / "demo"

    @property
    def bank_home(self) -> Path:
        """Everything of one bank on one engine, outside the database."""
        return self.home / "banks" / f"{self.source}-{self.target}"

    @property
    def duckdb_path(self) -> Path:
        return self.bank_home / "warehouse.duckdb"

    @property
    def models_dir(self) -> Path:
        """The model registry."""
        return self.bank_home / "models"

    @property
    def dbt_dir(self) -> Path:
        """dbt's target and logs."""
        return self.bank_home / "dbt"

    @property
    def report_dir(self) -> Path:
        return self.bank_home / "report"

    @property
    def logs_dir(self) -> Path:
        return self.bank_home / "logs"
