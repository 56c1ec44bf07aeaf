"""Where a bank's warehouse lies, and who asks: the only reader of KEEPWELL_* variables."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from warehouse.errors import WarehouseError

PROJECT_ROOT = Path(__file__).resolve().parent.parent
TARGETS = ("postgres", "duckdb")
# What each may do stands in warehouse/roles.py. The owner is who made the schemas.
OWNER = "owner"
ROLES = ("loader", "transformer", "scorer", "publisher", "bi_reader", "crm_reader", "auditor")


def role_name(role: str) -> str:
    """The user of the database server that a role is."""
    return f"keepwell_{role}"


def actor(environment: Mapping[str, str] | None = None) -> str:
    """Who asks, for the audit log: KEEPWELL_ACTOR, else the user of the operating system."""
    variables = os.environ if environment is None else environment
    if named := variables.get("KEEPWELL_ACTOR"):
        return named
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container may run under a number that no user has.
        return f"uid {os.getuid()}"


def pseudonym_key_file(environment: Mapping[str, str] | None = None) -> Path | None:
    """The key of pseudonyms, KEEPWELL_PSEUDONYM_KEY_FILE; None where it is not set."""
    variables = os.environ if environment is None else environment
    file = variables.get("KEEPWELL_PSEUDONYM_KEY_FILE")
    return Path(file).expanduser() if file else None


@dataclass(frozen=True)
class Settings:
    """One bank's warehouse. `url` may hold a password and is therefore left out of the repr.

    With a `password_dir` the user is the `role`, and `url` names none; without one `role` means nothing.
    """

    home: Path
    source: str = "demo"
    target: str = "postgres"
    url: str | None = field(default=None, repr=False)
    role: str | None = None
    password_dir: Path | None = None

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
        for name in ("home", "password_dir"):
            folder = getattr(self, name)
            if folder is not None and not folder.is_absolute():
                object.__setattr__(self, name, (PROJECT_ROOT / folder).resolve())

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read KEEPWELL_HOME, _SOURCE, _TARGET, _WAREHOUSE_URL, _ROLE and _PASSWORD_DIR; empty is unset.

        Raises WarehouseError when a value cannot be used.
        """
        variables = os.environ if environment is None else environment
        return cls(
            home=Path(variables.get("KEEPWELL_HOME") or "var").expanduser(),
            source=variables.get("KEEPWELL_SOURCE") or "demo",
            target=variables.get("KEEPWELL_TARGET") or "postgres",
            url=variables.get("KEEPWELL_WAREHOUSE_URL") or None,
            role=variables.get("KEEPWELL_ROLE") or None,
            password_dir=Path(folder).expanduser()
            if (folder := variables.get("KEEPWELL_PASSWORD_DIR"))
            else None,
        )

    def environment(self) -> dict[str, str]:
        """The KEEPWELL_* variables that lead another process to this same warehouse."""
        return {
            "KEEPWELL_HOME": str(self.home),
            "KEEPWELL_SOURCE": self.source,
            "KEEPWELL_TARGET": self.target,
            "KEEPWELL_WAREHOUSE_URL": self.url or "",
            "KEEPWELL_ROLE": self.role or "",
            "KEEPWELL_PASSWORD_DIR": str(self.password_dir or ""),
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
