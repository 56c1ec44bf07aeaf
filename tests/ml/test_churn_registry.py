"""The registry keeps what it was given, switches whole, and loads nothing it does not know."""

import datetime as dt
import json
import zipfile

import numpy as np
import pytest
import sklearn
import skops.io
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import FunctionTransformer

from ml.churn.errors import InputError
from ml.churn.registry import MODEL, Promotion, Registry, beats

X = np.random.default_rng(0).normal(size=(300, 3))
Y = (X[:, 0] > 0.2).astype(int)


@pytest.fixture(scope="module")
def model():
    return CalibratedClassifierCV(HistGradientBoostingClassifier(max_iter=3), ensemble=False, cv=3).fit(X, Y)


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "models")


def promoted(version, day):
    return Promotion(version, dt.date.fromisoformat(day), "for a test")


def test_a_saved_model_predicts_the_same_and_keeps_its_metadata(registry, model):
    registry.save("churn_20261031_aaaaaaaa", {MODEL: model}, {"seed": 7})
    loaded = registry.load("churn_20261031_aaaaaaaa")
    assert (loaded.predict_proba(X) == model.predict_proba(X)).all()
    assert registry.metadata("churn_20261031_aaaaaaaa")["seed"] == 7
    assert registry.versions() == ["churn_20261031_aaaaaaaa"]


def test_a_save_that_dies_half_way_leaves_no_version(registry, model):
    with pytest.raises(TypeError):
        registry.save("churn_20261031_aaaaaaaa", {MODEL: model}, {"not json": {1, 2}})
    assert registry.versions() == []
    assert list(registry.root.iterdir()) == []


def test_a_version_never_changes(registry, model):
    registry.save("churn_20261031_aaaaaaaa", {MODEL: model}, {"seed": 7})
    with pytest.raises(OSError, match="not empty"):
        registry.save("churn_20261031_aaaaaaaa", {MODEL: model}, {"seed": 8})
    assert registry.metadata("churn_20261031_aaaaaaaa")["seed"] == 7


def test_a_damaged_file_is_not_loaded(registry, model):
    registry.save("churn_20261031_aaaaaaaa", {MODEL: model}, {})
    file = registry.root / "churn_20261031_aaaaaaaa" / MODEL
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InputError, match="not the file that was registered"):
        registry.load("churn_20261031_aaaaaaaa")
    file.unlink()
    with pytest.raises(InputError, match=r"has no churn_20261031_aaaaaaaa/model\.skops"):
        registry.load("churn_20261031_aaaaaaaa")


def test_another_version_of_scikit_learn_is_an_error(registry, model, monkeypatch):
    monkeypatch.setattr(sklearn.base, "__version__", "1.7.0")
    registry.save("churn_20261031_aaaaaaaa", {MODEL: model}, {})
    schema = zipfile.ZipFile(registry.root / "churn_20261031_aaaaaaaa" / MODEL).read("schema.json")
    assert b"1.7.0" in schema
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"saved by scikit-learn 1\.7\.0.*churn_training"):
        registry.load("churn_20261031_aaaaaaaa")


def test_a_type_that_is_not_listed_is_not_loaded(registry):
    stranger = FunctionTransformer(registry_function).fit(X)
    registry.save("churn_20261031_aaaaaaaa", {MODEL: stranger}, {})
    assert skops.io.get_untrusted_types(file=registry.root / "churn_20261031_aaaaaaaa" / MODEL)
    with pytest.raises(InputError, match="registry_function"):
        registry.load("churn_20261031_aaaaaaaa")


def registry_function(values):
    """Stands for code that a file would have us run."""
    return values


def test_a_plain_model_needs_no_trust(registry):
    registry.save("churn_20261031_aaaaaaaa", {MODEL: GaussianNB().fit(X, Y)}, {})
    assert registry.load("churn_20261031_aaaaaaaa").predict(X).shape == (300,)


def test_the_champion_is_the_one_that_stood_on_the_day(registry):
    registry.root.mkdir()
    assert registry.standing(dt.date(2026, 10, 31)) is None
    registry.promote(promoted("churn_b", "2026-09-30"))
    registry.promote(promoted("churn_c", "2026-10-31"))
    # Trained later for an earlier day, as a backfill does: it does not depose the newer one.
    registry.promote(promoted("churn_a", "2026-08-31"))
    stood = {
        day: registry.standing(dt.date.fromisoformat(day))
        for day in ("2026-08-30", "2026-09-29", "2026-10-30", "2027-01-01")
    }
    assert {day: champion and champion.model_version for day, champion in stood.items()} == {
        "2026-08-30": None,
        "2026-09-29": "churn_a",
        "2026-10-30": "churn_b",
        "2027-01-01": "churn_c",
    }


def test_of_two_promotions_for_one_day_the_later_stands_and_a_repeated_one_changes_nothing(registry):
    registry.root.mkdir()
    for version in ("churn_z", "churn_a", "churn_z"):
        registry.promote(promoted(version, "2026-10-31"))
    assert [entry.model_version for entry in registry.promotions()] == ["churn_z", "churn_a"]
    assert registry.standing(dt.date(2026, 10, 31)).model_version == "churn_a"


def test_a_switch_that_dies_leaves_the_old_champion(registry, monkeypatch):
    registry.root.mkdir()
    registry.promote(promoted("churn_a", "2026-09-30"))

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.replace", die)
    with pytest.raises(KeyboardInterrupt):
        registry.promote(promoted("churn_b", "2026-10-31"))
    monkeypatch.undo()
    assert [entry.model_version for entry in registry.promotions()] == ["churn_a"]
    registry.promote(promoted("churn_b", "2026-10-31"))
    assert registry.standing(dt.date(2026, 10, 31)).model_version == "churn_b"


def test_a_damaged_log_is_an_error_and_not_an_empty_one(registry):
    registry.root.mkdir()
    (registry.root / "champions.json").write_text("[{", encoding="utf-8")
    with pytest.raises(InputError, match=r"champions\.json"):
        registry.standing(dt.date(2026, 10, 31))
    (registry.root / "champions.json").write_text(json.dumps([{"model": 1}]), encoding="utf-8")
    with pytest.raises(InputError, match=r"champions\.json"):
        registry.promotions()


@pytest.mark.parametrize(
    ("precision", "error", "wins", "words"),
    [
        (0.31, 0.010, True, "better out of time"),
        (0.31, 0.012, True, "better out of time"),
        (0.31, 0.013, False, "worse calibrated"),
        (0.30, 0.001, False, "not better"),
    ],
)
def test_a_challenger_must_rank_better_and_be_as_well_calibrated(precision, error, wins, words):
    champion = {"average_precision": 0.30, "calibration_error": 0.010}
    challenger = {"average_precision": precision, "calibration_error": error}
    is_better, reason = beats(challenger, champion, calibration_tolerance=0.0020001)
    assert is_better is wins
    assert words in reason
