"""A server with roles that log in by password, beside the one that trusts everybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from warehouse import Settings, embedded, open_warehouse
from warehouse.settings import ROLES, role_name


@pytest.fixture(scope="session")
def role_server(short_dir: Path) -> Iterator[embedded.Address]:
    """A cluster of its own, for roles are the whole cluster's; it wants the passwords of ours."""
    folder = short_dir / "roles"
    embedded.up(folder, "keepwell_tests")
    rules = folder / "pg_hba.conf"
    rules.write_text('local all "/^keepwell_" scram-sha-256\n' + rules.read_text())
    address = embedded.running(folder)
    assert address is not None
    with open_warehouse(Settings(home=short_dir, url=address.url("postgres"))) as wh:
        wh.query("select pg_reload_conf() as is_reloaded")
        # Somebody whom no role may become.
        wh.execute("create role keepwell_owner_of_tests nologin")
    yield address
    embedded.down(folder)


@pytest.fixture(scope="session")
def password_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    for role in (*ROLES, "owner"):
        file = folder / role_name(role)
        file.write_text(f"secret of {role} %@:/?#'\n")
        file.chmod(0o600)
    return folder
