"""The command lines behind the tasks, as bash text made by pure functions.

No value of a run is ever pasted into the text: it stands in the task's environment (`ENVIRONMENT`) and is read as
"$NAME", so no quoting can break and nothing typed into Airflow's pages is executed.
"""

import shlex
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

# Templates of the values that the command lines read. An empty one leaves the worker's own variable.
ENVIRONMENT = {
    "KEEPWELL_SOURCE": "{{ params.source or '' }}",
    "KEEPWELL_TARGET": "{{ params.target or '' }}",
    "KEEPWELL_LANDING": "{{ params.landing or '' }}",
    # The day a run describes: the one asked for, else the last day of the interval it is scheduled for.
    "AS_OF": "{{ params.as_of_date or (data_interval_end - macros.timedelta(days=1)) | ds }}",
    # A run that is cleared and started again must not write into a schema that readers may see by now: a new try
    # of start_run is a new run.
    "RUN_KEY": "{{ dag.dag_id }}/{{ run_id }}/{{ ti.try_number }}",
    "RUN_ID": "{{ ti.xcom_pull(task_ids='start_run') or '' }}",
}

_PREAMBLE = """set -euo pipefail
export KEEPWELL_HOME="${KEEPWELL_HOME:-var}" KEEPWELL_SOURCE="${KEEPWELL_SOURCE:-demo}"
export KEEPWELL_TARGET="${KEEPWELL_TARGET:-postgres}"
LANDING="${KEEPWELL_LANDING:-$KEEPWELL_HOME/landing/$KEEPWELL_SOURCE}"
BANK_HOME="$(realpath --canonicalize-missing "$KEEPWELL_HOME/banks/$KEEPWELL_SOURCE-$KEEPWELL_TARGET")"
"""

# Not eval "$(...)" at once: that would hide a failure of the command inside.
_DBT_PREAMBLE = """export DBT_SEND_ANONYMOUS_USAGE_STATS=false
dbt_environment=$({environment})
eval "$dbt_environment"
DBT_TARGET="$BANK_HOME/dbt" DBT_LOGS="$BANK_HOME/dbt/logs" DBT_RESULTS="$BANK_HOME/dbt/run_results.json"
DBT_VARS="{{\\"run_id\\": \\"$RUN_ID\\"}}"
mkdir -p "$DBT_LOGS"
rm -f "$DBT_RESULTS"
"""

# The boundary that the dbt tests of a layer guard.
_GATES = {"facts": "facts", "snapshot": "marts", "lists": "lists", "training": "facts"}


class Variable(str):
    """The name of a shell variable, to be read when the command runs."""


AS_OF = Variable("AS_OF")
LANDING = Variable("LANDING")
RUN_ID = Variable("RUN_ID")
RUN_KEY = Variable("RUN_KEY")
SOURCE = Variable("KEEPWELL_SOURCE")
TARGET = Variable("KEEPWELL_TARGET")


def words(*parts: str) -> str:
    """One command: text quoted for the shell, variables as "$NAME"."""
    return " ".join(f'"${part}"' if isinstance(part, Variable) else shlex.quote(part) for part in parts)


def given(environment: dict[str, str] | None) -> dict[str, str]:
    """The rendered values of `ENVIRONMENT` that are not empty."""
    return {name: value for name, value in (environment or {}).items() if value}


def _python(module: str, *arguments: str) -> str:
    return words(sys.executable, "-m", module, *arguments)


def init() -> str:
    """Schemas and ops tables; starts the embedded server where it is the warehouse."""
    return _PREAMBLE + _python("warehouse", "init")


def ingest() -> str:
    """Deliveries that are not loaded yet, into raw."""
    return _PREAMBLE + _python("ingest", "load", "--source", SOURCE, "--landing", LANDING, "--as-of", AS_OF)


def start_run(kind: str) -> str:
    """Open a run; the last line is its id, whatever was logged before it."""
    start = _python("warehouse", "start-run", "--kind", kind, "--as-of", AS_OF, "--key", RUN_KEY)
    return f'{_PREAMBLE}run=$({start} | tail -n 1)\necho "$run"'


def expectations(suite: str) -> str:
    """A Great Expectations suite; exit code 1 stops the chain."""
    return _PREAMBLE + _python("expectations", "run", "--suite", suite, "--run", RUN_ID)


def dbt_layer(layer: str) -> str:
    """One `dbt build` of a layer, whose results are recorded even when it fails; dbt's exit code is kept."""
    dbt = words(
        str(Path(sys.executable).with_name("dbt")), "build", "--selector", layer,
        "--exclude-resource-type", "unit_test", "--project-dir", "dbt_project", "--profiles-dir", "dbt_project",
        "--target", TARGET, "--target-path", Variable("DBT_TARGET"), "--log-path", Variable("DBT_LOGS"),
        "--vars", Variable("DBT_VARS"),
    )  # fmt: skip
    record = _python(
        "expectations",
        "record-dbt",
        "--run",
        RUN_ID,
        "--gate",
        _GATES[layer],
        "--results",
        Variable("DBT_RESULTS"),
    )
    return (
        f"{_PREAMBLE}{_DBT_PREAMBLE.format(environment=_python('warehouse', 'dbt-environment'))}"
        f"code=0\n{dbt} || code=$?\n"
        f'if [ -f "$DBT_RESULTS" ]; then\n    {record}\nfi\n'
        "exit $code"
    )


def churn(command: str) -> str:
    """`train` or `score`; exit code 99: there was nothing to do it on."""
    return _PREAMBLE + _python("ml.churn", command, "--run", RUN_ID)


def publish() -> str:
    """History and the views of `marts` take the run, in one transaction."""
    return _PREAMBLE + _python("warehouse", "publish", "--run", RUN_ID)


def retain() -> str:
    """Drop run schemas that the retention rule lets go."""
    return _PREAMBLE + _python("warehouse", "retain")


def report() -> str:
    """The self-contained HTML report of what is published."""
    return f'{_PREAMBLE}{_python("dashboards", "report", "--out")} "$BANK_HOME/report/report.html"'
