"""Warehouses for all tests: real engines, one embedded cluster a session, a fresh database each test."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser import tab  # noqa: F401 - a fixture for all
from warehouse import Settings, embedded, open_warehouse, schema
from warehouse.settings import PROJECT_ROOT

_database_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets that lies beside the project."""
    folder = PROJECT_ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the shared data sets are not beside the project (no folder {folder})")
    return folder


@pytest.fixture(scope="session")
def short_dir() -> Iterator[Path]:
    """A folder whose path is short enough for unix sockets; pytest's own is not everywhere."""
    folder = Path(tempfile.mkdtemp(prefix="kw-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster(short_dir: Path) -> Iterator[embedded.Address]:
    """One embedded PostgreSQL for the whole session."""
    folder = short_dir / "postgres"
    embedded.up(folder, "keepwell_tests")
    address = embedded.running(folder)
    assert address is not None
    with open_warehouse(Settings(home=short_dir, url=address.url("postgres"))) as server:
        # Databases come and go by the hundred, and none has to outlive a power cut.
        server.execute("alter system set fsync = off")
        server.query("select pg_reload_conf() as is_reloaded")
    yield address
    embedded.down(folder)


@pytest.fixture
def duckdb_settings(tmp_path: Path) -> Settings:
    """A fresh initialised warehouse in a DuckDB file."""
    settings = Settings(home=tmp_path / "home", target="duckdb")
    with open_warehouse(settings) as warehouse:
        schema.init(warehouse)
    return settings


@pytest.fixture
def postgres_settings(cluster: embedded.Address, tmp_path: Path) -> Iterator[Settings]:
    """A fresh initialised warehouse in a database of its own on the session's cluster."""
    database = f"test_{os.getpid()}_{next(_database_numbers)}"
    embedded.create_database(cluster, database)
    settings = Settings(home=tmp_path / "home", target="postgres", url=cluster.url(database))
    with open_warehouse(settings) as warehouse:
        schema.init(warehouse)
    yield settings
    embedded.drop_database(cluster, database)


@pytest.fixture(params=["duckdb", "postgres"])
def settings(request: pytest.FixtureRequest) -> Settings:
    """A fresh initialised warehouse on each engine in turn."""
    found: Settings = request.getfixturevalue(f"{request.param}_settings")
    return found


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    """The environment in which a subprocess meets the warehouse of `settings`."""
    return environment_for(settings)


def environment_for(settings: Settings) -> dict[str, str]:
    """This process's environment with KEEPWELL_* leading to the warehouse of `settings`."""
    return {**os.environ, **settings.environment(), "PYTHONPATH": str(PROJECT_ROOT)}


@pytest.fixture
def make_environment() -> Callable[[Settings], dict[str, str]]:
    """`environment` for tests that use `duckdb_settings` or `postgres_settings` by name."""
    return environment_for
