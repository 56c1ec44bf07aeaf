"""dbt's documentation of a bank's warehouse as one page: models, columns, lineage, and the catalogue."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from keepwell.airflow_home import PROJECT
from warehouse import Settings, dbt_environment, open_warehouse
from warehouse.publish import shown_runs

_DBT = str(Path(sys.executable).with_name("dbt"))
# Variables of this name dbt writes into its manifest, and so into the page.
_TOLD_BY_DBT = "DBT_ENV_CUSTOM_ENV_"


class DocsError(Exception):
    """The page could not be made; the message names the log."""


def write_docs(settings: Settings) -> Path:
    """Write `docs/index.html` into the bank's folder, with the catalogue of the run that readers see.

    Returns its path. Of a bank that has published nothing the page tells models and lineage, and of tables
    what is there. Raises DocsError when dbt fails, or when the page would hold the warehouse's password.
    """
    with open_warehouse(settings, read_only=True) as wh:
        run_id = next(iter(shown_runs(wh)), "run_none") if wh.exists("ops.publications") else "run_none"
    page, log = settings.bank_home / "docs" / "index.html", settings.logs_dir / "docs.log"
    for folder in (page.parent, log.parent):
        folder.mkdir(parents=True, exist_ok=True)
    connection = dbt_environment(settings)
    with tempfile.TemporaryDirectory(dir=page.parent, prefix=".dbt-") as target, log.open("w") as output:
        done = subprocess.run(
            [
                *(_DBT, "docs", "generate", "--static", "--vars", f'{{"run_id": "{run_id}"}}'),
                *("--project-dir", "dbt_project", "--profiles-dir", "dbt_project"),
                *("--target", settings.target, "--target-path", target, "--log-path", target),
            ],
            cwd=PROJECT,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith(_TOLD_BY_DBT)},
                **settings.environment(),
                **connection,
                "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            },
            stdout=output,
            stderr=output,
            check=False,
        )
        made = Path(target) / "static_index.html"
        if done.returncode or not made.exists():
            raise DocsError(f"dbt could not write the documentation; see {log}")
        password = connection.get("KEEPWELL_PG_PASSWORD")
        if password and password in made.read_text(encoding="utf-8"):
            raise DocsError(
                "the page would hold the warehouse's password and was not kept: it stands in a model or a "
                "description of dbt_project, or is a word of theirs; choose another"
            )
        made.replace(page)
    return page
