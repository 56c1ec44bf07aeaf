"""The page of runs in a real Chromium: plots are drawn, nothing overflows or is asked of the network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dashboards.history import read_runs_and_publications
from dashboards.history_page import render
from dashboards.language import LANGUAGES, Language
from tests.browser import Tab
from tests.dashboards.planted_runs import plant_many, plant_runs
from tests.dashboards.test_dashboards_browser import DRAWN, PICTURES, distinct_lines
from warehouse import Settings, open_warehouse, schema

# Marks of the bank of ten runs: six days and kinds; three gates and five models in three runs.
MARKS = {"timeline": 6, "build_seconds": 9, "model_seconds": 15}
BANKS = ("few", "many")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """The page of a bank of ten runs and of one of four hundred, a file a language."""
    folder = tmp_path_factory.mktemp("history")
    written = {}
    for bank in BANKS:
        settings = Settings(home=folder / bank, target="duckdb")
        with open_warehouse(settings) as wh:
            schema.init(wh)
        plant_runs(settings) if bank == "few" else plant_many(settings, count=400)
        with open_warehouse(settings, read_only=True) as wh:
            found = read_runs_and_publications(wh)
        for code in LANGUAGES:
            out = written[bank, code] = folder / f"{bank}-{code}.html"
            out.write_text(render(found, Language(code), report="report.html"), encoding="utf-8")
    return written


@pytest.mark.parametrize("bank", BANKS)
@pytest.mark.parametrize("code", LANGUAGES)
def test_every_plot_is_drawn_and_nothing_overflows(
    pages: dict[tuple[str, str], Path], tab: Tab, bank: str, code: str
) -> None:
    page = pages[bank, code]
    for width in (1280, 390):
        tab.resize(width, 900)
        tab.open(page.as_uri())
        figures = {figure["name"]: figure for figure in tab.ask(DRAWN)}
        assert set(figures) == set(MARKS)
        for figure in figures.values():
            assert figure["cut"] == [], figure
            assert figure["overlapping"] == [], figure
            assert figure["titles"] == figure["marks"] >= 6, figure
            assert figure["width"] > 250, figure
            assert figure["label"], figure
            assert figure["caption"].strip(), figure
        if bank == "few":
            assert {name: figures[name]["marks"] for name in MARKS} == MARKS
        assert tab.ask("document.documentElement.scrollWidth") <= width
    asked = {request["request"]["url"] for request in tab.named("Network.requestWillBeSent")}
    assert {url for url in asked if not url.startswith("data:")} == {page.as_uri()}
    assert tab.named("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded") == []
    assert tab.ask("[...document.querySelectorAll('a')].map(link => link.getAttribute('href'))") == [
        "report.html"
    ]


def test_every_chinese_letter_has_a_glyph(pages: dict[tuple[str, str], Path], tab: Tab) -> None:
    tab.open(pages["few", "zh"].as_uri())
    letters = tab.ask("[...new Set(document.body.textContent.match(/[\\u4e00-\\u9fff]/g))].join('')")
    assert len(letters) > 100
    if tab.ask(f"{PICTURES}('客户价值')") == 1:
        pytest.skip("no font with Chinese letters is installed: `make browser` installs one where it can")
    assert tab.ask(f"{PICTURES}({json.dumps(letters)})") == len(letters)


def test_findings_open_and_the_window_follows_the_dark(pages: dict[tuple[str, str], Path], tab: Tab) -> None:
    tab.resize(1280, 900)
    tab.open(pages["few", "en"].as_uri())
    seen = "document.querySelector('details li').checkVisibility()"
    assert tab.ask(seen) is False
    tab.ask("(document.querySelector('details summary').click(), true)")
    assert tab.ask(seen) is True
    backgrounds = set()
    for scheme in ("light", "dark"):
        tab.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        assert distinct_lines(tab.screenshot()) > 100
        backgrounds.add(tab.ask("getComputedStyle(document.body).backgroundColor"))
    assert len(backgrounds) == 2
