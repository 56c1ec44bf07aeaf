"""Print a secret of /run/secrets, alone or percent-encoded in a URL, for Airflow's `*_CMD` options.

    secret_url.py airflow_fernet_key
    secret_url.py metadata_airflow 'postgresql+psycopg2://airflow:{}@metadata:5432/airflow'

A password read so stands in no environment and on no command line.
"""

import sys
from pathlib import Path
from urllib.parse import quote

FOLDER = Path("/run/secrets")


def main(name: str, template: str | None = None) -> int:
    """Exit code 1 with one line on stderr when the secret is missing or empty."""
    try:
        secret = (FOLDER / name).read_text(encoding="utf-8").strip()
    except OSError as error:
        print(f"The secret {name} cannot be read: {error.strerror}. Run `make secrets`.", file=sys.stderr)
        return 1
    if not secret:
        print(f"The secret {name} is empty: remove its file and run `make secrets`.", file=sys.stderr)
        return 1
    sys.stdout.write(template.format(quote(secret, safe="")) if template else secret)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
