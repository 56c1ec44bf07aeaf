"""Make the secrets that docker-compose.yml asks for: one random value a file, those that are there stay.

    python3 docker/make_secrets.py [FOLDER]      (default: secrets)

Standard library only, so that a machine with nothing but Docker and a Python can call it. Prints names, never
values. To change one, see "Rotate secrets" in docs/operations.md.
"""

import base64
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path


def _password() -> str:
    return secrets.token_hex(24)


def _fernet_key() -> str:
    """What Airflow's connections and variables are encrypted with: 32 bytes, as Fernet writes them."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _signing_key() -> str:
    return secrets.token_urlsafe(64)


# The file's name is the secret's name in docker-compose.yml; those of the warehouse are its users' names.
SECRETS: dict[str, Callable[[], str]] = {
    "keepwell_owner": _password,
    "keepwell_loader": _password,
    "keepwell_transformer": _password,
    "keepwell_scorer": _password,
    "keepwell_publisher": _password,
    "keepwell_bi_reader": _password,
    "keepwell_crm_reader": _password,
    "keepwell_auditor": _password,
    "metadata_admin": _password,
    "metadata_airflow": _password,
    "metadata_superset": _password,
    "metadata_mlflow": _password,
    "airflow_admin": _password,
    "airflow_fernet_key": _fernet_key,
    "airflow_jwt_secret": _signing_key,
    "airflow_api_secret": _signing_key,
    "superset_admin": _password,
    "superset_secret_key": _signing_key,
    "redis": _password,
    "pseudonym_key": _signing_key,
}


def make(folder: Path) -> list[str]:
    """Write what is missing; the names of the new files.

    The folder is its owner's alone. The files in it may be read by all and written by none: the engine mounts
    them into containers as they are, whose users have other numbers than the owner's.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    made = []
    for name, value in SECRETS.items():
        path = folder / name
        if path.exists():
            continue
        # A name of its own until it is whole: one that is there is never written again.
        part = folder / f".{name}.part"
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(value())
            os.fchmod(file.fileno(), 0o444)
        part.rename(path)
        made.append(name)
    return made


def main(folder: str = "secrets") -> int:
    """Exit code 2 when the folder cannot be written."""
    try:
        made = make(Path(folder))
    except OSError as error:
        print(f"{folder}: secrets cannot be written: {error.strerror}", file=sys.stderr)
        return 2
    print(f"{folder}: made {', '.join(made)}" if made else f"{folder}: all {len(SECRETS)} secrets are there")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
