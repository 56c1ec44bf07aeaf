"""The model card: what it says is what the metadata say, in words a validator asks for, and in a browser."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from rich.progress import Progress

from ml.churn import card
from ml.churn.__main__ import main
from ml.churn.fit import train
from ml.churn.frame import panel_frame
from ml.churn.params import Candidate, Params
from ml.churn.registry import Registry
from ml.churn.train import run_training
from tests.browser import Tab

VERSION = "churn_20261031_0a1b2c3d"


@pytest.fixture(scope="module")
def quick(params: Params) -> Params:
    """Two simple candidates, few draws."""
    candidates = tuple(
        Candidate(one.name, {name: values[:1] for name, values in one.grid.items()})
        for one in params.candidates
        if one.name in ("logistic", "decision_tree")
    )
    return replace(params, candidates=candidates, evaluation=replace(params.evaluation, draws=60))


@pytest.fixture(scope="module")
def panel_table(make_panel: Any) -> pa.Table:
    """The synthetic panel with the groups and the index that figures are given for beside features."""
    table = make_panel(customers=900)
    rng = np.random.default_rng(2)
    silence = table["days_since_last_activity"].fill_null(20).to_numpy()
    index = np.clip(50 + 2 * (silence - 20) + 10 * rng.normal(size=len(table)), 0, 100)
    ages = rng.choice(["18-29", "60+", "<odd>"], len(table), p=[0.5, 0.495, 0.005])
    sexes = rng.choice(["female", "male"], len(table))
    for name, values in (("sex", sexes), ("age_band", ages), ("risk_index_score", index)):
        table = table.append_column(name, pa.array(values))
    return table


@pytest.fixture(scope="module")
def metadata(panel_table: pa.Table, quick: Params) -> dict[str, Any]:
    """What a training writes down."""
    mature = panel_table.filter(pc.equal(panel_table["label_status"], "mature"))
    beside = ["sex", "age_band", "risk_index_score"]
    panel = panel_frame(mature, quick.features, beside, "panel")
    found = train(panel, quick, Progress(disable=True))[1]
    named = {"model_version": VERSION, "as_of_date": "2026-10-31", "git_commit": "f" * 40}
    kept: dict[str, Any] = json.loads(json.dumps(found | named))
    return kept


def at(metadata: dict[str, Any], path: str) -> Any:
    """The figure at a path such as test.gains.0.lift."""
    found: Any = metadata["metrics"]
    while path:
        if isinstance(found, list):
            step, _, path = path.partition(".")
            found = found[int(step)]
            continue
        # Names of groups may have points in them: the longest name that fits.
        step = max((name for name in found if path == name or path.startswith(f"{name}.")), key=len)
        found, path = found[step], path[len(step) + 1 :]
    return found


def read(shown: str) -> float | None:
    """A number as the page writes it."""
    if shown == "–":
        return None
    number = float(shown.replace(",", "").removesuffix(" %"))
    return number / 100 if shown.endswith(" %") else number


def test_the_same_metadata_give_the_same_page(metadata: dict[str, Any]) -> None:
    assert card.write(metadata) == card.write(copy.deepcopy(metadata))


def test_values_of_the_bank_are_text_and_never_markup(metadata: dict[str, Any]) -> None:
    page = card.write(metadata)
    assert "&lt;odd&gt;" in page
    assert "<odd>" not in page


def test_the_browser_shows_the_figures_of_the_metadata(
    metadata: dict[str, Any], tmp_path: Path, tab: Tab
) -> None:
    file = tmp_path / "card.html"
    card.place(metadata, file)
    tab.resize(1280, 900)
    tab.open(file.as_uri())
    shown = tab.ask(
        "[...document.querySelectorAll('[data-figure]')].map(e => [e.dataset.figure, e.textContent])"
    )
    paths = [path for path, _ in shown]
    for needed in (
        "test.auc", "tier_rate_baseline.empc", "leads.risk_index_baseline.empc.value",
        "segments.sex.female.tpr", "capacity.realised_profit", "test.gains.0.lift", "choice.tried.0.empc",
    ):  # fmt: skip
        assert needed in paths
    for path, text in shown:
        truth, seen = at(metadata, path), read(text)
        if truth is None:
            assert seen is None, path
        else:
            # Four places and three by group; whole numbers of money; per cents with one place.
            places = 0.5 if "," in text or re.fullmatch(r"-?\d+", text) else 0.00051
            assert seen == pytest.approx(truth, abs=places), path
    ranges = tab.ask(
        "[...document.querySelectorAll('#table-figures small')]"
        ".map(small => [small.previousElementSibling.dataset.figure, small.textContent])"
    )
    assert len(ranges) > 30
    known = metadata["metrics"]["intervals"]["parts"]
    for path, text in ranges:
        part, _, name = path.partition(".")
        between = known[part][name] if part in known else None
        if between:
            assert [read(one) for one in text.split(" to ")] == pytest.approx(between, abs=0.00051), path


def test_the_browser_draws_every_plot_and_asks_nothing_of_anybody(
    metadata: dict[str, Any], tmp_path: Path, tab: Tab
) -> None:
    file = tmp_path / "card.html"
    card.place(metadata, file)
    tab.resize(1280, 900)
    tab.open(file.as_uri())
    plots = tab.ask(
        "[...document.querySelectorAll('figure')].map(f => [f.dataset.plot,"
        " f.querySelectorAll('.mark title').length, f.querySelector('svg').getBoundingClientRect().width,"
        " new Set([...f.querySelectorAll('.mark')].map(m => getComputedStyle(m).fill)).size])"
    )
    # Eleven points a line, and a point a decile.
    assert [plot[:2] for plot in plots] == [["roc", 33], ["gains", 33], ["calibration", 10], ["profit", 33]]
    assert [plot[3] for plot in plots] == [3, 3, 1, 3]
    assert min(plot[2] for plot in plots) > 300
    assert tab.ask("[...document.querySelectorAll('figure text')].every(t => t.textContent.length > 0)")
    assert tab.ask("document.querySelectorAll('script, link, img, iframe').length") == 0
    asked = {request["request"]["url"] for request in tab.named("Network.requestWillBeSent")}
    assert {url for url in asked if not url.startswith("data:")} == {file.as_uri()}
    assert tab.named("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded") == []
    for width in (1280, 390):
        tab.resize(width, 900)
        assert tab.ask("document.documentElement.scrollWidth") <= width
    inks = set()
    for scheme in ("light", "dark"):
        tab.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        inks.add(tab.ask("getComputedStyle(document.querySelector('[data-plot=roc] text')).fill"))
        assert tab.ask("getComputedStyle(document.body).backgroundColor") not in inks
    assert len(inks) == 2


def test_every_feature_has_its_place_in_the_catalogue(metadata: dict[str, Any]) -> None:
    rows = {row["name"]: row for row in card.feature_rows(metadata)}
    assert list(rows) == [feature["name"] for feature in metadata["features"]]
    assert rows["days_since_last_activity"]["verdict"] == "as expected"
    assert rows["value_tier"]["verdict"] == rows["max_days_past_due_180d"]["verdict"] == "none"
    turned = copy.deepcopy(metadata)
    next(one for one in turned["features"] if one["name"] == "days_since_last_activity")["sign"] = -1
    against = {row["name"] for row in card.feature_rows(turned) if row["verdict"] == "against"}
    assert "days_since_last_activity" in against
    assert any("days_since_last_activity" in sentence for sentence in card.limits(turned))


def changed(metadata: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The metadata with another value at a path of metrics."""
    other = copy.deepcopy(metadata)
    *folders, name = path.split(".")
    place = other["metrics"]
    for folder in folders:
        place = place[folder]
    place[name] = value
    return other


@pytest.mark.parametrize(
    ("path", "good", "bad", "words"),
    [
        ("intervals.parts.test.calibration_slope", [0.9, 1.1], [0.7, 0.9], "calibration slope"),
        ("intervals.parts.test.calibration_intercept", [-0.1, 0.1], [0.1, 0.3], "calibration intercept"),
        ("leads.risk_index_baseline.empc.low", 0.1, -0.1, "lead over risk index"),
        ("intervals.segments.sex.female.auc", [0.5, 0.99], [0.5, 0.6], "sex female are ranked worse"),
        ("intervals.segments.sex.female", {"auc": [0.5, 0.99]}, {}, "sex female"),
        ("choice.count_time_folds", 3, 1, "folds over time"),
        ("choice.count_folds", 3, 0, "no folds"),
        (
            "sample",
            {"share_of_customers": 1.0},
            {"share_of_customers": 0.4, "rows_mature": 9},
            "sample of 40",
        ),
        ("capacity.customers", 5, 0, "pays for nobody"),
    ],
)
def test_a_limit_is_told_where_it_is_one(
    metadata: dict[str, Any], path: str, good: Any, bad: Any, words: str
) -> None:
    metadata = changed(metadata, "choice.count_folds", 3)
    metadata = changed(metadata, "choice.count_time_folds", 3)
    assert not any(words in sentence for sentence in card.limits(changed(metadata, path, good)))
    assert any(words in sentence for sentence in card.limits(changed(metadata, path, bad)))


def test_a_card_needs_no_more_than_a_test(metadata: dict[str, Any]) -> None:
    # What a data scientist's own table gives, or a version of before: fewer figures, no dates, no groups.
    bare = {
        "chosen_model": "logistic",
        "settings": {},
        "features": [{"name": "x", "kind": "amount"}],
        "metrics": {"test": metadata["metrics"]["test"]},
    }
    page = card.write(bare)
    assert f"{metadata['metrics']['test']['auc']:.4f}" in page
    assert "<figure" not in page
    nothing = dict.fromkeys(metadata["metrics"]["test"]) | {"rows": 3, "churners": 0, "churn_rate": 0.0}
    assert "–" in card.write(bare | {"metrics": {"test": nothing}})


def test_a_table_of_ones_own_is_told_with_what_was_done_to_it(metadata: dict[str, Any]) -> None:
    own = {name: value for name, value in metadata.items() if name not in ("windows", "as_of_date")}
    own |= {"table": "mine.csv", "remarks": ["opened_on is not learned from: a date"]}
    own["metrics"] = own["metrics"] | {"candidates": {"logistic": metadata["metrics"]["test"]}}
    own["evaluated_on"] = {"train": {"rows": 5, "churners": 1}, "test": {"rows": 4, "churners": 1}}
    page = card.write(own)
    for words in ("mine.csv", "opened_on is not learned from", "held out", "Each kind on the test"):
        assert words in page
    assert "Out of time:" not in page
    assert "Rows have no dates" in page
    assert "folds over time" not in page
    assert "Rows have no dates" not in card.write(metadata)
    assert card.span(["2026-01-31", "2026-02-28"]) == "2026-01-31, 2026-02-28"
    assert card.span([f"2026-01-0{day}" for day in range(1, 6)]) == "5 days, 2026-01-01 to 2026-01-05"


def test_a_training_leaves_its_card_and_its_figures(
    bank: Any, panel_table: pa.Table, quick: Params, progress: Progress, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    run_id = bank.add_run("run_20261031_01", "training", churn_panel=panel_table)
    outcome = run_training(bank.settings, quick, run_id, progress)
    registry = Registry(bank.settings.models_dir)
    folder = registry.root / outcome.model_version
    kept = (folder / card.CARD).read_text(encoding="utf-8")
    assert card.CARD in registry.metadata(outcome.model_version)["files"]
    shown = bank.settings.report_dir / f"model_{outcome.model_version}.html"
    assert shown.read_text(encoding="utf-8") == kept
    assert "git_commit" in registry.metadata(outcome.model_version)
    rows = bank.rows(
        "select part, dimension, member, metric_value, low_value from ops.model_metrics where metric = 'auc'"
    )
    assert {row["part"] for row in rows} == {"test", "tier_rate_baseline", "risk_index_baseline"} | {
        f"over_{name}" for name in ("tier_rate_baseline", "risk_index_baseline")
    }
    whole = next(row for row in rows if row["part"] == "test" and row["dimension"] == "all")
    assert whole["metric_value"] == registry.metadata(outcome.model_version)["metrics"]["test"]["auc"]
    assert {row["dimension"] for row in rows} == {"all", "value_tier", "customer_kind", "sex", "age_band"}
    for name, value in bank.settings.environment().items():
        monkeypatch.setenv(name, value)
    out = tmp_path / "new" / "card.html"
    assert main(["card", "--model", outcome.model_version, "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8") == kept
    assert main(["card", "--model", "churn_20200101_00000000", "--out", str(out)]) == 2
