"""`python -m benchmarks.dag_tasks DAG_ID`: name and command line of each task, in their order, as JSON.

A process of its own, for Airflow configures itself for the whole process when it is imported.
"""

import json
import sys
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag

DAGS = Path(__file__).resolve().parents[1] / "dags"


def main() -> int:
    """Print the tasks; 1 when the DAG cannot be imported."""
    dag_id = sys.argv[1]
    sys.path.insert(0, str(DAGS))
    bag = DagBag(str(DAGS / f"{dag_id}.py"))
    if bag.import_errors:
        print(bag.import_errors, file=sys.stderr)
        return 1
    tasks = bag.dags[dag_id].topological_sort()
    # Airflow logs to stdout; the last line is ours.
    print(json.dumps([(task.task_id, task.bash_command) for task in tasks]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
