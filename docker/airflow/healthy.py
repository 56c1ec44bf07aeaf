"""The health of one of Airflow's components, for the engine's health checks: exit code 0 when it is healthy.

    healthy.py metadatabase | triggerer | dag_processor     as the api-server sees its heartbeat
    healthy.py --own-port 8974          the health server of this container: 503 when its heart has stopped

Standard library only: `airflow jobs check` says the same and imports all of Airflow each time, seconds of a
processor every few seconds.
"""

import json
import sys
import urllib.request

ADDRESS = "http://airflow-api-server:8080/api/v2/monitor/health"
PATIENCE_S = 8


def main(component: str, port: str | None = None) -> int:
    """Says on stdout what it found, which `docker inspect` keeps."""
    try:
        if component == "--own-port":
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=PATIENCE_S):
                status = "healthy"
        else:
            with urllib.request.urlopen(ADDRESS, timeout=PATIENCE_S) as answer:
                status = json.load(answer)[component]["status"]
    except (OSError, ValueError, KeyError) as error:
        print(f"{component}: {error!r}")
        return 1
    print(f"{component}: {status}")
    return 0 if status == "healthy" else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
