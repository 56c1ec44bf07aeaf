"""The command lines on both engines: train, score, list, and what they say when they cannot."""

import datetime as dt
import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from rich.progress import Progress

from ml.churn import evaluate
from ml.churn.__main__ import main
from ml.churn.fit import train
from ml.churn.frame import feature_frame, panel_frame
from ml.churn.params import Feature, Sample
from ml.churn.pipeline import probabilities
from ml.churn.registry import Promotion, Registry
from ml.churn.runs import get_run
from ml.churn.train import name_version, promote_if_better, read_panel
from warehouse import Settings, open_warehouse

AS_OF = dt.date(2026, 10, 31)
TRAIN, SCORE = "run_20261031_01", "run_20261031_02"


@pytest.fixture
def run_main(monkeypatch, capsys, quick):
    """Run a command line in this process on the warehouse of the settings: exit code, stdout, stderr."""
    monkeypatch.setattr("ml.churn.__main__.load_params", lambda: quick)

    def run(settings: Settings, *arguments: str) -> tuple[int, str, str]:
        for name, value in settings.environment().items():
            monkeypatch.setenv(name, value)
        code = main(list(arguments))
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture(scope="session")
def panel(make_panel):
    return make_panel(customers=500)


@pytest.fixture
def features(make_features):
    return make_features()


@pytest.fixture(scope="session")
def trained_models(tmp_path_factory, params, panel):
    """A registry with one champion, trained as of AS_OF by the pure functions."""
    registry = Registry(tmp_path_factory.mktemp("registry"))
    table = panel.filter(pc.equal(panel["label_status"], "mature"))
    rows = panel_frame(table, params.features, [], "panel")
    simple = replace(params, candidates=params.candidates[:1])
    version = name_version(AS_OF, rows, simple)
    registry.save(version, *train(rows, simple, Progress(disable=True)))
    registry.promote(Promotion(version, AS_OF, "the first model"))
    return registry.root


@pytest.fixture
def with_champion(trained_models):
    """Give a bank the champion of `trained_models`."""

    def give(settings: Settings) -> None:
        shutil.copytree(trained_models, settings.models_dir)

    return give


def scores_of(bank, run_id):
    rows = bank.rows(
        f"select as_of_date, customer_id, churn_probability, model_version from {run_id}.raw_churn_scores"
    )
    return sorted(rows, key=lambda row: row["customer_id"])


def test_both_engines_train_the_same_model_and_give_the_same_scores(
    duckdb_settings, postgres_settings, make_bank, run_main, panel, features
):
    found = {}
    for settings in (duckdb_settings, postgres_settings):
        bank = make_bank(settings)
        # Rows arrive in no order.
        bank.add_run(TRAIN, "training", churn_panel=panel.take(list(range(panel.num_rows))[::-1]))
        bank.add_run(SCORE, "daily", fct_customer_features=features)
        code, out, err = run_main(settings, "train", "--run", TRAIN)
        assert (code, err) == (0, "")
        assert "promoted (the first model)" in out
        code, out, err = run_main(settings, "score", "--run", SCORE)
        assert (code, err) == (0, "")
        eligible = features.filter(features["is_eligible"])
        assert out.startswith(f"{eligible.num_rows} customers scored by churn_20261031_")
        found[settings.target] = scores_of(bank, SCORE)

        # Again: nothing is fitted, nothing changes.
        files = {file: file.stat().st_mtime_ns for file in settings.models_dir.rglob("*.*")}
        assert run_main(settings, "train", "--run", TRAIN)[0] == 0
        assert run_main(settings, "score", "--run", SCORE)[0] == 0
        assert {file: file.stat().st_mtime_ns for file in settings.models_dir.rglob("*.*")} == files
        assert scores_of(bank, SCORE) == found[settings.target]

        training = bank.rows("select * from ops.training_runs")
        assert [(row["run_id"], row["outcome"]) for row in training] == [(TRAIN, "promoted")]
        mature = panel.filter(pc.equal(panel["label_status"], "mature"))
        assert training[0]["rows_trained"] == mature.num_rows
        assert training[0]["churners_trained"] == pc.sum(mature["is_churned"]).as_py()
        assert training[0]["auc"] > 0.7
        assert set(json.loads(training[0]["metrics"])) >= {
            "test", "tier_rate_baseline", "segments", "intervals", "leads", "choice", "sample",
        }  # fmt: skip

        # One shot, in one batch, with the registered model.
        registry = Registry(settings.models_dir)
        version = training[0]["model_version"]
        metadata = registry.metadata(version)
        assert metadata["libraries"]["scikit-learn"]
        assert metadata["windows"] == {"gap_days": 30, "observation_days": 365, "outcome_days": 90}
        assert [row["customer_id"] for row in found[settings.target]] == eligible["customer_id"].to_pylist()
        one_shot = probabilities(
            registry.load(version), feature_frame(eligible, declared(metadata), "features")
        )
        assert [row["churn_probability"] for row in found[settings.target]] == one_shot.tolist()
    assert found["duckdb"] == found["postgres"]


def declared(metadata):
    return [Feature(**entry) for entry in metadata["features"]]


def test_a_challenger_is_compared_on_the_newest_test_and_promoted_or_not(
    duckdb_settings, make_bank, run_main, make_panel, panel
):
    bank = make_bank(duckdb_settings)
    bank.add_run(TRAIN, "training", churn_panel=panel)
    # A month earlier the bank was small: its champion knows little.
    poor = make_panel(customers=150, last=dt.date(2026, 9, 30), seed=11)
    bank.add_run("run_20260930_01", "training", dt.date(2026, 9, 30), churn_panel=poor)
    # A month later the labels that train have become noise, and those of the test are as ever.
    noise = make_panel(customers=500, last=dt.date(2026, 11, 30), seed=13)
    labels = noise["is_churned"].to_pylist()
    days = noise["as_of_date"].to_pylist()
    shifted = [
        label if label is None or day == dt.date(2026, 7, 31) else labels[row - 1] or 0
        for row, (label, day) in enumerate(zip(labels, days, strict=True))
    ]
    noise = noise.set_column(3, "is_churned", pa.array(shifted, pa.int32()))
    bank.add_run("run_20261130_01", "training", dt.date(2026, 11, 30), churn_panel=noise)
    outcomes = {}
    for run_id in ("run_20260930_01", TRAIN, "run_20261130_01"):
        code, out, err = run_main(duckdb_settings, "train", "--run", run_id)
        assert (code, err) == (0, "")
        outcomes[run_id] = out.strip()
    assert "promoted (the first model)" in outcomes["run_20260930_01"]
    assert "promoted (better out of time: EMPC" in outcomes[TRAIN]
    assert "kept_champion (not better out of time" in outcomes["run_20261130_01"]
    standing = Registry(duckdb_settings.models_dir).standing(dt.date(2027, 1, 1))
    # The champion of September scored AS_OF itself.
    assert standing.as_of_date == AS_OF + dt.timedelta(days=1)

    code, out, _ = run_main(duckdb_settings, "models")
    assert code == 0
    assert out.count("churn_202") == 3
    assert out.count("2026-10-31") == 1


def test_what_was_tried_is_recorded_once_and_printed(
    duckdb_settings, make_bank, run_main, panel, monkeypatch, params
):
    few = replace(params, candidates=params.candidates[:2])
    monkeypatch.setattr("ml.churn.__main__.load_params", lambda: few)
    bank = make_bank(duckdb_settings)
    bank.add_run(TRAIN, "training", churn_panel=panel)
    for _ in range(2):
        assert run_main(duckdb_settings, "train", "--run", TRAIN)[0] == 0
    rows = bank.rows("select * from ops.experiments")
    assert sorted((row["candidate"], row["settings"]) for row in rows) == sorted(
        (candidate.name, json.dumps(settings, sort_keys=True))
        for candidate in few.candidates
        for settings in candidate.settings()
    )
    assert {row["count_folds"] for row in rows} == {params.split.choice_folds}
    assert all(0 < row["average_precision"] < 1 and row["auc"] > 0.6 for row in rows)
    chosen = [row for row in rows if row["is_chosen"]]
    training = bank.rows("select * from ops.training_runs")[0]
    assert [row["candidate"] for row in chosen] == [training["chosen_model"]]
    code, out, _ = run_main(duckdb_settings, "experiments")
    assert (code, out.count(TRAIN), out.count("chosen")) == (0, len(rows), 2)
    assert run_main(duckdb_settings, "experiments", "--run", "run_20990101_01")[1].count("\n") == 1


def test_a_feature_that_knows_the_outcome_refuses_the_training(settings, make_bank, run_main, panel):
    bank = make_bank(settings)
    told = pc.cast(panel["is_churned"], pa.float64())
    leaking = panel.set_column(panel.column_names.index("rate_gap"), "rate_gap", told)
    bank.add_run(TRAIN, "training", churn_panel=leaking)
    code, out, err = run_main(settings, "train", "--run", TRAIN)
    assert (code, out) == (1, "")
    assert "knows the outcome: rate_gap (AUC 1.0000)" in err
    row = bank.rows("select outcome, model_version, metrics from ops.training_runs")[0]
    assert (row["outcome"], row["model_version"]) == ("leak", None)
    assert "rate_gap" in json.loads(row["metrics"])["reason"]
    assert Registry(settings.models_dir).versions() == []


def test_an_earlier_champion_scores_again_after_a_rollback(
    duckdb_settings, make_bank, run_main, with_champion, features
):
    bank = make_bank(duckdb_settings)
    with_champion(duckdb_settings)
    registry = Registry(duckdb_settings.models_dir)
    first = registry.versions()[0]
    shutil.copytree(registry.root / first, registry.root / "churn_20261130_challenge")
    registry.promote(Promotion("churn_20261130_challenge", dt.date(2026, 11, 30), "better"))
    bank.add_run(TRAIN, "training", dt.date(2026, 11, 30))
    code, out, err = run_main(
        duckdb_settings,
        "rollback", "--as-of", "2026-12-05", "--reason", "it drifts", "--author", "Ann",
    )  # fmt: skip
    assert (code, out, err) == (0, f"{first} is the champion from 2026-12-05 on (it drifts, Ann)\n", "")
    for day, model_version in ((4, "churn_20261130_challenge"), (5, first)):
        run_id = f"run_202612{day:02d}_01"
        table = features.set_column(0, "as_of_date", pa.array([dt.date(2026, 12, day)] * features.num_rows))
        bank.add_run(run_id, "daily", dt.date(2026, 12, day), fct_customer_features=table)
        assert run_main(duckdb_settings, "score", "--run", run_id)[0] == 0
        assert {row["model_version"] for row in scores_of(bank, run_id)} == {model_version}
    out = run_main(duckdb_settings, "models")[1].splitlines()
    standing = {line.split()[0]: line for line in out[1:]}
    assert " champion " in standing[first]
    assert standing[first].endswith("2026-10-31..2026-11-29, 2026-12-05..")
    assert "former champion" in standing["churn_20261130_challenge"]
    code, _, err = run_main(
        duckdb_settings, "rollback", "--as-of", "2026-11-01", "--reason", "no", "--author", "Ann"
    )
    assert (code, "write the past anew" in err) == (2, True)


def test_a_rollback_far_ahead_is_refused_and_one_to_come_is_told(
    duckdb_settings, make_bank, run_main, with_champion
):
    with_champion(duckdb_settings)
    registry = Registry(duckdb_settings.models_dir)
    first, second = registry.versions()[0], "churn_20261130_challenge"
    shutil.copytree(registry.root / first, registry.root / second)
    registry.promote(Promotion(second, dt.date(2026, 11, 30), "better"))
    why = ("--reason", "it drifts", "--author", "Ann")
    bank = make_bank(duckdb_settings)
    code, _, err = run_main(duckdb_settings, "rollback", "--as-of", "2026-12-05", *why)
    assert (code, "the bank has no run yet" in err) == (2, True)
    bank.add_run(TRAIN, "training", dt.date(2026, 11, 30))
    code, _, err = run_main(duckdb_settings, "rollback", "--as-of", "2027-01-01", *why)
    assert (code, "2027-01-01 lies too far ahead" in err) == (2, True)
    assert [entry.model_version for entry in registry.promotions()] == [first, second]
    assert run_main(duckdb_settings, "rollback", "--as-of", "2026-12-31", *why)[0] == 0
    lines = {line.split()[0]: line for line in run_main(duckdb_settings, "models")[1].splitlines()[1:]}
    assert " champion to come " in lines[first]
    assert " champion  " in lines[second]


def test_a_champion_that_cannot_read_the_panel_is_replaced(trained_models, tmp_path, panel, params):
    registry = Registry(tmp_path / "models")
    shutil.copytree(trained_models, registry.root)
    champion = registry.versions()[0]
    shutil.copytree(registry.root / champion, registry.root / "churn_20261130_challenge")
    metadata = registry.metadata(champion)
    metadata["features"].append({"name": "gone", "kind": "count", "unit": "", "window": None, "sign": 0})
    (registry.root / champion / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    mature = panel.filter(pc.equal(panel["label_status"], "mature"))
    rows = panel_frame(mature, params.features, [], "panel")
    day = dt.date(2026, 11, 30)
    outcome = promote_if_better(registry, "churn_20261130_challenge", day, rows, params)
    assert outcome.outcome == "promoted"
    assert "cannot be compared: the panel misses gone" in outcome.reason
    assert registry.standing(day + dt.timedelta(days=1)).model_version == "churn_20261130_challenge"


def test_without_a_champion_scoring_fails_loudly(settings, make_bank, run_main, features):
    bank = make_bank(settings)
    bank.add_run(SCORE, "daily", fct_customer_features=features)
    make_old_enough(bank)
    code, out, err = run_main(settings, "score", "--run", SCORE)
    assert (code, out) == (2, "")
    assert "NO CHAMPION" in err
    assert "churn_training" in err
    with open_warehouse(settings) as wh:
        assert not wh.exists(f"{SCORE}.raw_churn_scores")


def make_old_enough(bank):
    """Activity since two years before AS_OF."""
    days = pa.array([dt.date(2024, 11, 15), dt.date(2024, 10, 31)], pa.date32())
    bank.add_table("core.fct_customer_activity_daily", pa.table({"activity_date": days}))


def test_a_bank_too_young_gets_an_empty_table_a_note_and_exit_99(settings, make_bank, run_main, features):
    bank = make_bank(settings)
    bank.add_run(SCORE, "daily", fct_customer_features=features)
    for _ in range(2):
        code, out, err = run_main(settings, "score", "--run", SCORE)
        assert (code, out) == (99, "")
        assert "too young: there is no activity yet" in err
        assert scores_of(bank, SCORE) == []
    assert bank.rows("select note from ops.runs")[0]["note"] == "scores: too young: there is no activity yet"


def test_a_training_that_found_too_little_makes_a_bank_too_young(
    duckdb_settings, make_bank, run_main, features
):
    bank = make_bank(duckdb_settings)
    bank.add_run(SCORE, "daily", fct_customer_features=features)
    make_old_enough(bank)
    outcomes = []
    for day, outcome in ((AS_OF + dt.timedelta(days=1), "no_mature_labels"), (AS_OF, "too_few_churners")):
        outcomes.append(run_main(duckdb_settings, "score", "--run", SCORE)[0])
        training = {"run_id": [outcome], "as_of_date": [day], "outcome": [outcome]}
        with open_warehouse(duckdb_settings) as wh:
            wh.append("ops.training_runs", pa.table(training | {"trained_at": [dt.datetime(2026, 11, 1)]}))
    code, _, err = run_main(duckdb_settings, "score", "--run", SCORE)
    # A training of a later day says nothing about this one.
    assert [*outcomes, code] == [2, 2, 99]
    assert "the training of 2026-10-31 found too few churners" in err


def test_a_first_model_below_the_baselines_is_registered_and_scores_nobody(
    duckdb_settings, make_bank, run_main, panel, features, monkeypatch, params
):
    bank = make_bank(duckdb_settings)
    # Tiers that know who will leave: no model has to bring more.
    tier = pc.if_else(pc.equal(panel["is_churned"].fill_null(0), 1), "high", "low")
    known = panel.set_column(panel.column_names.index("value_tier"), "value_tier", tier)
    monkeypatch.setattr("ml.churn.leaks.find_leaks", lambda *_: [])
    blind = replace(params, candidates=params.candidates[:1], features=params.features[:20])
    monkeypatch.setattr("ml.churn.__main__.load_params", lambda: blind)
    assert "value_tier" not in blind.feature_names
    kept = {*blind.feature_names, "value_tier", "customer_kind"}
    unused = [name for name in params.feature_names if name not in kept]
    bank.add_run(TRAIN, "training", churn_panel=known.drop_columns(unused))
    bank.add_run(SCORE, "daily", fct_customer_features=features)
    code, out, _ = run_main(duckdb_settings, "train", "--run", TRAIN)
    assert (code, "below_baseline" in out) == (0, True)
    row = bank.rows("select outcome, metrics from ops.training_runs")[0]
    assert row["outcome"] == "below_baseline"
    assert "of tier_rate_baseline" in json.loads(row["metrics"])["reason"]
    code, _, err = run_main(duckdb_settings, "score", "--run", SCORE)
    assert (code, scores_of(bank, SCORE)) == (99, [])
    assert "found no model above the rates of the value tiers" in err


def test_a_champion_trained_later_does_not_score_a_past_day(
    duckdb_settings, make_bank, run_main, with_champion, make_features
):
    bank = make_bank(duckdb_settings)
    day = dt.date(2026, 10, 30)
    past = make_features(as_of_date=day)
    with_champion(duckdb_settings)
    bank.add_run("run_20261030_01", "daily", day, fct_customer_features=past)
    make_old_enough(bank)
    code, _, err = run_main(duckdb_settings, "score", "--run", "run_20261030_01")
    assert (code, scores_exist(bank, "run_20261030_01")) == (2, False)
    assert "2026-10-31, later than this run" in err


def scores_exist(bank, run_id):
    with open_warehouse(bank.settings) as wh:
        return wh.exists(f"{run_id}.raw_churn_scores")


def test_features_that_are_not_the_models_are_named(settings, make_bank, run_main, with_champion, features):
    bank = make_bank(settings)
    with_champion(settings)
    names = [{"rate_gap": "rate_gaps"}.get(name, name) for name in features.column_names]
    bank.add_run(SCORE, "daily", fct_customer_features=features.rename_columns(names))
    code, _, err = run_main(settings, "score", "--run", SCORE)
    assert code == 2
    assert "misses rate_gap and has undeclared rate_gaps" in err


def test_a_batch_that_cannot_be_scored_leaves_the_scores_as_they_were(
    settings, make_bank, run_main, with_champion, features
):
    bank = make_bank(settings)
    with_champion(settings)
    bank.add_run(SCORE, "daily", fct_customer_features=features)
    assert run_main(settings, "score", "--run", SCORE)[0] == 0
    before = scores_of(bank, SCORE)
    with open_warehouse(settings) as wh:
        wh.execute(
            f"update {SCORE}.fct_customer_features set rate_gap = 'infinity' where customer_id = 'c00009'"
        )
    code, _, err = run_main(settings, "score", "--run", SCORE)
    assert code == 2
    assert "rate_gap holds infinite values" in err
    assert scores_of(bank, SCORE) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda panel: panel.drop_columns(["rate_gap"]), "misses rate_gap"),
        (lambda panel: panel.append_column("favourite", panel["rate_gap"]), "has undeclared favourite"),
        (
            lambda panel: panel.set_column(2, "label_status", pa.array(["mature"] * panel.num_rows)),
            "calls 2026-10-31 mature",
        ),
    ],
)
def test_a_panel_that_does_not_fit_is_refused(duckdb_settings, make_bank, run_main, panel, change, words):
    make_bank(duckdb_settings).add_run(TRAIN, "training", churn_panel=change(filled(panel)))
    code, out, err = run_main(duckdb_settings, "train", "--run", TRAIN)
    assert (code, out) == (2, "")
    assert words in err


def filled(panel):
    return panel.set_column(3, "is_churned", panel["is_churned"].fill_null(0))


def test_protected_columns_of_a_panel_are_reported_on_and_not_learned(
    duckdb_settings, make_bank, panel, params
):
    sexes = pa.array([("female", "male")[number % 2] for number in range(panel.num_rows)])
    make_bank(duckdb_settings).add_run(TRAIN, "training", churn_panel=panel.append_column("sex", sexes))
    with open_warehouse(duckdb_settings) as wh:
        read, _ = read_panel(wh, get_run(wh, TRAIN), params)
    assert "sex" not in params.feature_names
    segments = evaluate.by_segment(read, read["is_churned"].to_numpy(), params.segments)
    assert set(segments["sex"]) == {"female", "male"}


@pytest.mark.parametrize("max_rows", [10_000, 900])
def test_of_a_large_panel_whole_customers_are_read_and_of_a_small_one_all(bank, panel, params, max_rows):
    capped = replace(params, sample=Sample(max_rows))
    bank.add_run(TRAIN, "training", churn_panel=panel)
    with open_warehouse(bank.settings) as wh:
        read, drawn = read_panel(wh, get_run(wh, TRAIN), capped)
    mature = panel.filter(pc.equal(panel["label_status"], "mature"))
    assert drawn.rows_mature == len(mature) == 4000
    # Named here, not compared between two runs: each engine in turn has to draw these.
    everybody = sorted(set(mature["customer_id"].to_pylist()))
    expected = [
        name
        for name in everybody
        if int(hashlib.md5(f"{name}{params.seed}".encode()).hexdigest()[:8], 16) < drawn.share * 2**32 - 1
    ]
    assert sorted(set(read["customer_id"])) == expected
    assert set(read.groupby("customer_id").size()) == {8}
    assert abs(len(read) - min(max_rows, 4000)) < 150


def test_the_metrics_state_the_sample(duckdb_settings, make_bank, run_main, monkeypatch, panel, params):
    capped = replace(params, sample=Sample(2000), candidates=params.candidates[:1])
    monkeypatch.setattr("ml.churn.__main__.load_params", lambda: capped)
    bank = make_bank(duckdb_settings)
    bank.add_run(TRAIN, "training", churn_panel=panel)
    assert run_main(duckdb_settings, "train", "--run", TRAIN)[0] == 0
    row = bank.rows("select rows_trained, metrics from ops.training_runs")[0]
    assert json.loads(row["metrics"])["sample"] == {"rows_mature": 4000, "share_of_customers": 0.5}
    assert 1500 < row["rows_trained"] < 2500


def test_a_training_without_labels_is_recorded_and_exits_99(settings, make_bank, run_main, make_panel):
    bank = make_bank(settings)
    bank.add_run(TRAIN, "training", churn_panel=make_panel(customers=30, months=3))
    for _ in range(2):
        code, out, err = run_main(settings, "train", "--run", TRAIN)
        assert (code, out) == (99, "")
        assert "no month-end has" in err
    rows = bank.rows("select run_id, model_version, outcome, metrics from ops.training_runs")
    assert [(row["run_id"], row["model_version"], row["outcome"]) for row in rows] == [
        (TRAIN, None, "no_mature_labels")
    ]
    assert "no month-end" in json.loads(rows[0]["metrics"])["reason"]


def test_unknown_runs_and_unbuilt_tables_are_named(duckdb_settings, make_bank, run_main):
    make_bank(duckdb_settings).add_run(TRAIN, "training")
    for command, table in (("train", "churn_panel"), ("score", "fct_customer_features")):
        code, _, err = run_main(duckdb_settings, command, "--run", "run_20990101_01")
        assert (code, "no run run_20990101_01" in err) == (2, True)
        code, _, err = run_main(duckdb_settings, command, "--run", TRAIN)
        assert (code, f"{TRAIN}.{table} does not exist" in err) == (2, True)


def test_a_run_of_many_dates_is_not_scored(duckdb_settings, make_bank, run_main, features):
    bank = make_bank(duckdb_settings)
    bank.add_run(SCORE, "bootstrap", fct_customer_features=features)
    more = {"run_id": [SCORE], "as_of_date": [dt.date(2026, 9, 30)], "knowledge_cutoff_on": [AS_OF]}
    with open_warehouse(duckdb_settings) as wh:
        wh.append("ops.run_dates", pa.table(more))
    code, _, err = run_main(duckdb_settings, "score", "--run", SCORE)
    assert (code, "bootstrap" in err and "2 dates" in err) == (2, True)


def test_help_helps():
    for arguments in (["--help"], ["train", "--help"], ["score", "--help"], ["rollback", "--help"]):
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        assert exit_.value.code == 0


SCORE_AND_REPORT_MEMORY = """
import sys
from pathlib import Path
from ml.churn import evaluate
from ml.churn.__main__ import main
for run_id in sys.argv[1:]:
    assert main(["score", "--run", run_id]) == 0
    # Not ru_maxrss: it starts with the memory of the process that this one was forked from.
    status = Path("/proc/self/status").read_text()
    print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
def test_memory_of_scoring_does_not_grow_with_customers(
    settings, make_bank, make_environment, with_champion, params, tmp_path
):
    bank = make_bank(settings)
    with_champion(settings)
    columns = ", ".join(
        f"'high' as {feature.name}"
        if feature.is_category
        else f"cast(i % 97 as double precision) as {feature.name}"
        for feature in params.features
    )
    runs = []
    for rows in (20_000, 200_000):
        runs.append(bank.add_run(f"run_20261031_{rows}", "daily"))
        with open_warehouse(settings) as wh:
            wh.execute(
                f"create table {runs[-1]}.fct_customer_features as "
                f"select cast('2026-10-31' as date) as as_of_date, cast(i as varchar) as customer_id, "
                f"true as is_eligible, {columns} from generate_series(1, {rows}) as numbers(i)"
            )
    # A file: DuckDB takes `python -c` for a person and shows its progress.
    program = tmp_path / "score_and_report.py"
    program.write_text(SCORE_AND_REPORT_MEMORY, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(program), *runs],
        env=make_environment(settings),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert lines[0].startswith("20000 customers scored")
    assert lines[2].startswith("200000 customers scored")
    grown = (int(lines[3]) - int(lines[1])) / 1024
    # On their way through a model 180,000 rows more would be several times the 104 MiB of the table.
    # DuckDB keeps the pages that it has read, up to its bound.
    kept = {"postgres": 0, "duckdb": 180_000 * len(params.features) * 8 / 2**20}[settings.target]
    assert grown < kept + 80
