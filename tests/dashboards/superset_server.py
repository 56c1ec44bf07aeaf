"""A real Superset for tests: its own metadata database, secret key and folder; one process on a free port."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from warehouse.settings import PROJECT_ROOT

PROGRAMS = PROJECT_ROOT / ".venv" / "superset" / "bin"
CONFIG = PROJECT_ROOT / "docker" / "superset" / "superset_config.py"
ADMIN = "admin"
PATIENCE_S = 180

# What `superset db upgrade`, `superset init` and `superset fab create-admin` do, in one process: each would
# take half a minute to import Superset.
PREPARE = """
import os
from pathlib import Path
import superset
from superset.app import create_app
app = create_app()
with app.app_context():
    from flask_migrate import upgrade
    upgrade(directory=str(Path(superset.__file__).parent / "migrations"))
    from superset.extensions import appbuilder
    appbuilder.add_permissions(update_perms=True)
    appbuilder.sm.sync_role_definitions()
    password = Path(os.environ["ADMIN_PASSWORD_FILE"]).read_text()
    role = appbuilder.sm.find_role("Admin")
    assert appbuilder.sm.add_user("admin", "Ad", "Min", "admin@localhost", role, password)
"""


@dataclass(frozen=True)
class Server:
    """Where a Superset answers, and its administrator's password."""

    url: str
    password_file: Path
    log: Path

    @property
    def password(self) -> str:
        return self.password_file.read_text()


@contextlib.contextmanager
def running(home: Path, metadata_url: str) -> Iterator[Server]:
    """A Superset on an empty metadata database (an SQLAlchemy URL), until the block ends."""
    home.mkdir(parents=True)
    for name in ("secret_key", "admin_password"):
        (home / name).write_text(secrets.token_urlsafe(48))
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SUPERSET", "PYTHONPATH"))
        },
        "SUPERSET_HOME": str(home),
        "SUPERSET_CONFIG_PATH": str(CONFIG),
        "SUPERSET_METADATA_URL": metadata_url,
        "SUPERSET_SECRET_KEY_FILE": str(home / "secret_key"),
        "ADMIN_PASSWORD_FILE": str(home / "admin_password"),
    }
    done = subprocess.run(
        [PROGRAMS / "python", "-c", PREPARE],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    port = _free_port()
    log = home / "gunicorn.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [
                PROGRAMS / "gunicorn", "--workers", "1", "--threads", "6", "--worker-class", "gthread",
                "--timeout", "180",
                "--bind", f"127.0.0.1:{port}", "superset.app:create_app()",
            ],
            env=environment, cwd=home, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(f"{url}/health", server, log)
        yield Server(url, home / "admin_password", log)
    finally:
        server.terminate()
        server.wait(timeout=60)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        assert server.poll() is None, (
            f"Superset ended with exit code {server.returncode}:\n{log.read_text()[-3000:]}"
        )
        assert time.monotonic() < deadline, (
            f"no answer from {url} in {PATIENCE_S} s:\n{log.read_text()[-3000:]}"
        )
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            if urllib.request.urlopen(url, timeout=5).status == 200:
                return
        time.sleep(0.5)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
