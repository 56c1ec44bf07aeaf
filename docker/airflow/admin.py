"""Make Airflow's administrator, or give him the password of the secret file again: so it is rotated."""

import sys
from pathlib import Path

from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

SECRET = Path("/run/secrets/airflow_admin")
NAME, ROLE = "admin", "Admin"


def main() -> int:
    """Exit code 1 when the user could not be made; the password stands on no command line."""
    password = SECRET.read_text(encoding="utf-8").strip()
    if not password:
        print(f"{SECRET} is empty: remove the file and run `make secrets`", file=sys.stderr)
        return 1
    with get_application_builder() as builder:
        security = builder.sm
        user = security.find_user(username=NAME)
        if user is None:
            role = security.find_role(ROLE)
            user = security.add_user(NAME, NAME, NAME, f"{NAME}@localhost", role, password)
            done = bool(user)
        else:
            done = bool(security.reset_password(user.id, password))
    print(f"Airflow's user {NAME} {'is set' if done else 'could not be set'}")
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
