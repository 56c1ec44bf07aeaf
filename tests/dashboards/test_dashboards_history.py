"""The page of runs says what stands in `ops`, for whoever may read it, and nothing of a customer."""

from __future__ import annotations

import datetime as dt
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from dashboards.__main__ import main
from dashboards.history import FULL_DAYS, History, read_runs_and_publications
from dashboards.history_page import render
from dashboards.language import LANGUAGES, Language
from tests.dashboards.pages import Page
from tests.dashboards.planted import plant_bank
from tests.dashboards.planted_runs import SECRETS, plant_many, plant_runs
from warehouse import Settings, Warehouse, open_warehouse
from warehouse.roles import GRANTED

DAILY_FIGURES = {"timeline", "build_seconds", "model_seconds"}


@pytest.fixture
def planted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    plant_runs(settings)
    return found_through_environment(settings, monkeypatch)


def found_through_environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    return settings


def page_of(folder: Path, *options: str) -> str:
    out = folder / "of" / "history.html"
    assert main(["history", "--out", str(out), *options]) == 0
    return out.read_text(encoding="utf-8")


def history_of(settings: Settings) -> History:
    with open_warehouse(settings, read_only=True) as wh:
        return read_runs_and_publications(wh)


def section(html: str, name: str) -> str:
    """What a section says."""
    found = re.search(rf'<section id="{name}">.*?</section>', html, flags=re.S)
    assert found is not None, name
    return Page(found[0]).says()


def test_the_page_tells_every_part_with_the_figures_of_the_tables(planted: Settings, tmp_path: Path) -> None:
    html = page_of(tmp_path)
    page = Page(html)
    assert page.figures == DAILY_FIGURES
    assert page.addresses == ["data:,"]
    said = page.says()
    for words in (
        "Demo bank (synthetic): runs and publications",
        "up to 2026-11-20 in full from 2026-09-22",
        # Publication 4 is of a newer day and was withdrawn: since then readers see publication 3 again.
        "Readers see the bank as of 2026-11-17 run_20261117_01",
        "Since 2026-11-20 08:15 since a newer publication was withdrawn",
        "Published by scheduled publication 3",
        "Runs in 60 days 7 2 failed",
        "Deliveries in 60 days 3 1 refused",
        "Alerts of freshness and volume 2 2026-11-20 07:00",
        "Runs, 7 of 10",
        "run_20261119_02 Daily 2026-11-19 2026-11-20 02:00 No test of this run failed",
        "error , facts: fct customer activity daily run_20261119_01.dim_customers · Database Error",
        "and 18 more, in ops.test_results",
        "run_20261119_01 Daily 2026-11-19 2026-11-20 00:10 failed "
        "arrival 50 ✓ facts 59 ✓ 1 ! 2 ✗ marts 0 ✓ 25 ✗",
        "run_20261118_03 Replay 2026-11-18 2026-11-19 04:00 dropped no gate recorded",
        "run_20261118_02 Training 2026-11-18 2026-11-19 03:00 monitored",
        "run_20261118_01 Daily 2026-11-18 2026-11-19 00:10 withdrawn no gate "
        "recorded scores: too young: a reason",
        "published arrival 49 ✓ 1 ! facts 61 ✓ marts 58 ✓ scores 0 ✓ 1 not passed",
        "warn , arrival: newest booking is recent",
        "4 2026-11-18 run_20261118_01 Daily 2026-11-19 00:42 li.na 1,000,004 "
        "too young withdrawn 2026-11-20 08:15",
        "3 2026-11-17 run_20261117_01 Daily 2026-11-18 00:41 scheduled 1,000,003 "
        "churn-20260731 readers see it",
        "2 2026-11-16 run_20261116_01 Daily 2026-11-17 00:40 scheduled 1,000,002 churn-20260731 in history",
        "3 2026-11-19 2026-11-19 00:05 refused 1,100 0 301 0 0 transactions.csv: 300 of 1,000 rows rejected "
        "(30.0 %; 2.0 % are allowed) transactions: orphan: 300",
        "2 2026-11-18 2026-11-18 00:05 loaded 1,200 1,150 20 25 5",
        "Age of the publication all alert since 2026-11-20 06:00 1 d 0 d one day behind",
        "Rejected share all alert since 2026-11-20 07:00 30.0 % 1.0 % 300 of 1000 rows",
        "Rows delivered products unknown too few deliveries",
        "Age of the delivery accounts in order 0.29 d 1.50 d 7 hours old",
        "in the newest whole runs (Daily: 3)",
        # 4.5 times what the first run took; the two before took once and twice that.
        "fct_customer_activity_daily 45.00 51.3 % 15.00 3.00",
        "policy_tiers seed 2.25 2.6 % 0.75 3.00",
        "2026-11-01 01:30 2026-10-31 run_20261031_09 too few churners n/a n/a",
        "run_20260731_02 promoted churn-20260731 hist gradient boosting 20,000 1,200 0.812 4.33 1.04",
        "2026-11-20 08:15 wang.wei roll back run_20261118_01 marts.* show run_20261117_01",
        "2026-11-20 09:00 li.na erase 2026-11-20 08:15",
        "2026-08 3 1 3 1 0 1 0 899,000 600",
    ):  # fmt: skip
        assert re.sub(r"\s", " ", words.replace("\u202f", " ")) in said.replace("\u202f", " "), words
    # The failed run took 99 s for one model and was not built to its end.
    assert "99.00" not in said
    assert "customers.csv" not in said
    assert "before the full days" not in said


def test_it_says_the_same_of_the_same_tables_and_nothing_of_a_customer(
    planted: Settings, tmp_path: Path
) -> None:
    for lang in LANGUAGES:
        first, second = page_of(tmp_path, "--lang", lang), page_of(tmp_path, "--lang", lang)
        assert first == second
        for secret in SECRETS:
            assert secret not in first


def test_every_run_publication_and_delivery_of_the_full_days_is_told_with_its_counts(
    planted: Settings, tmp_path: Path
) -> None:
    html = page_of(tmp_path)
    since = dt.datetime(2026, 11, 20) - dt.timedelta(days=FULL_DAYS - 1)
    with open_warehouse(planted, read_only=True) as wh:
        runs = wh.query(
            "select run_id from ops.runs where started_at >= $1 order by started_at desc", [since]
        )
        rows = wh.query(
            "select publication_no from ops.publications where published_at >= $1"
            " order by publication_no desc", [since]
        )  # fmt: skip
        batches = wh.query(
            "select batch_no from ops.batches where loaded_at >= $1 order by batch_no desc", [since]
        )
    table = re.search(r'<table id="run-table">.*?</table>', html, flags=re.S)
    assert table is not None
    assert re.findall(r'<th scope="row">(run_\w+)', table[0]) == runs["run_id"].to_pylist()
    numbers = re.findall(r'<tr><td class="number">(\d+)</td><td class="day">', html)
    assert [int(number) for number in numbers] == rows["publication_no"].to_pylist()
    deliveries = re.search(r'<section id="deliveries">.*?</section>', html, flags=re.S)
    assert deliveries is not None
    shown = re.findall(r'<th scope="row">(\d+)</th>', deliveries[0])
    assert [int(number) for number in shown] == batches["batch_no"].to_pylist()


def test_an_empty_warehouse_has_a_page_that_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found_through_environment(settings, monkeypatch)
    for lang, words in (
        ("en", "Nothing has happened in this warehouse yet"),
        ("zh", "本数据仓库尚无任何记录"),
    ):
        page = Page(page_of(tmp_path, "--lang", lang))
        assert words in page.says()
        assert page.figures == set()
        assert "None" not in page.says()


def test_a_warehouse_made_before_lacks_what_it_did_not_record(planted: Settings, tmp_path: Path) -> None:
    with open_warehouse(planted) as wh:
        for table in ("build_results", "health_checks", "audit_log", "model_monitoring"):
            wh.execute(f"drop table ops.{table}")
        with wh.transaction():
            wh.replace_views({"ops.standing_snapshots": None, "ops.covering_runs": None})
        wh.execute("alter table ops.publications drop column published_by")
        wh.execute("alter table ops.batches drop column rows_erased")
    html = page_of(tmp_path)
    said = Page(html).says()
    assert Page(html).figures == {"timeline"}
    assert "Published by not recorded publication 3" in said
    assert "Nothing was watched yet" in said
    assert "No build times are recorded" in said
    assert 'id="audit"' not in html
    assert "run_20261118_02 Training 2026-11-18 2026-11-19 03:00 opened" in said


def test_a_reader_of_bi_sees_all_but_the_audit_log(postgres_settings: Settings) -> None:
    plant_runs(postgres_settings)
    role = f"history_reader_{os.getpid()}"
    with open_warehouse(postgres_settings) as wh:
        wh.execute(f"create role {role}")
        try:
            wh.execute(f"grant usage on schema ops to {role}")
            for privileges, tables in GRANTED["bi_reader"]:
                wh.execute(f"grant {privileges} on {', '.join(tables)} to {role}")
            found = read_as(wh, role)
            wh.execute(f"revoke all (batch_id, entity, reason_code) on ops.rejected_rows from {role}")
            without_reasons = read_as(wh, role)
            wh.execute(f"revoke all on ops.runs, ops.publications from {role}")
            without_runs = read_as(wh, role)
        finally:
            wh.execute(f"drop owned by {role}")
            wh.execute(f"drop role {role}")
        everything = read_runs_and_publications(wh)
    assert everything.audit
    assert found == replace(everything, audit=None)
    html = render(found, Language("en"))
    assert 'id="audit"' not in html
    assert "li.na" in section(html, "publications")
    refused = next(row for row in without_reasons.deliveries if row["status"] == "refused")
    assert (len(refused["faults"]), refused["reasons"]) == (1, [])
    assert (without_runs.runs, without_runs.shown) == ([], None)
    assert "No run in these days" in section(render(without_runs, Language("en")), "runs")


def read_as(wh: Warehouse, role: str) -> History:
    """The history as another role of the server may read it."""
    wh.execute(f"set role {role}")
    try:
        return read_runs_and_publications(wh)
    finally:
        wh.execute("reset role")


def test_a_restarted_day_without_withdrawal_is_shown_since_it_was_published(
    duckdb_settings: Settings,
) -> None:
    plant_runs(duckdb_settings)
    with open_warehouse(duckdb_settings) as wh:
        wh.execute("update ops.publications set withdrawn_at = null where publication_no = 4")
    shown = history_of(duckdb_settings).shown
    assert shown is not None
    assert (shown["publication_no"], shown["shown_since"], shown["after_withdrawal"]) == (
        4, dt.datetime(2026, 11, 19, 0, 42), False,
    )  # fmt: skip


def test_a_published_bank_tells_who_published_and_links_to_its_report(
    duckdb_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KEEPWELL_ACTOR", "zhang.san")
    plant_bank(duckdb_settings)
    found_through_environment(duckdb_settings, monkeypatch)
    html = page_of(tmp_path)
    assert "Published by zhang.san publication 1" in Page(html).says()
    assert Page(html).addresses == ["data:,"]
    report = tmp_path / "of" / "report.html"
    assert main(["report", "--out", str(report)]) == 0
    assert "history.html" in Page(report.read_text(encoding="utf-8")).addresses
    assert "report.html" in Page(page_of(tmp_path)).addresses


def test_a_year_and_more_of_runs_is_a_light_page(duckdb_settings: Settings) -> None:
    plant_many(duckdb_settings, count=400)
    found = history_of(duckdb_settings)
    assert len(found.runs) == FULL_DAYS
    assert found.count_runs == 400
    assert sum(month["runs"] for month in found.months) == 400 - FULL_DAYS
    assert [month["month"] for month in found.months] == sorted(
        (month["month"] for month in found.months), reverse=True
    )
    assert found.builds is not None
    assert len(found.builds.runs) == 30
    html = render(found, Language("en"))
    assert len(html.encode()) < 400_000
