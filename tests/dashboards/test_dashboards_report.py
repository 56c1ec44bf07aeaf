"""The report and the summary say what was published, the same every time, and nothing about a customer."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from dashboards.__main__ import main
from dashboards.language import Language
from dashboards.plots.customer import steps
from dashboards.published import gains_of, read
from dashboards.reading import Reader
from dashboards.scoring import MOST_CUSTOMERS
from dashboards.tiering import read_tiering
from tests.dashboards.pages import Page
from tests.dashboards.planted import MARTS, customers
from tests.dashboards.planted_churn import month_ends
from tests.dashboards.planted_tiers import AS_OF, LIVELY, POORER, TIER_MARTS
from warehouse import Settings, open_warehouse
from warehouse.settings import PROJECT_ROOT

Plant = Callable[..., None]
FIGURES = {
    "value_tiers", "churn", "pyramid_personal", "pyramid_small_business", "migration", "moved_share",
    "flip_back_rate", "history", "lorenz", "rfm", "segments", "scores", "gains", "lift", "rejected",
    "churn_months", "churn_tiers", "churn_index", "churn_reasons", "churn_destinations", "risk_index",
    "risk_points", "risk_bands", "reasons", "loss", "waterfall", "index_points", "model_auc", "model_empc",
    "groups_auc", "groups_tpr", "drift", "matured_auc", "matured_calibration_slope", "fairness",
}  # fmt: skip
# Those that need scores, or the training and the monitoring of a model.
OF_SCORES = {
    "scores", "gains", "lift", "risk_bands", "reasons", "loss", "waterfall", "index_points", "model_auc",
    "model_empc", "groups_auc", "groups_tpr", "drift", "matured_auc", "matured_calibration_slope", "fairness",
}  # fmt: skip


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


def report(folder: Path, *options: str) -> str:
    out = folder / "of" / "report.html"
    assert main(["report", "--out", str(out), *options]) == 0
    assert [path.name for path in out.parent.iterdir()] == ["report.html"]
    return out.read_text(encoding="utf-8")


def named_in(html: str, section: str) -> set[str]:
    """Customers whom a section names."""
    found = re.search(rf'<section id="{section}">.*?</section>', html, flags=re.S)
    assert found is not None, section
    return set(re.findall(r"CUST-\d+", found[0]))


def listed() -> list[str]:
    """Planted customers by expected loss, the greatest first."""
    rows = [row for row in customers() if row["expected_loss_amount"]]
    rows.sort(key=lambda row: (-row["expected_loss_amount"], -row["churn_probability"], row["customer_id"]))
    return [row["customer_id"] for row in rows]


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
        "Deposits at the end of the day 48.3 m CNY",
        "target 5.0 % ✗ missed",
        "target 90.0 % ✓ met",
        "Customers who acted within 90 days n/a",
        # Of the 840 persons with an open account; beside them 120 small businesses, without a plan here.
        "Personal customers High value 72 8.6 % 20.0 % 400 k 5.04 m 2.4 % 2.0 % 93.0 % 85.0 % 2.50 62.0 %",
        "Small businesses High value 24 20.0 % n/a 400 k 1.65 m 2.4 % n/a 93.0 % 85.0 % 2.50 62.0 %",
        "All 120 100.0 % 8.82 m 12.8 % 13.0 % n/a 85.0 % n/a",
        "Potential 216 25.7 % 16.1 m 25 k n/a",
        "stood in the value tiers on 2025-10-31, and where they stand on 2026-10-31, a year later",
        "Mid value 12 240 25 15 292 82.2 %",
        "Reactivated 0 0 6 0 6",
        "Pyramid 12.10 % 3.50 % 60.5 % 3.5 % 0.070",
        # What follows the day has nothing to compare with; the order of the schemes is that of the report.
        "Savings grade 5.00 % 5.0 % 0.100 Risk appetite 2.00 % 2.0 % 0.040 Loyalty class 4.40 % 1.90 %",
        "Lifecycle stage 6.00 % 6.0 % 0.120 RFM segment 9.00 % 9.0 % 0.180",
        "From High value Mid value Low value Account closed All Stayed",
        "silent and drained customers stay in their tier",
        "the better the tier or the bolder the risk appetite",
        "The tiers that customer CUST-00149 held",
        "Value tier Mid value 2025-03-31 2026-01-31",
        "Risk appetite Growth 2026-03-31 held now",
        "Held by the top 20 % 76.0 % 62.0 %",
        "Customers who hold 80 % 10.0 % 22.0 %",
        "Gini 0.710 0.580",
        "Inactive 48 n/a",
        "gradient-boosted trees, trained on 20,000 observations with 1,200 churners",
        "Lift of the top decile 4.330",
        "10.0 % 43.3 % 12.5 % 4.33",
        "transactions: conflicting duplicate",
        "facts dbt 61 61 0 0",
        "newest booking is recent raw.transactions 1 of 1 rows: 12",
        "Deliveries, the newest 12 of 15",
    ):
        assert words in page.says(), words


def test_the_report_speaks_chinese(
    on_duckdb: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    english = report(tmp_path)
    asked = report(tmp_path, "--lang", "zh")
    monkeypatch.setenv("REPORT_LANG", "zh")
    assert report(tmp_path) == asked
    assert report(tmp_path, "--lang", "en") == english
    assert '<html lang="zh-Hans">' in asked
    assert '<html lang="en">' in english
    page = Page(asked)
    assert page.figures == FIGURES
    for words in (
        "演示银行（模拟数据）：客户、分层与流失",
        "存款余额 4,830万 CNY",
        "目标 5.0% ✗ 未达标",
        "个人客户 高价值 72 8.6% 20.0% 40万 504万 2.4% 2.0% 93.0% 85.0% 2.50 62.0%",
        "全部有效客户在 2025-10-31 与 2026-10-31 所处的价值等级，两者相隔一年。",
        "重新激活 0 0 6 0 6",
        "客户金字塔 12.10% 3.50% 60.5% 3.5% 0.070",
        "生命周期阶段 6.00% 6.0% 0.120 RFM 细分 9.00% 9.0% 0.180",
        "高价值 中价值 低价值 已销户 合计",
        "风险偏好 成长 2026-03-31 至今",
        "基尼系数 0.710 0.580",
        "重要价值客户 233",
        "交易：内容冲突的重复",
        "数据交付（共 15 批，显示最新 12 批）",
    ):
        assert words in page.says(), words
    # Each page keeps to its language; names of programs, tests and the bank's own codes stay as they are.
    assert re.findall(r"[\u4e00-\u9fff]", english) == []
    shown = re.sub(r"<style>.*?</style>|<[^>]*lang=\"en\"[^>]*>[^<]*<|<[^>]*>", " ", asked, flags=re.S)
    assert set(re.findall(r"[A-Za-z]{3,}", shown)) <= {
        "Keepwell", "marts", "history", "ops", "demo", "run", "CNY", "VIP", "RFM", "AUC", "Brier", "CUST",
        "churn", "dbt", "raw", "transactions", "EMPC", "MPC", "PSI", "feature",
    }  # fmt: skip


@pytest.mark.parametrize("how", ["option", "environment"])
def test_another_language_is_one_clear_message(
    how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if how == "environment":
        monkeypatch.setenv("REPORT_LANG", "fr")
    option = ["--lang", "fr"] if how == "option" else []
    assert main(["report", "--out", str(tmp_path / "report.html"), *option]) == 2
    assert "speaks en or zh, not 'fr'" in capsys.readouterr().err


def test_the_history_shown_is_of_the_liveliest_or_of_the_one_asked_for(
    published: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # As many moves, but poorer; as rich, but fewer moves: neither is shown unless asked for.
    assert named_in(report(tmp_path), "history") == {LIVELY}
    assert named_in(report(tmp_path, "--customer", POORER), "history") == {POORER}
    with open_warehouse(published) as wh:
        wh.execute(f"delete from history.customer_tier_spells where customer_id = '{LIVELY}'")
    assert named_in(report(tmp_path), "history") == {POORER}
    capsys.readouterr()
    assert main(["report", "--out", str(tmp_path / "x.html"), "--customer", "CUST-X"]) == 2
    assert "no tier history of customer CUST-X is known" in capsys.readouterr().err


def test_the_history_ends_where_the_publication_does(on_duckdb: Settings) -> None:
    with open_warehouse(on_duckdb) as wh:
        spells = read_tiering(Reader(wh, "marts", dt.date(2026, 1, 15)), LIVELY).spells
    assert [row["tier"] for row in spells if row["scheme"] == "value_tier"] == ["low", "mid"]
    assert [row["ended_on"] for row in spells if row["scheme"] == "value_tier"] == [
        dt.date(2025, 3, 31),
        None,
    ]


@pytest.mark.parametrize(
    ("mart", "lost"),
    [
        (
            "fct_tier_summary",
            {
                "value_tiers",
                "churn",
                "pyramid_personal",
                "pyramid_small_business",
                "migration",
                "history",
                "churn_tiers",
                "loss",
            },
        ),
        ("fct_customer_asset_tiers", {"history"}),
        ("fct_customer_tiers", {"history", "loss", "waterfall", "index_points"}),
        ("fct_tier_migration", {"migration"}),
        ("fct_tier_mobility", {"moved_share", "flip_back_rate"}),
        ("fct_value_concentration", {"lorenz"}),
        ("fct_value_lorenz", {"lorenz"}),
        ("customer_tier_spells", {"history"}),
        (
            "fct_churn_rates",
            {"churn_months", "churn_tiers", "churn_index", "churn_reasons", "churn_destinations"},
        ),
        ("fct_churn_reasons", {"churn_months", "churn_reasons", "churn_destinations"}),
        ("fct_customer_risk_index", {"risk_index", "risk_points", "risk_bands", "index_points"}),
        ("fct_churn_reason_codes", {"reasons"}),
        ("fct_score_fairness", {"fairness"}),
        ("fct_action_fairness", set()),
    ],
)
def test_a_mart_that_an_older_publication_lacks_costs_its_figures_only(
    mart: str,
    lost: set[str],
    duckdb_settings: Settings,
    plant: Plant,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    plant(duckdb_settings, without=[mart])
    found_through_environment(duckdb_settings, monkeypatch)
    page = Page(report(tmp_path))
    assert page.figures == FIGURES - lost
    assert ("No tier summary in this publication" in page.says()) == (mart == "fct_tier_summary")
    assert ("before churn was rated by spells" in page.says()) == (mart == "fct_churn_rates")
    assert main(["summary"]) == 0


def test_without_any_mart_of_tiers_the_report_is_that_of_the_others(
    duckdb_settings: Settings, plant: Plant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plant(duckdb_settings, without=[*TIER_MARTS, "customer_tier_spells"])
    found_through_environment(duckdb_settings, monkeypatch)
    of_tiers = {
        "value_tiers", "churn", "pyramid_personal", "pyramid_small_business", "migration", "moved_share",
        "flip_back_rate", "history", "lorenz", "churn_tiers", "loss", "waterfall", "index_points",
    }  # fmt: skip
    assert Page(report(tmp_path)).figures == FIGURES - of_tiers


def test_a_tier_that_the_policy_no_longer_has_is_still_shown(on_duckdb: Settings, tmp_path: Path) -> None:
    with open_warehouse(on_duckdb) as wh:
        wh.execute(
            "update run_20261031_01.fct_tier_migration set from_tier = 'old_gold' where from_tier = 'mid'"
        )
        wh.execute("update history.customer_tier_spells set tier = 'old_gold' where tier = 'mid'")
    page = Page(report(tmp_path))
    assert page.figures == FIGURES
    assert "old gold 12 240 25" in page.says()


def test_assets_unknown_for_one_customer_are_unknown_for_the_tier(
    on_duckdb: Settings, tmp_path: Path
) -> None:
    """One of 72 amounts is null, one row of 24 is missing; who has left counts for nothing."""
    known = "Personal customers High value 72 8.6 % 20.0 % 400 k 5.04 m"
    assert known in Page(report(tmp_path)).says()
    mart = "run_20261031_01.fct_customer_asset_tiers"
    some = """(
        select {which}(customer_id) from run_20261031_01.fct_customer_tiers
        where value_tier = 'high' and customer_kind = '{kind}' and is_open = {is_open}
    )"""
    with open_warehouse(on_duckdb) as wh:
        closed = some.format(which="max", kind="personal", is_open="false")
        wh.execute(f"update {mart} set metric_amount = null where customer_id = {closed}")
    assert known in Page(report(tmp_path)).says()
    with open_warehouse(on_duckdb) as wh:
        one = some.format(which="max", kind="personal", is_open="true")
        other = some.format(which="min", kind="small_business", is_open="true")
        wh.execute(f"update {mart} set metric_amount = null where customer_id = {one}")
        wh.execute(f"delete from {mart} where customer_id = {other}")
    page = Page(report(tmp_path)).says()
    assert "Personal customers High value 72 8.6 % 20.0 % 400 k n/a 2.4 %" in page
    assert "Small businesses High value 24 20.0 % n/a 400 k n/a 2.4 %" in page
    assert re.search(r"All 840 100\.0 % n/a", page)
    assert re.search(r"All 120 100\.0 % n/a", page)


def test_shares_of_the_flow_are_of_the_stock_of_each_day(on_duckdb: Settings, tmp_path: Path) -> None:
    """On the left 944 customers with an open account, on the right 960; who is not among them is a number."""
    figure = re.search(r'data-figure="migration".*?</figure>', report(tmp_path), flags=re.S)
    assert figure is not None
    labels = [re.sub(r"\s", " ", text) for text in re.findall(r">([^<>]+)</text>", figure[0])]
    assert {"92 · 9.7 %", "292 · 30.9 %", "560 · 59.3 %", "87", "6"} <= set(labels)
    assert {"95 · 9.9 %", "287 · 29.9 %", "578 · 60.2 %", "77"} <= set(labels)


def test_without_churn_rates_the_report_says_so(on_duckdb: Settings, tmp_path: Path) -> None:
    with open_warehouse(on_duckdb) as wh:
        wh.execute("update run_20261031_01.fct_tier_summary set churn_rate_annualised = null")
    page = Page(report(tmp_path))
    assert page.figures == FIGURES - {"churn"}
    assert (
        "No churn rate yet. The bank's data does not cover a whole period before 2026-10-31." in page.says()
    )


def test_a_bank_without_a_positive_value_has_no_curve_of_it(on_duckdb: Settings, tmp_path: Path) -> None:
    with open_warehouse(on_duckdb) as wh:
        wh.execute("update run_20261031_01.fct_value_lorenz set share_value = null where basis = 'profit'")
        wh.execute(
            "update run_20261031_01.fct_value_concentration set gini = null, top_20_share = null,"
            " share_customers_80 = null where basis = 'profit'"
        )
    page = Page(report(tmp_path))
    assert page.figures == FIGURES
    assert "Gini n/a 0.580" in page.says()


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


def test_the_report_asks_the_network_for_nothing_and_names_few_customers_by_id(
    on_duckdb: Settings, tmp_path: Path
) -> None:
    html = report(tmp_path)
    assert [address for address in Page(html).addresses if not address.startswith(("#", "data:"))] == []
    assert re.findall(r"url\((?!#)[^)]*\)|@import|<script|<iframe", html) == []
    assert set(re.findall(r"https?://[^\"'\s]+", html)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert named_in(html, "at-stake") == set(listed()[:MOST_CUSTOMERS])
    assert named_in(html, "customer") == set(listed()[:1])
    assert set(re.findall(r"CUST-\d+", html)) == {LIVELY, *listed()[:MOST_CUSTOMERS]}
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
    assert Page(report(tmp_path)).figures == FIGURES - {"gains", "lift"}


def test_the_summary_prints_tiers_segments_lift_rejected_rows_and_the_publication(
    published: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["summary"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for line in (
        "High value 72 8.6 % 2.4 % 5.04 m",
        "VIP 24 2.9 % 2.4 % 1.68 m",
        "All customers: 960 with an open account, churn 7.1 % a year",
        "Inactive 48",
        "Churn: 72 of 900 since 2025-10-31, 8.0 % a year (4.0 % of deposits)",
        "Top decile: lift 4.33 out of time (AUC 0.812)",
        "High risk: 422 customers, expected loss 708 k CNY",
        "Monitoring: 2 of 27 checks of 2026-10-31 alert: Calibration slope, Drift of",
        "transactions 123 90 orphan, 33 conflicting duplicate",
        "Published: no. 1, run run_20261031_01, as of 2026-10-31, scores scored",
    ):
        assert line in lines, lines


def test_the_summary_speaks_chinese(
    on_duckdb: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REPORT_LANG", "zh")
    assert main(["summary"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for line in (
        "高价值 72 8.6% 2.4% 504万",
        "无交易客户 48",
        "交易 123 找不到上级记录 90，内容冲突的重复 33",
    ):
        assert line in lines, lines


def test_the_publication_is_the_newest_daily_one_that_stands(published: Settings) -> None:
    other = {"backfill": ("daily", "2026-09-30", "null"), "past": ("bootstrap", "2026-11-30", "null"),
             "taken back": ("daily", "2026-11-30", "published_at")}  # fmt: skip
    with open_warehouse(published) as wh:
        for number, (kind, day, withdrawn_at) in enumerate(other.values(), start=2):
            wh.execute(
                "insert into ops.publications (publication_no, run_id, kind, as_of_date, scores_status,"
                " rows_published, published_at, withdrawn_at)"
                f" select {number}, 'run_x', '{kind}', date '{day}', 'scored',"
                f" 1, published_at, {withdrawn_at} from ops.publications where publication_no = 1"
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


def test_the_sections_of_churn_and_risk_say_the_published_numbers(
    published: Settings, tmp_path: Path
) -> None:
    page = Page(report(tmp_path)).says()
    for words in (
        # Churn: the longest period, by form; forms that do not count beside; the plan only where it is.
        "in no spell of churn on 2025-10-31, and who of them began one by 2026-10-31",
        "All forms that count 72 8.0 % 66 6",
        "Accounts closed 20 2.2 % 14 6",
        "Card stopped 9 1.0 % 9 0",
        "High value 90 1 1.1 % 0.6 % 2.0 %",
        "All 900 72 8.0 % 4.0 %",
        # The group of 90 and the unknown one are not told, whatever their index.
        "Index to the bank Asset tier: Mass 130 30 23.1 % 2.88 Tenure: under 1 year 120 24 20.0 % 2.50",
        "Product families: 4 or more 100 2 2.0 % 0.25",
        "Not known 38 52.8 % own 380 k Better rate elsewhere 23 31.9 % own 230 k",
        "Death 4 5.6 % passive n/a",
        "it is known of 38.9 %",
        # Early warning.
        "E Very risky 300 30.0 % 85.0",
        "High risk Medium risk Low risk All Mean probability A Very safe 125 55 120 300 25.1 %",
        # Reasons and money.
        "High risk 422 708 k 16.2 m",
        "The profit of 11 scored customers is unknown",
        "CUST-00353 Mid value 95.3 % 5.94 k Card is hardly used; Balance is falling; Holds few products",
        "Customer CUST-00353: probability of churn 95.3 % (High risk), expected loss 5.94 k CNY",
        "Competitors pay better rates +0.07 Offer a rate",
        "Risk index 6.1, grade A (Very safe)",
        # Quality of the model.
        "AUC 0.812 (0.792 to 0.832) 0.641 (0.621 to 0.661) 0.702 (0.682 to 0.722)",
        "Calibration slope 1.040 (1.020 to 1.060) 0.900 (0.880 to 0.920) n/a",
        "Value tier: High value 400 28 7.0 % 0.790 1.010 10.0 % 55.0 % 6.0 %",
        "Protected groups: reported, never learned from Age: 18 to 24 400 28 7.0 % 0.780",
        # Monitoring.
        "What the monitoring of 2026-10-31 found of model churn-20260930",
        "Calibration slope alert 1 0 0 Drift of features alert 1 0 19 Customers scored unknown 0 1 0",
        "Drift of features feature_00 0.300 0.270 feature_00 has moved",
        # Fairness.
        "Sex: female 420 7.1 % 14.3 % 0.71",
        "Sex: female Offer a rate 420 10.0 % 0.50",
        "Needs adapted service 176 20 176 77",
    ):
        assert words in page, words
    # Another training of the day, an older monitoring.
    assert "stranger" not in page
    assert "feature_of_old" not in page


def test_the_customer_asked_for_is_shown_with_score_and_index(on_duckdb: Settings, tmp_path: Path) -> None:
    html = report(tmp_path, "--customer", POORER)
    assert named_in(html, "customer") == {POORER}
    assert POORER not in listed()[:MOST_CUSTOMERS]
    with open_warehouse(on_duckdb) as wh:
        wh.execute(f"delete from run_20261031_01.fct_churn_scores where customer_id = '{POORER}'")
        wh.execute(f"delete from run_20261031_01.fct_churn_reason_codes where customer_id = '{POORER}'")
    page = Page(report(tmp_path, "--customer", POORER))
    assert page.figures == FIGURES - {"waterfall"}
    assert f"Customer {POORER} has no score in this publication" in page.says()


def test_the_steps_to_a_score_add_up_to_it(on_duckdb: Settings) -> None:
    with open_warehouse(on_duckdb) as wh:
        customer = read(wh, LIVELY).scoring.customer
    assert customer is not None
    assert customer.score is not None
    first, *between, last = steps(customer, customer.score, Language("en"))
    assert [row["what"] for row in between] == [row["reason_en"] for row in customer.reasons]
    assert len(between) == 5
    assert first["to"] + sum(row["contribution"] for row in customer.reasons) == pytest.approx(last["from"])
    assert 1 / (1 + math.exp(-last["to"])) == pytest.approx(customer.score["churn_probability"])


@pytest.mark.parametrize(
    ("change", "lost", "words"),
    [
        ("delete from run_20261031_01.fct_churn_rates",
         {"churn_months", "churn_tiers", "churn_index", "churn_reasons", "churn_destinations"},
         "No churn rate yet. The bank's data does not cover a whole period before 2026-10-31."),
        ("delete from history.fct_churn_rates", {"churn_months"}, "No months to show."),
        ("delete from run_20261031_01.fct_churn_reasons", {"churn_reasons", "churn_destinations"},
         "Nobody churned in this period."),
        ("update run_20261031_01.fct_churn_reasons set destination = 'unknown'", {"churn_destinations"},
         "Nobody said where to."),
        ("update run_20261031_01.fct_churn_rates set index_to_bank = null", {"churn_index"},
         "No group of at least 100 customers churns more or less than the bank."),
        ("update run_20261031_01.fct_churn_scores set expected_loss_amount = null",
         {"loss", "waterfall", "index_points"}, "No customer has an expected loss."),
        ("delete from run_20261031_01.fct_customer_risk_index",
         {"risk_index", "risk_points", "risk_bands", "index_points"}, "No risk index in this publication."),
        ("delete from ops.model_metrics", {"model_auc", "model_empc", "groups_auc", "groups_tpr"},
         "No figures of a model."),
        ("update ops.model_metrics set metric_value = null, low_value = null, high_value = null",
         {"model_auc", "model_empc", "groups_auc", "groups_tpr"}, "AUC n/a n/a n/a"),
        ("delete from ops.model_monitoring", {"drift", "matured_auc", "matured_calibration_slope"},
         "No monitoring yet."),
        ("update ops.model_monitoring set status = 'unknown', check_value = null",
         {"drift", "matured_auc", "matured_calibration_slope"},
         "No score has a known outcome yet, or too few churned to judge by."),
        ("delete from run_20261031_01.fct_score_fairness", {"fairness"}, "No groups to compare."),
        ("update run_20261031_01.fct_score_fairness set selection_ratio = null", {"fairness"}, "No ratios."),
    ],
)  # fmt: skip
def test_what_has_nothing_to_show_says_why(
    change: str, lost: set[str], words: str, on_duckdb: Settings, tmp_path: Path
) -> None:
    with open_warehouse(on_duckdb) as wh:
        wh.execute(change)
    page = Page(report(tmp_path))
    assert page.figures == FIGURES - lost
    assert words in page.says()
    assert main(["summary"]) == 0


def test_a_day_monitored_twice_is_told_once(on_duckdb: Settings) -> None:
    with open_warehouse(on_duckdb) as wh:
        wh.execute(
            "insert into ops.model_monitoring select 'run_20261031_03', as_of_date, model_version,"
            " check_name, subject, reference_value, check_value + 0.1, threshold_value, 'ok', message,"
            " monitored_at + interval '1' hour from ops.model_monitoring where run_id = 'run_20261031_02'"
        )
        found = read(wh).monitoring
    assert found.alerts() == []
    of_day = [row for row in found.matured if (row["check_name"], row["as_of_date"]) == ("auc", AS_OF)]
    assert [row["check_value"] for row in of_day] == [pytest.approx(0.906)]


def test_months_are_month_ends_up_to_the_day(on_duckdb: Settings) -> None:
    with open_warehouse(on_duckdb) as wh:
        for day in ("2026-10-15", "2026-11-30"):
            wh.execute(
                "insert into history.fct_churn_rates by name"
                f" select * replace (date '{day}' as as_of_date) from history.fct_churn_rates"
                " where as_of_date = '2026-10-31'"
            )
        months = read(wh).churn.months
    assert [row["as_of_date"] for row in months] == month_ends()


def test_planted_marts_have_columns_of_their_contracts() -> None:
    """What is planted here would hide a column that a mart has lost or never had."""
    contracts: dict[str, set[str]] = {}
    for path in (PROJECT_ROOT / "dbt_project" / "models" / "marts").rglob("*models.yml"):
        for model in yaml.safe_load(path.read_text(encoding="utf-8"))["models"]:
            contracts[model["name"]] = {column["name"] for column in model["columns"]}
    assert len(MARTS) > 15
    for mart, columns in MARTS.items():
        assert set(columns) - contracts[mart] == set(), mart
