"""dbt's documentation of a warehouse: one page that a browser opens offline, without the bank's secrets."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from keepwell import docs
from keepwell.docs import DocsError, write_docs
from tests.browser import Tab
from warehouse import Settings, open_warehouse
from warehouse.settings import PROJECT_ROOT

RUN = "run_20261031_01"
SECRET = "told-to-nobody-7d1f"
PATIENCE_S = 60


@pytest.fixture
def published(settings: Settings) -> Settings:
    """A warehouse whose readers see a run that has one mart, of a type that the catalogue tells."""
    columns = pa.schema(
        [("as_of_date", pa.date32()), ("kpi_code", pa.string()), ("planted_column", pa.int32())]
    )
    with open_warehouse(settings) as wh:
        wh.execute(f"create schema {RUN}")
        wh.create_table(f"{RUN}.fct_kpis", columns)
        wh.execute(
            f"""
            insert into ops.publications (
                publication_no, run_id, kind, as_of_date, scores_status, rows_published, published_at
            )
            values (1, '{RUN}', 'daily', date '2026-10-31', 'none', 1, timestamp '2026-11-01 00:00:00')
            """
        )
    return settings


def test_the_page_opens_with_lineage_columns_and_the_catalogue_and_tells_no_secret(
    published: Settings, tab: Tab
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "keepwell", "docs"],
        cwd=PROJECT_ROOT,
        env={
            **os.environ,
            **published.environment(),
            "DBT_ENV_CUSTOM_ENV_TOKEN": SECRET,
            "OTHER_TOKEN": SECRET,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    page = published.bank_home / "docs" / "index.html"
    assert done.stdout == f"{page}\n"
    assert [path.name for path in page.parent.iterdir()] == ["index.html"]
    text = page.read_text(encoding="utf-8")
    assert SECRET not in text
    # Only the catalogue of this warehouse knows of it.
    assert "planted_column" in text

    tab.resize(1280, 900)
    tab.open(f"{page.as_uri()}#!/model/model.keepwell.fct_kpis")
    said = wait_for(tab, "document.body.innerText", "planted_column")
    assert "kpi_value" in said
    assert "One row per" in said
    # Lineage: what the model stands on is listed, and the graph's canvases wait to be opened.
    assert "depends on" in said.lower()
    assert tab.ask("document.querySelectorAll('canvas').length") >= 1
    asked = {request["request"]["url"] for request in tab.named("Network.requestWillBeSent")}
    assert not [url for url in asked if url.startswith(("http:", "https:"))]
    assert tab.named("Runtime.exceptionThrown") == []


def wait_for(tab: Tab, expression: str, words: str) -> str:
    """The value of an expression once it has the words: the page draws itself."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = str(tab.ask(expression))
        if words in found:
            return found
        assert time.monotonic() < deadline, f"{words!r} was not shown: {found[:2000]}"
        time.sleep(0.3)


@pytest.fixture
def fake_dbt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dbt that writes as its page what stands in a file, and fails where there is none."""
    program, page = tmp_path / "dbt", tmp_path / "page"
    program.write_text(
        f"""#!{sys.executable}
import pathlib, shutil, sys
target = pathlib.Path(sys.argv[sys.argv.index("--target-path") + 1])
shutil.copy({str(page)!r}, target / "static_index.html")
"""
    )
    program.chmod(0o755)
    monkeypatch.setattr(docs, "_DBT", str(program))
    return page


def test_a_page_with_the_password_is_not_kept(
    duckdb_settings: Settings, fake_dbt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = duckdb_settings.bank_home / "docs" / "index.html"
    monkeypatch.setattr(docs, "dbt_environment", lambda _: {"KEEPWELL_PG_PASSWORD": SECRET})
    fake_dbt.write_text("harmless")
    assert write_docs(duckdb_settings) == page
    fake_dbt.write_text(f"a model with {SECRET} in it")
    with pytest.raises(DocsError, match="password") as raised:
        write_docs(duckdb_settings)
    assert SECRET not in str(raised.value)
    assert page.read_text() == "harmless"
    assert [path.name for path in page.parent.iterdir()] == ["index.html"]


def test_a_failure_of_dbt_names_the_log_and_keeps_the_old_page(
    duckdb_settings: Settings, fake_dbt: Path
) -> None:
    fake_dbt.write_text("the old page")
    page = write_docs(duckdb_settings)
    fake_dbt.unlink()
    with pytest.raises(DocsError, match=str(duckdb_settings.logs_dir / "docs.log")):
        write_docs(duckdb_settings)
    assert "FileNotFoundError" in (duckdb_settings.logs_dir / "docs.log").read_text()
    assert page.read_text() == "the old page"
