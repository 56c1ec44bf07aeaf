"""The dashboards in a real Superset over a published bank on PostgreSQL, opened in a headless browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboards.language import LANGUAGES
from dashboards.superset.branches import role_name
from dashboards.superset.client import Superset, SupersetError
from dashboards.superset.spec import Dashboard, read_dashboards
from tests.browser import Tab
from tests.conftest import environment_for
from tests.dashboards import superset_pages, superset_server
from tests.dashboards.published_bank import publish_bank
from tests.dashboards.superset_server import ADMIN, Server
from warehouse import Settings, embedded, open_warehouse
from warehouse.settings import PROJECT_ROOT

DASHBOARDS = {dashboard.slug: dashboard for dashboard in read_dashboards()}
READER_PASSWORD = "read-only-marts"
CLERK, CLERK_PASSWORD = "clerk", "sees-one-branch-only"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bank(
    cluster: embedded.Address, short_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """A published bank whose roles are made: Superset may read it as keepwell_bi_reader."""
    _require_superset()
    database = f"test_superset_bank_{os.getpid()}"
    embedded.create_database(cluster, database)
    settings = Settings(home=short_dir / "superset_bank", target="postgres", url=cluster.url(database))
    publish_bank(settings, tmp_path_factory.mktemp("superset") / "landing")
    passwords = short_dir / "superset_passwords"
    passwords.mkdir(mode=0o700)
    (passwords / "keepwell_bi_reader").write_text(READER_PASSWORD)
    subprocess.run(
        [sys.executable, "-m", "warehouse", "roles", "--password-dir", passwords],
        cwd=PROJECT_ROOT, env=environment_for(settings), check=True, capture_output=True,
    )  # fmt: skip
    yield settings
    embedded.drop_database(cluster, database)


@pytest.fixture(scope="module")
def server(cluster: embedded.Address, bank: Settings, short_dir: Path) -> Iterator[Server]:
    """A Superset into which all dashboards were imported in both languages, with roles by branch."""
    database = f"test_superset_{os.getpid()}"
    embedded.create_database(cluster, database)
    # A user named in the URL would want a password.
    address = cluster.url(database).replace("postgresql://postgres@", "postgresql+psycopg2://")
    metadata = f"{address}&user=postgres"
    with superset_server.running(short_dir / "superset", metadata) as found:
        done = import_into(found, bank, "--branch-roles")
        assert done.returncode == 0, done.stderr + found.log.read_text()[-3000:]
        yield found
    embedded.drop_database(cluster, database)


@pytest.fixture(scope="module")
def signed_in(tab: Tab, server: Server) -> Tab:
    """The browser, signed in as Superset's administrator."""
    superset_pages.sign_in(tab, server.url, ADMIN, server.password)
    return tab


def _require_superset() -> None:
    if (superset_server.PROGRAMS / "gunicorn").exists():
        return
    if os.environ.get("CI"):
        pytest.fail("no Superset in .venv/superset, and CI may not go without: run `make superset`")
    pytest.skip("no Superset in .venv/superset: `make superset` installs it")


def import_into(server: Server, bank: Settings, *options: str) -> subprocess.CompletedProcess[str]:
    """`python -m dashboards superset import` as its user types it."""
    url = str(bank.url).replace("postgres@", "@")
    return subprocess.run(
        [
            sys.executable, "-m", "dashboards", "superset", "import", "--url", server.url, "--user", ADMIN,
            "--password-file", server.password_file, "--database-url", url,
            "--password-dir", bank.home.parent / "superset_passwords", *options,
        ],
        cwd=PROJECT_ROOT, env=environment_for(bank), capture_output=True, text=True, check=False,
    )  # fmt: skip


def admin_of(server: Server) -> Superset:
    return Superset(server.url, ADMIN, server.password)


def must_not_be_empty(dashboard: Dashboard, lang: str) -> set[str]:
    return {chart.title.of(lang) for chart in dashboard.charts if not chart.may_be_empty}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("slug", sorted(DASHBOARDS))
def test_every_chart_of_a_dashboard_is_drawn(server: Server, signed_in: Tab, slug: str, lang: str) -> None:
    dashboard = DASHBOARDS[slug]
    opened = superset_pages.open_dashboard(signed_in, server.url, f"{slug}-{lang}", len(dashboard.charts))
    assert opened.errors == []
    assert sorted(opened.titles) == sorted(chart.title.of(lang) for chart in dashboard.charts)
    assert must_not_be_empty(dashboard, lang).isdisjoint(opened.empty)


def test_a_broken_column_is_seen_and_an_import_mends_it(
    server: Server, bank: Settings, signed_in: Tab
) -> None:
    superset = admin_of(server)
    dashboard = DASHBOARDS["branch"]
    title = dashboard.charts[0].title.en
    charts = [chart for chart in _charts_of(superset, "branch-en") if chart["slice_name"] == title]
    [chart] = charts
    params = json.loads(superset.get(f"/api/v1/chart/{chart['id']}")["result"]["params"])
    broken = {
        "expressionType": "SQL",
        "sqlExpression": "sum(no_such_column)",
        "label": "broken",
        "hasCustomLabel": True,
    }
    superset.put(f"/api/v1/chart/{chart['id']}", {"params": json.dumps({**params, "metric": broken})})

    opened = superset_pages.open_dashboard(signed_in, server.url, "branch-en", len(dashboard.charts))
    assert any(title in error for error in opened.errors)
    assert any("no_such_column" in error for error in opened.errors)

    assert import_into(server, bank, "--lang", "en").returncode == 0
    opened = superset_pages.open_dashboard(signed_in, server.url, "branch-en", len(dashboard.charts))
    assert opened.errors == []


def test_an_import_twice_changes_nothing(server: Server, bank: Settings) -> None:
    before = _counts(admin_of(server))
    done = import_into(server, bank, "--branch-roles")
    assert done.returncode == 0, done.stderr
    assert _counts(admin_of(server)) == before
    assert before["dashboard"] == len(DASHBOARDS) * len(LANGUAGES)


def test_a_branch_user_sees_only_his_branch(server: Server, bank: Settings) -> None:
    with open_warehouse(bank, read_only=True) as wh:
        rows = wh.query(
            "select branch_id, count(*) as count_scored from marts.fct_churn_scores"
            " where branch_id is not null group by branch_id order by count(*) desc, branch_id"
        ).to_pylist()
    assert len(rows) > 1, "a bank of one branch would prove nothing"
    branch = rows[0]["branch_id"]
    superset = admin_of(server)
    _make_clerk(superset, role_name(branch))
    datasets = {
        f"{row['schema']}.{row['table_name']}": row["id"] for row in superset.pages("/api/v1/dataset/")
    }
    clerk = Superset(server.url, CLERK, CLERK_PASSWORD)

    seen = _query(clerk, datasets["marts.fct_churn_scores"], ["branch_id"])
    assert seen == [{"branch_id": branch, "rows": rows[0]["count_scored"]}]
    everyone = _query(superset, datasets["marts.fct_churn_scores"], ["branch_id"])
    assert len(everyone) > len(seen), "the administrator sees all branches"
    for dataset in ("marts.dim_customers", "marts.fct_customer_tiers"):
        assert {row["branch_id"] for row in _query(clerk, datasets[dataset], ["branch_id"])} == {branch}
    for closed in (
        "marts.fct_customer_rfm",
        "marts.fct_churn_reason_codes",
        "marts.fct_kpis",
        "ops.test_results",
    ):
        with pytest.raises(SupersetError, match="403"):
            _query(clerk, datasets[closed], [])


def test_superset_reads_the_bank_as_a_role_that_may_not_write(server: Server, bank: Settings) -> None:
    superset = admin_of(server)
    [database] = superset.pages("/api/v1/database/")
    found = superset.get(f"/api/v1/database/{database['id']}/connection")["result"]
    assert "keepwell_bi_reader" in json.dumps(found)
    assert READER_PASSWORD not in json.dumps(found)
    with pytest.raises(SupersetError, match=r"permission denied|not allowed|DML"):
        superset.post(
            "/api/v1/sqllab/execute/",
            {"database_id": database["id"], "sql": "select * from restricted.customers", "runAsync": False},
        )


def test_what_stops_an_import_is_said(server: Server, bank: Settings, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not the password")
    refused = import_into(Server(server.url, wrong, server.log), bank)
    assert (refused.returncode, "does not know this user or password" in refused.stderr) == (1, True)
    away = import_into(Server("http://127.0.0.1:9", wrong, server.log), bank)
    assert (away.returncode, "no Superset answers at http://127.0.0.1:9" in away.stderr) == (75, True)


def _charts_of(superset: Superset, slug: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = superset.get(f"/api/v1/dashboard/{slug}/charts")["result"]
    return found


def _counts(superset: Superset) -> dict[str, int]:
    kinds = ("database", "dataset", "chart", "dashboard", "rowlevelsecurity", "security/roles")
    return {kind: len(superset.pages(f"/api/v1/{kind}/")) for kind in kinds}


def _make_clerk(superset: Superset, role: str) -> None:
    roles = {row["name"]: row["id"] for row in superset.pages("/api/v1/security/roles/")}
    superset.post(
        "/api/v1/security/users/",
        {
            "username": CLERK, "first_name": "A", "last_name": "Clerk", "email": "clerk@localhost",
            "active": True,
            "password": CLERK_PASSWORD, "roles": [roles["Gamma"], roles[role]],
        },
    )  # fmt: skip


def _query(superset: Superset, dataset: int, columns: list[str]) -> list[dict[str, Any]]:
    """Rows by some columns, through the API that charts use."""
    rows = {"expressionType": "SQL", "sqlExpression": "count(*)", "label": "rows"}
    answer = superset.post(
        "/api/v1/chart/data",
        {
            "datasource": {"id": dataset, "type": "table"},
            "queries": [{"columns": columns, "metrics": [rows], "row_limit": 1000}],
            "result_format": "json",
        },
    )
    found: list[dict[str, Any]] = answer["result"][0]["data"]
    return found
