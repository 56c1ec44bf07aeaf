"""Who becomes champion, from which day on, and who does not."""

import copy
import datetime as dt
from dataclasses import replace

import pyarrow.compute as pc
import pytest
from rich.progress import Progress

from ml.churn.errors import InputError
from ml.churn.fit import train
from ml.churn.frame import panel_frame
from ml.churn.registry import EVALUATION, MODEL, Promotion, Registry
from ml.churn.train import promote_if_better

DAY = dt.date(2026, 10, 31)
NEXT = dt.date(2026, 11, 1)
TEST = dt.date(2026, 6, 30)
OLD, NEW, OTHER = "churn_20260930_aaaaaaaa", "churn_20261031_bbbbbbbb", "churn_20261031_cccccccc"


@pytest.fixture(scope="module")
def rows(make_panel, params):
    table = make_panel(customers=400)
    return panel_frame(table.filter(pc.equal(table["label_status"], "mature")), params.features, [], "panel")


@pytest.fixture(scope="module")
def good(rows, quick):
    """A logistic regression by file name, and its metadata."""
    return train(rows, replace(quick, candidates=quick.candidates[:1]), Progress(disable=True))


@pytest.fixture(scope="module")
def poor(rows, quick):
    """The same on labels of other customers."""
    simple = replace(quick, candidates=quick.candidates[:1])
    shifted = rows.assign(is_churned=rows["is_churned"].to_numpy()[::-1].copy())
    return train(shifted, simple, Progress(disable=True))


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "models")


@pytest.fixture
def promote(registry, rows, quick):
    """Save a model under a version and let it compete as of a day, by EMPC alone: one that ranks nobody is
    well calibrated.
    """
    by_money = replace(quick, promotion=replace(quick.promotion, calibration_tolerance=1.0))

    def promote(version, trained, as_of_date=DAY, **metadata):
        models, described = trained
        registry.save(version, models, described | metadata)
        return again(version, as_of_date)

    def again(version, as_of_date=DAY):
        test = rows[rows["as_of_date"] == TEST]
        return promote_if_better(registry, version, as_of_date, test, by_money)

    promote.again = again
    return promote


def no_better(trained):
    """The same model, whose metadata says that the tier rates bring as much."""
    models, metadata = trained
    metadata = copy.deepcopy(metadata)
    metadata["metrics"]["test"]["empc"] = metadata["metrics"]["tier_rate_baseline"]["empc"]
    return models, metadata


def test_the_first_model_stands_from_its_own_day_and_a_better_one_from_the_next(
    registry, promote, poor, good
):
    assert promote(OLD, poor_but_ahead(poor)).outcome == "promoted"
    assert registry.standing(DAY).model_version == OLD
    found = promote(NEW, good)
    assert (found.outcome, "better out of time" in found.reason) == ("promoted", True)
    # What DAY was scored with stays.
    assert registry.standing(DAY).model_version == OLD
    assert registry.standing(NEXT).model_version == NEW
    # A second training of the day meets the new champion, not the one that it deposed.
    assert "not better" in promote(OTHER, good).reason
    assert registry.standing(NEXT).model_version == NEW


def poor_but_ahead(trained):
    models, metadata = trained
    metadata = copy.deepcopy(metadata)
    metadata["metrics"]["test"]["empc"] = 99.0
    return models, metadata


@pytest.mark.parametrize("file_name", [EVALUATION, MODEL])
def test_a_challenger_that_cannot_be_loaded_is_an_error_and_no_champion(
    registry, promote, poor, good, file_name
):
    promote(OLD, poor_but_ahead(poor))
    registry.save(NEW, *good)
    (registry.root / NEW / file_name).write_bytes(b"half a file")
    with pytest.raises(InputError, match=f"{NEW}: {file_name} is not the file"):
        promote.again(NEW)
    assert registry.standing(NEXT).model_version == OLD


def test_a_challenger_that_cannot_be_explained_is_an_error_and_no_champion(registry, promote, good):
    features = [feature | {"reason": ""} for feature in good[1]["features"]]
    with pytest.raises(InputError, match="has no reason for"):
        promote(NEW, good, features=features)
    assert registry.promotions() == []


def test_a_first_model_that_brings_no_more_than_a_baseline_does_not_score(registry, promote, good):
    found = promote(NEW, no_better(good))
    assert found.outcome == "below_baseline"
    assert "is not above" in found.reason
    assert "of tier_rate_baseline" in found.reason
    assert registry.standing(NEXT) is None


def test_a_champion_that_cannot_be_compared_yields_only_to_a_model_above_the_baselines(
    registry, promote, good
):
    promote(OLD, good)
    (registry.root / OLD / EVALUATION).unlink()
    found = promote(NEW, no_better(good))
    assert found.outcome == "kept_champion"
    assert "cannot be compared" in found.reason
    assert "is not above" in found.reason
    assert promote(OTHER, good).outcome == "promoted"


def test_a_late_training_does_not_write_the_past_anew(registry, promote, poor, good):
    promote(OLD, poor_but_ahead(poor), dt.date(2026, 9, 30))
    registry.promote(Promotion(OTHER, dt.date(2026, 12, 1), "for a test"))
    before = registry.promotions()
    found = promote(NEW, good)
    assert found.outcome == "kept_champion"
    assert f"goes on to 2026-12-01 ({OTHER})" in found.reason
    assert registry.promotions() == before


def test_a_day_that_no_champion_scored_may_get_one_later(registry, promote, good):
    registry.root.mkdir()
    registry.promote(Promotion(OTHER, dt.date(2026, 12, 1), "for a test"))
    assert promote(NEW, good).outcome == "promoted"
    assert registry.standing(dt.date(2026, 11, 30)).model_version == NEW
    assert registry.standing(dt.date(2026, 12, 1)).model_version == OTHER


def test_a_version_that_was_rolled_back_is_not_promoted_by_training_it_again(registry, promote, poor, good):
    promote(OLD, poor_but_ahead(poor))
    promote(NEW, good)
    assert promote.again(NEW).outcome == "promoted"
    registry.roll_back(None, dt.date(2026, 11, 5), reason="it drifts", author="Ann")
    found = promote.again(NEW)
    assert (found.outcome, found.reason) == ("kept_champion", "rolled back on 2026-11-05 by Ann: it drifts")
    assert promote.again(OLD).outcome == "promoted"
    registry.roll_back(NEW, dt.date(2026, 11, 6), reason="it did not", author="Ann")
    assert promote.again(NEW).outcome == "promoted"


@pytest.mark.parametrize(
    ("last_date", "outcome", "words"),
    [
        # Its last outcome was known on 2026-06-30, the day of the test.
        ("2026-03-02", "kept_champion", "not better"),
        ("2026-03-03", "promoted", "better out of time"),
    ],
)
def test_a_champion_that_knew_nothing_of_the_test_is_judged_by_the_model_that_scores(
    promote, poor, good, last_date, outcome, words
):
    champion = {EVALUATION: poor[0][EVALUATION], MODEL: good[0][EVALUATION]}, good[1]
    trained_on = good[1]["trained_on"] | {"as_of_dates": ["2025-11-30", last_date]}
    promote(OLD, champion, dt.date(2026, 9, 30), trained_on=trained_on)
    found = promote(NEW, good)
    assert (found.outcome, words in found.reason) == (outcome, True)
