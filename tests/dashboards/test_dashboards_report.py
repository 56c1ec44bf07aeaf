"""The report and the summary say what was published, the same every time, and nothing about a customer."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dashboards.__main__ import main
from dashboards.published import gains_of, read
from warehouse import Settings, open_warehouse

Plant = Callable[..., None]
FIGURES = {
    "Pyramid of customers by value tier",
    "Bars of the annualised churn rate by value tier with the plan's rates",
    "Heat map of customers by recency and frequency score",
    "Bars of customers by RFM segment",
    "Histogram of churn probabilities by risk band",
    "Cumulative gains curve",
    "Lift of the riskiest customers",
    "Bars of rejected rows by entity and reason",
}
OF_SCORES = {
    "Histogram of churn probabilities by risk band",
    "Cumulative gains curve",
    "Lift of the riskiest customers",
}


class Page(HTMLParser):
    """Text, addresses and labels of figures of an HTML page; AssertionError where tags do not match."""

    VOID = ("meta", "link", "br", "img", "input", "hr")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.addresses, self.figures, self._open = "", [], set(), []  # type: ignore[var-annotated]
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        self.addresses += [named[name] for name in ("src", "href", "xlink:href", "action") if named.get(name)]
        if tag == "figure":
            self.figures.add(named["aria-label"])
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.text += data + " "

    def says(self) -> str:
        return re.sub(r"\s+", " ", self.text)


@pytest.fixture
def published(settings: Settings, plant: Plant, monkeypatch: pytest.MonkeyPatch) -> Settings:
    plant(settings)
    return found_through_environment(settings, monkeypatch)


@pytest.fixture
def on_duckdb(duckdb_settings: Settings, plant: Plant, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The same on one engine, for what does not depend on it."""
    plant(duckdb_settings)
    return found_through_environment(duckdb_settings, monkeypatch)


@pytest.fixture
def too_young(settings: Settings, plant: Plant, monkeypatch: pytest.MonkeyPatch) -> Settings:
    plant(settings, with_scores=False)
    return found_through_environment(settings, monkeypatch)


def found_through_environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    return settings


def report(folder: Path) -> str:
    out = folder / "of" / "report.html"
    assert main(["report", "--out", str(out)]) == 0
    assert [path.name for path in out.parent.iterdir()] == ["report.html"]
    return out.read_text(encoding="utf-8")


def test_the_report_shows_every_part_with_the_published_numbers(published: Settings, tmp_path: Path) -> None:
    html = report(tmp_path)
    page = Page(html)
    assert page.figures == FIGURES
    assert len(html.encode()) < 3_000_000
    for words in (
        "Demo bank (synthetic): customers, tiers and churn",
        "as of 2026-10-31",
        "run run_20261031_01",
        "publication 1",
        "Deposits at the end of the day 存款余额 48.3 m CNY",
        "target 5.0 % ✗ missed",
        "target 90.0 % ✓ met",
        "Customers who acted within 90 days 活跃客户占比 n/a",
        "Low value 低价值 576 60.0 %",  # of the 960 with an open account
        "Mid value 中价值 6.1 % 5.0 %",
        "Inactive 无交易客户 48 n/a",
        "hist gradient boosting, trained on 20,000 observations with 1,200 churners",
        "Lift of the top decile 4.330",
        "10.0 % 43.3 % 12.5 % 4.33",
        "transactions: conflicting duplicate",
        "facts dbt 61 61 0 0",
        "newest booking is recent raw.transactions 1 of 1 rows: 12",
        "Deliveries, the newest twelve of 15",
    ):
        assert words in page.says(), words


def test_the_report_is_the_same_every_time_and_on_both_engines(
    duckdb_settings: Settings,
    postgres_settings: Settings,
    plant: Plant,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    pages = []
    for settings in (duckdb_settings, duckdb_settings, postgres_settings):
        if not pages or settings is postgres_settings:
            plant(settings)
        found_through_environment(settings, monkeypatch)
        pages.append(report(tmp_path))
    assert pages[0] == pages[1]
    assert pages[0] == pages[2]


def test_the_report_asks_the_network_for_nothing_and_names_no_customer(
    on_duckdb: Settings, tmp_path: Path
) -> None:
    html = report(tmp_path)
    assert [address for address in Page(html).addresses if not address.startswith(("#", "data:"))] == []
    assert re.findall(r"url\((?!#)[^)]*\)|@import|<script|<iframe", html) == []
    assert set(re.findall(r"https?://[^\"'\s]+", html)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "CUST-" not in html
    assert "SECRET" not in html


def test_ids_are_unique_and_every_reference_has_its_target(on_duckdb: Settings, tmp_path: Path) -> None:
    html = report(tmp_path)
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert sorted(ids) == sorted(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= set(ids)


def test_without_scores_the_report_and_the_summary_say_why(
    too_young: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Page(report(tmp_path))
    assert page.figures == FIGURES - OF_SCORES
    assert "No churn scores in this publication. The bank is too young" in page.says()
    assert "first outcome is known on 2027-03-31" in page.says()
    assert "churn scores none" in page.says()
    capsys.readouterr()
    assert main(["summary"]) == 0
    assert "no churn scores. The bank is too young" in capsys.readouterr().out


@pytest.mark.parametrize(
    "metrics",
    [None, "", "{", "[]", '{"test": 7}', '{"test": {"gains": null}}', '{"test": {"gains": [{"share": 1}]}}'],
)
def test_gains_that_cannot_be_read_are_no_gains(metrics: str | None) -> None:
    assert gains_of({"metrics": metrics}) == []
    assert gains_of(None) == []


def test_gains_without_a_baseline_are_still_gains() -> None:
    metrics = '{"test": {"gains": [{"share": 0.1, "captured": 0.4, "lift": 4}]}}'
    assert gains_of({"metrics": metrics}) == [
        {"share": 0.1, "captured": 0.4, "lift": 4.0, "captured_by_tier": None}
    ]


def test_without_gains_the_other_plots_stand(on_duckdb: Settings, tmp_path: Path) -> None:
    with open_warehouse(on_duckdb) as wh:
        wh.execute("update ops.training_runs set metrics = null")
    assert Page(report(tmp_path)).figures == FIGURES - {
        "Cumulative gains curve",
        "Lift of the riskiest customers",
    }


def test_the_summary_prints_tiers_segments_lift_rejected_rows_and_the_publication(
    published: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["summary"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for line in (
        "High value 高价值 96 10.0 % 2.4 % 31 m",
        "All 合计 960 100.0 % 7.1 % 48.3 m",
        "Inactive 无交易客户 48",
        "Top decile: lift 4.33 out of time (AUC 0.812)",
        "transactions 123 90 orphan, 33 conflicting duplicate",
        "Published: no. 1, run run_20261031_01, as of 2026-10-31, scores scored",
    ):
        assert line in lines, lines


def test_the_publication_is_the_newest_daily_one_that_stands(published: Settings) -> None:
    other = {"backfill": ("daily", "2026-09-30", "null"), "past": ("bootstrap", "2026-11-30", "null"),
             "taken back": ("daily", "2026-11-30", "published_at")}  # fmt: skip
    with open_warehouse(published) as wh:
        for number, (kind, day, withdrawn_at) in enumerate(other.values(), start=2):
            wh.execute(
                f"insert into ops.publications select {number}, 'run_x', '{kind}', date '{day}', 'scored',"
                f" null, 1, published_at, {withdrawn_at}, null from ops.publications where publication_no = 1"
            )
        assert read(wh).publication["publication_no"] == 1


def test_before_the_first_day_the_summary_shows_the_newest_month_end_of_history(
    published: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["summary", "--history"]) == 2
    assert "nothing is published" in capsys.readouterr().err
    with open_warehouse(published) as wh:
        wh.execute("update ops.publications set kind = 'bootstrap', scores_status = 'none'")
        wh.execute("delete from archive.fct_churn_scores")
        for mart in wh.query(
            "select table_name as name from information_schema.tables where table_schema = 'marts'"
        )["name"].to_pylist():
            wh.execute(f"drop view marts.{mart}")
    assert main(["summary"]) == 2
    capsys.readouterr()
    assert main(["summary", "--history"]) == 0
    shown = capsys.readouterr().out
    assert "High" in shown
    assert "as one that builds past month-ends is" in " ".join(shown.split())


@pytest.mark.parametrize("command", [["summary"], ["report", "--out", "report.html"]])
def test_nothing_published_is_one_clear_message(
    settings: Settings,
    command: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    found_through_environment(settings, monkeypatch)
    assert main(command) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "nothing is published in this warehouse yet" in output.err
    assert len(output.err.splitlines()) == 1
    assert not (tmp_path / "report.html").exists()


def test_a_place_that_cannot_be_written_is_one_clear_message(
    on_duckdb: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["report", "--out", str(tmp_path / "file" / "report.html")]) == 2
    assert "cannot write" in capsys.readouterr().err
