"""The embedded PostgreSQL: starts once, survives its users, forgives a crash."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from warehouse import Settings, dbt_environment, embedded, open_warehouse
from warehouse.settings import PROJECT_ROOT


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="kw-"))
    yield folder
    for cluster in folder.rglob("postgres"):
        embedded.down(cluster)
    shutil.rmtree(folder)


def up_in_a_process(home: Path, source: str = "demo") -> subprocess.Popen[str]:
    settings = Settings(home=home, source=source)
    return subprocess.Popen(
        [sys.executable, "-m", "warehouse", "up"],
        env={**os.environ, **settings.environment()},
        cwd=PROJECT_ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_processes_that_race_start_one_server_which_outlives_them(home: Path) -> None:
    leftover_of_a_killed_creation = home / "postgres.new-killed"
    leftover_of_a_killed_creation.mkdir(parents=True)
    (leftover_of_a_killed_creation / "PG_VERSION").write_text("18\n")
    processes = [up_in_a_process(home, source) for source in ("demo", "demo", "berka")]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], errors
    assert all("Warning" not in error for error in errors)
    assert not leftover_of_a_killed_creation.exists()
    assert embedded.running(home / "postgres") is not None
    for source in ("demo", "berka"):
        with open_warehouse(Settings(home=home, source=source)) as wh:
            assert wh.query("select current_database()::text as name")["name"].to_pylist() == [
                f"keepwell_{source}"
            ]
    assert embedded.down(home / "postgres")
    assert embedded.running(home / "postgres") is None
    assert not embedded.down(home / "postgres")
    embedded.up(home / "postgres", "keepwell_demo")
    assert embedded.running(home / "postgres") is not None


def test_a_server_that_was_killed_starts_again(home: Path) -> None:
    settings = Settings(home=home)
    with open_warehouse(settings) as wh:
        wh.execute("create table public.kept as select 1 as one")
        wh.execute("checkpoint")
    pid_file = settings.postgres_dir / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    os.kill(int(lines[0]), signal.SIGKILL)
    # The pid now belongs to a living process that is no server, as after a container's restart.
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with open_warehouse(settings) as wh:
        assert wh.query("select one from public.kept")["one"].to_pylist() == [1]


def test_a_long_path_works_though_sockets_want_a_short_one(home: Path) -> None:
    deep = home / ("a-folder-with-a-long-name-" * 4) / "below"
    with open_warehouse(Settings(home=deep)) as wh:
        assert wh.query("select 1 as one")["one"].to_pylist() == [1]


def test_settings_order_and_the_addresses_for_others(home: Path) -> None:
    settings = Settings(home=home)
    with open_warehouse(settings) as wh:
        shown = wh.query(
            "select current_setting('listen_addresses') as addresses, current_setting('jit') as jit,"
            " current_setting('TimeZone') as zone, current_setting('unix_socket_permissions') as permissions"
        ).to_pylist()
        assert shown == [{"addresses": "", "jit": "off", "zone": "UTC", "permissions": "0700"}]
        ordered = wh.query(
            "select * from (values ('b'), ('a'), ('B'), ('客'), ('é')) as words (word) order by word"
        )
        assert ordered["word"].to_pylist() == ["B", "a", "b", "é", "客"]
    variables = dbt_environment(settings)
    assert variables["KEEPWELL_PG_DBNAME"] == "keepwell_demo"
    assert variables["KEEPWELL_PG_HOST"].startswith("/")
    assert (variables["KEEPWELL_PG_USER"], variables["KEEPWELL_PG_PASSWORD"]) == ("postgres", "")
