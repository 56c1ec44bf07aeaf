"""The command lines behind the tasks, as bash text made by pure functions.

No value of a run is ever pasted into the text: it stands in the task's environment (`ENVIRONMENT`) and is
read as "$NAME", so no quoting can break and nothing typed into Airflow's pages is executed.
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
    # A run that is cleared and started again must not write into a schema that readers may see by now: a new
    # try of start_run is a new run.
    "RUN_KEY": "{{ dag.dag_id }}/{{ run_id }}/{{ ti.try_number }}",
    # Who asked, for the audit log. `airflow dags test` (`make run`) names itself: there it is who typed it.
    "KEEPWELL_ACTOR": (
        "{% set user = dag_run.triggering_user_name or 'scheduled' %}{{ '' if user == 'dag_test' else user }}"
    ),
    # Programs that draw tables find no terminal to ask for its width.
    "COLUMNS": "120",
    "RUN_ID": "{{ ti.xcom_pull(task_ids='start_run') or '' }}",
    # dbt's lineage names the task that it is part of; Airflow has the macro where lineage is on.
    "OPENLINEAGE_PARENT_ID": (
        "{% set lineage = macros.OpenLineageProviderPlugin | default({}) %}"
        "{{ lineage.lineage_parent_id(ti) if lineage.lineage_parent_id is defined else '' }}"
    ),
}

# Templates of the parameters of a DAG that is started for the same bank and day.
PARAMS = {
    "as_of_date": ENVIRONMENT["AS_OF"],
    "source": ENVIRONMENT["KEEPWELL_SOURCE"],
    "landing": ENVIRONMENT["KEEPWELL_LANDING"],
    "target": ENVIRONMENT["KEEPWELL_TARGET"],
}

_PREAMBLE = """set -euo pipefail
mkdir -p "${KEEPWELL_HOME:=var}"
KEEPWELL_HOME="$(cd "$KEEPWELL_HOME" && pwd)"
export KEEPWELL_HOME KEEPWELL_SOURCE="${KEEPWELL_SOURCE:-demo}" KEEPWELL_TARGET="${KEEPWELL_TARGET:-postgres}"
LANDING="${KEEPWELL_LANDING:-$KEEPWELL_HOME/landing/$KEEPWELL_SOURCE}"
BANK_HOME="$KEEPWELL_HOME/banks/$KEEPWELL_SOURCE-$KEEPWELL_TARGET"
"""

# The boundaries that the dbt tests of a layer guard.
_GATES = {
    "facts": "--gate facts",
    "snapshot": "--gate marts",
    "facts_and_snapshot": "--gate facts --gate marts",
    "lists": "--gate lists",
    "training": "--gate facts",
    "features": "--gate marts",
}

# Layers that take the policy seeds into the warehouse.
_WITH_SEEDS = ("facts", "facts_and_snapshot")

_PYTHON = shlex.quote(sys.executable)
_DBT = shlex.quote(str(Path(sys.executable).with_name("dbt")))
_DBT_OL = shlex.quote(str(Path(sys.executable).with_name("dbt-ol")))

# What dbt has built, as OpenLineage's events, from the files that it left. A lineage server that is broken
# costs these seconds and nothing else.
_LINEAGE_SECONDS = 20
_LINEAGE = f"""if [ -n "${{KEEPWELL_OPENLINEAGE_URL:-}}" ]; then
    export OPENLINEAGE_URL="$KEEPWELL_OPENLINEAGE_URL" OPENLINEAGE_NAMESPACE=keepwell
    timeout --kill-after=2 {_LINEAGE_SECONDS} {_DBT_OL} send-events --project-dir dbt_project \\
        --target "$KEEPWELL_TARGET" --target-path "$BANK_HOME/dbt" > "$BANK_HOME/dbt/logs/lineage.log" 2>&1 \\
        || echo "The lineage of this build was not sent; see $BANK_HOME/dbt/logs/lineage.log" >&2
fi"""


def given(environment: dict[str, str] | None) -> dict[str, str]:
    """The rendered values of `ENVIRONMENT` that are not empty."""
    return {name: value for name, value in (environment or {}).items() if value}


def _as(role: str, arguments: str) -> str:
    """A command of ours in a role of the warehouse's, which counts where its roles have passwords."""
    return f"KEEPWELL_ROLE={role} {_PYTHON} -m {arguments}"


_END_RUN = _as("publisher", 'warehouse end-run --run "$RUN_ID"')


def _python(role: str, arguments: str) -> str:
    return _PREAMBLE + _as(role, arguments)


def init() -> str:
    """Schemas and ops tables; starts the embedded server where it is the warehouse.

    Where the roles are in use it only looks whether all is there: their owner made it.
    """
    return _python("publisher", "warehouse init")


def ingest() -> str:
    """Deliveries that are not loaded yet, into raw."""
    return _python("loader", 'ingest load --source "$KEEPWELL_SOURCE" --landing "$LANDING" --as-of "$AS_OF"')


def start_run(kind: str) -> str:
    """Open a run; the last line is its id, whatever was logged before it."""
    start = _as("publisher", f'warehouse start-run --kind {kind} --as-of "$AS_OF" --key "$RUN_KEY"')
    return f'{_PREAMBLE}run=$({start} | tail -n 1)\necho "$run"'


def expectations(*suites: str) -> str:
    """Great Expectations suites, in one process: its import takes seconds. Exit code 1 stops the chain."""
    return _python("transformer", f'expectations run --suite {" --suite ".join(suites)} --run "$RUN_ID"')


def dbt_layer(layer: str) -> str:
    """One `dbt build` of a layer, whose results are recorded even when it fails.

    Exit code 1 is the verdict of a test, as with every gate; 2 that of `policy check`, which stands before
    seeds are loaded; 75 is any other failure, which may pass.
    """
    return _PREAMBLE + _dbt_build(layer)


def _dbt_build(layer: str) -> str:
    """Goes on only when the layer is built and its tests have passed."""
    policy = f"{_PYTHON} -m policy check\n" if layer in _WITH_SEEDS else ""
    return f"""{policy}
export DBT_SEND_ANONYMOUS_USAGE_STATS=false
# Not eval "$(...)" at once: that would hide a failure of the command inside.
dbt_environment=$({_as("transformer", "warehouse dbt-environment")})
eval "$dbt_environment"
results="$BANK_HOME/dbt/run_results.json"
mkdir -p "$BANK_HOME/dbt/logs"
rm -f "$results"
code=0
{_DBT} build --selector {layer} --exclude-resource-type unit_test --vars "{{\\"run_id\\": \\"$RUN_ID\\"}}" \\
    --project-dir dbt_project --profiles-dir dbt_project --target "$KEEPWELL_TARGET" \\
    --target-path "$BANK_HOME/dbt" --log-path "$BANK_HOME/dbt/logs" || code=$?
if [ -f "$results" ]; then
    {_as("transformer", f'expectations record-dbt --run "$RUN_ID" {_GATES[layer]} --results "$results"')}
fi
{_LINEAGE}
if [ $code != 0 ]; then
    grep -qs '"status": "fail"' "$results" && exit 1
    exit 75
fi"""


def replay() -> str:
    """The features of the newest day with mature labels, built again in an audit run and held against the
    archive. Exit code 99: there is no such day yet; 1: they differ, so a feature saw what nobody knew.
    """
    start = _as("publisher", 'warehouse start-run --kind audit --as-of "$day" --key "$RUN_KEY/audit"')
    return f"""{_PREAMBLE}day=$({_as("scorer", 'ml.churn audit-day --run "$RUN_ID"')})
run=$({start} | tail -n 1)
RUN_ID="$run"
# Whatever it finds, the audit has ended then.
end_run() {{ {_END_RUN} || true; }}
trap end_run EXIT
{_dbt_build("features")}
{_as("transformer", 'expectations run --suite leakage --run "$RUN_ID"')}
"""


def churn(command: str) -> str:
    """`train`, `score` or `monitor`; exit code 99: nothing to do it on, or no training asked for.

    Nothing is published of a training and a monitoring: they are done when they have said so.
    """
    if command == "score":
        return _python("scorer", 'ml.churn score --run "$RUN_ID"')
    return f"""{_PREAMBLE}code=0
{_as("scorer", f'ml.churn {command} --run "$RUN_ID"')} || code=$?
case $code in 0 | 99) {_END_RUN} ;; esac
exit $code"""


def publish() -> str:
    """History and the views of `marts` take the run, in one transaction."""
    return _python("publisher", 'warehouse publish --run "$RUN_ID"')


def watch() -> str:
    """The checks of health; exit code 1 when one begins to alert, and once a day while it goes on."""
    return _python("publisher", "warehouse watch --only-new")


def retain() -> str:
    """Drop run schemas that the retention rule lets go."""
    return _python("publisher", "warehouse retain")


def report() -> str:
    """The page of runs and the report of what is published, which links to it: self-contained HTML files."""
    return f"{history()}\n{_page('report')}"


def history() -> str:
    """The page of runs alone, for runs that never come to their report."""
    return _PREAMBLE + _page("history")


def _page(name: str) -> str:
    return _as("bi_reader", f'dashboards {name} --out "$BANK_HOME/report/{name}.html"')
