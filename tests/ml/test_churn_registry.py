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
from ml.churn.params import PromotionRule
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


RULE = PromotionRule(calibration_tolerance=0.0020001, group_tolerance=0.02, group_churners=30)


def figures(empc=1.0, error=0.010, **groups):
    """What beats() compares: AUC and churners by member of a protected column."""
    members = {name: {"auc": auc, "churners": churners} for name, (auc, churners) in groups.items()}
    return {"test": {"empc": empc, "calibration_error": error}, "groups": {"sex": members}}


@pytest.mark.parametrize(
    ("challenger", "champion", "wins", "words"),
    [
        (figures(1.1), figures(), True, "better out of time: EMPC 1.1000 against 1.0000"),
        (figures(1.1, 0.012), figures(), True, "better out of time"),
        (figures(1.1, 0.013), figures(), False, "worse calibrated"),
        (figures(1.0, 0.001), figures(), False, "not better"),
        (
            figures(1.1, f=(0.79, 30), m=(0.9, 50)),
            figures(f=(0.80, 30), m=(0.82, 50)),
            True,
            "0.7900 (sex f)",
        ),
        (figures(1.1, f=(0.77, 30), m=(0.9, 50)), figures(f=(0.80, 30), m=(0.82, 50)), False, "worst group"),
        # The worst group may be another one: what counts is how well the worst served are told apart.
        (figures(1.1, f=(0.81, 30), m=(0.79, 50)), figures(f=(0.80, 30), m=(0.95, 50)), True, "(sex m)"),
        # Too few churners, and a group the champion has no figure for: neither decides.
        (figures(1.1, f=(0.50, 29)), figures(f=(0.80, 29)), True, "better"),
        (figures(1.1, f=(0.50, 40)), figures(f=(None, 40)), True, "better"),
    ],
)
def test_a_challenger_must_bring_more_and_be_as_right_for_the_worst_group(challenger, champion, wins, words):
    is_better, reason = beats(challenger, champion, RULE)
    assert is_better is wins
    assert words in reason


@pytest.fixture
def with_three(registry, model):
    """Champions a, b, c of August, September, October, and d that never was one."""
    for letter in "abcd":
        registry.save(f"churn_{letter}", {MODEL: model}, {})
    for letter, day in (("a", "2026-08-31"), ("b", "2026-09-30"), ("c", "2026-10-31")):
        registry.promote(promoted(f"churn_{letter}", day))
    return registry


def back(registry, day, to=None):
    return registry.roll_back(to, dt.date.fromisoformat(day), reason="it drifts", author="Ann")


def standing(registry, day):
    return registry.standing(dt.date.fromisoformat(day)).model_version


def test_a_rollback_is_a_new_line_and_the_past_stays(with_three):
    before = with_three.promotions()
    assert back(with_three, "2026-11-15").model_version == "churn_b"
    assert with_three.promotions()[:3] == before
    assert with_three.promotions()[3] == Promotion(
        "churn_b", dt.date(2026, 11, 15), "it drifts", "Ann", is_rollback=True
    )
    stood = [standing(with_three, day) for day in ("2026-09-30", "2026-11-14", "2026-11-15", "2027-01-01")]
    assert stood == ["churn_b", "churn_c", "churn_b", "churn_b"]
    assert [(one.model_version, str(one.first_date), str(one.end_date)) for one in with_three.periods()] == [
        ("churn_a", "2026-08-31", "2026-09-30"),
        ("churn_b", "2026-09-30", "2026-10-31"),
        ("churn_c", "2026-10-31", "2026-11-15"),
        ("churn_b", "2026-11-15", "None"),
    ]


def test_rolling_back_twice_goes_further_back_and_a_later_promotion_starts_anew(with_three):
    assert back(with_three, "2026-11-15").model_version == "churn_b"
    assert back(with_three, "2026-11-15").model_version == "churn_a"
    # Of two on one day the later stands, and the earlier never scored.
    assert standing(with_three, "2026-11-15") == "churn_a"
    with_three.promote(promoted("churn_d", "2026-11-30"))
    assert standing(with_three, "2026-12-01") == "churn_d"
    assert back(with_three, "2026-12-15").model_version == "churn_a"
    assert back(with_three, "2026-12-15", "churn_c").model_version == "churn_c"


@pytest.mark.parametrize(
    ("day", "to", "words"),
    [
        ("2026-10-30", None, "write the past anew"),
        ("2026-11-15", "churn_d", "never been a champion"),
        ("2026-11-15", "churn_c", "the champion already"),
    ],
)
def test_a_rollback_that_makes_no_sense_is_refused(with_three, day, to, words):
    before = with_three.promotions()
    with pytest.raises(InputError, match=words):
        back(with_three, day, to)
    assert with_three.promotions() == before


def test_there_is_no_rollback_to_nothing_or_to_what_cannot_be_loaded(with_three, tmp_path):
    one = Registry(tmp_path / "one")
    one.root.mkdir()
    one.promote(promoted("churn_a", "2026-08-31"))
    with pytest.raises(InputError, match="nothing to go back to"):
        back(one, "2026-11-15")
    (with_three.root / "churn_b" / MODEL).unlink()
    with pytest.raises(InputError, match="has no churn_b"):
        back(with_three, "2026-11-15")
    assert standing(with_three, "2026-11-15") == "churn_c"


def test_a_log_from_before_rollbacks_is_read(registry):
    registry.root.mkdir()
    entry = {"model_version": "churn_a", "as_of_date": "2026-08-31", "reason": "the first model"}
    (registry.root / "champions.json").write_text(json.dumps([entry]), encoding="utf-8")
    assert registry.promotions() == [Promotion("churn_a", dt.date(2026, 8, 31), "the first model")]
