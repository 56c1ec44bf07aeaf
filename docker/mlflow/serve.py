"""The tracking server: figures in the metadata database, artifacts on its volume, both behind one address."""

import os
import sys
from pathlib import Path
from urllib.parse import quote

SECRET = Path("/run/secrets/metadata_mlflow")
# Names under which it is asked; a browser that was lured to a foreign page asks with another.
HOSTS = "mlflow:5000,localhost:*,127.0.0.1:*"


def main() -> None:
    """Bring the schema up to this version, then become the server."""
    password = quote(SECRET.read_text(encoding="utf-8").strip(), safe="")
    # In the environment: a command line can be read by every process.
    url = f"postgresql+psycopg2://mlflow:{password}@metadata:5432/mlflow"
    _upgrade(url)
    environment = {
        **os.environ,
        "MLFLOW_BACKEND_STORE_URI": url,
        "MLFLOW_SERVER_ALLOWED_HOSTS": os.environ.get("MLFLOW_SERVER_ALLOWED_HOSTS") or HOSTS,
    }
    server = [
        "mlflow",
        "server",
        "--host",
        "0.0.0.0",  # noqa: S104 - inside its container
        "--port",
        "5000",
        "--workers",
        "1",
    ]
    artifacts = ["--serve-artifacts", "--artifacts-destination", "/var/lib/mlflow"]
    os.execvpe(server[0], server + artifacts, environment)


def _upgrade(url: str) -> None:
    import sqlalchemy
    from mlflow.db import upgrade

    engine = sqlalchemy.create_engine(url)
    # The server itself makes the tables of a new database.
    is_new = not sqlalchemy.inspect(engine).has_table("alembic_version")
    engine.dispose()
    if not is_new:
        upgrade.callback(url)


if __name__ == "__main__":
    sys.exit(main())
