"""The fit finds what was planted, nothing where nothing is, and the same every time."""

import datetime as dt
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest

from ml.churn import evaluate
from ml.churn.errors import InputError, NothingToTrainError
from ml.churn.fit import (
    Choice,
    choose,
    compare,
    customer_parts,
    final_fold,
    fit_choice,
    pick,
    snapshots,
    train,
)
from ml.churn.frame import feature_frame, panel_frame
from ml.churn.params import Candidate
from ml.churn.pipeline import CANDIDATES, build, fit_calibrated, probabilities
from ml.churn.registry import EVALUATION, MODEL


@pytest.fixture(scope="module")
def panel(make_panel, params):
    """Mature rows of eight month-ends, 2025-11-30 to 2026-06-30."""
    table = make_panel()
    return panel_frame(table.filter(pc.equal(table["label_status"], "mature")), params.features, [], "panel")


@pytest.fixture(scope="module")
def trained(panel, quick):
    from rich.progress import Progress

    return train(panel, quick, Progress(disable=True))


def test_a_planted_reason_is_found_out_of_time(trained):
    figures = trained[1]["metrics"]["test"]
    # Two of more than seventy features have a say, and 2,800 rows to be found in.
    assert figures["auc"] > 0.75
    assert figures["lift_top_decile"] > 3
    assert figures["auc"] > trained[1]["metrics"]["tier_rate_baseline"]["auc"] + 0.2


def test_probabilities_mean_what_they_say_out_of_time(trained):
    figures = trained[1]["metrics"]["test"]
    assert 0.7 < figures["calibration_slope"] < 1.4
    assert abs(figures["calibration_intercept"]) < 0.4
    assert figures["brier"] < figures["brier_parts"]["uncertainty"]


def test_shuffled_labels_leave_nothing_to_find(panel, quick, progress):
    rng = np.random.default_rng(3)
    shuffled = panel.assign(is_churned=rng.permutation(panel["is_churned"].to_numpy()))
    # Four test snapshots: the AUC of so many churners strays from one half by less than a tenth.
    blind = replace(quick, split=replace(quick.split, test_snapshots=4), candidates=quick.candidates[1:])
    assert abs(train(shuffled, blind, progress)[1]["metrics"]["test"]["auc"] - 0.5) < 0.08


def test_the_evaluated_model_saw_only_embargoed_snapshots_and_the_kept_one_all(trained, panel):
    metadata = trained[1]
    assert metadata["evaluated_on"]["test"]["as_of_dates"] == ["2026-06-30"]
    assert metadata["evaluated_on"]["train"]["as_of_dates"][-1] == "2026-02-28"
    assert metadata["trained_on"]["rows"] == len(panel)
    assert metadata["trained_on"]["as_of_dates"][-1] == "2026-06-30"


def test_outcomes_of_the_test_and_of_the_embargo_do_not_move_the_evaluated_model(
    panel, quick, progress, trained
):
    late = panel["as_of_date"] > dt.date(2026, 2, 28)
    rng = np.random.default_rng(5)
    scrambled = panel.copy()
    scrambled.loc[late, "is_churned"] = rng.permutation(panel.loc[late, "is_churned"].to_numpy())
    one_candidate = replace(quick, candidates=quick.candidates[:1])
    rows = panel[quick.feature_names]
    models = [train(data, one_candidate, progress)[0] for data in (panel, scrambled)]
    assert (probabilities(models[0][EVALUATION], rows) == probabilities(models[1][EVALUATION], rows)).all()
    assert (probabilities(models[0][MODEL], rows) != probabilities(models[1][MODEL], rows)).any()


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_two_trainings_give_equal_predictions_and_metadata(panel, quick, progress, make_features, number):
    one_candidate = replace(quick, candidates=quick.candidates[number : number + 1])
    some = panel[panel["customer_id"] < "c00350"].reset_index(drop=True)
    one, other = (train(some, one_candidate, progress) for _ in range(2))
    rows = feature_frame(make_features(), quick.features, "features")
    assert (probabilities(one[0][MODEL], rows) == probabilities(other[0][MODEL], rows)).all()
    assert one[1] == other[1]


@pytest.mark.parametrize("name", ["logistic", "decision_tree", "random_forest", "hist_gradient_boosting"])
def test_every_candidate_takes_unseen_words_and_columns_of_nulls(panel, quick, make_features, name):
    # A warning a column and batch would bury the log of a bank that lacks a source.
    warnings.simplefilter("error")
    settings = next(one for one in quick.candidates if one.name == name).settings()[0]
    model = fit_calibrated(
        build(name, settings, quick),
        panel[quick.feature_names],
        panel["is_churned"].to_numpy(),
        panel["customer_id"].to_numpy(),
        quick,
    )
    rows = feature_frame(make_features(), quick.features, "features")
    rows["value_tier"] = "platinum"
    rows["closing_balance"] = np.nan
    rows["customer_kind"] = rows["customer_kind"].where(rows["customer_kind"].isna(), None)
    found = probabilities(model, rows)
    assert ((found > 0) & (found < 1)).all()


def few_churners(panel, count):
    """The panel with no churners but one month of the first `count` that it has."""
    kept = panel[panel["is_churned"] == 1].drop_duplicates("customer_id").index[:count]
    return panel.assign(is_churned=panel.index.isin(kept).astype(np.int8))


def test_a_forest_of_few_churners_is_calibrated(panel, quick):
    some = few_churners(panel, 30)
    model = fit_choice(some, Choice("random_forest", quick.candidates[2].settings()[0]), quick)
    assert model.calibrated_classifiers_[0].calibrators[0].a_ != 0
    assert np.ptp(probabilities(model, some[quick.feature_names])) > 0


def test_a_calibrator_that_failed_is_refused_and_a_tree_without_a_split_is_not(panel, quick, monkeypatch):
    some = panel[panel["customer_id"] < "c00100"]
    stump = fit_choice(some, Choice("decision_tree", {"min_samples_leaf": 5000}), quick)
    assert np.ptp(probabilities(stump, some[quick.feature_names])) == 0
    monkeypatch.setattr("ml.churn.leaves.ROOT_PRIOR", 0)
    with pytest.raises(InputError, match="calibration of LogOddsForest failed"):
        fit_choice(few_churners(panel, 30), Choice("random_forest", quick.candidates[2].settings()[0]), quick)


def test_candidates_are_compared_by_the_ranking_that_the_calibrated_model_has(panel, quick, progress):
    # Leaves of two rows: as rates many are equal, as shrunk log-odds few.
    small_leaves = Candidate("decision_tree", {"max_leaf_nodes": [64], "min_samples_leaf": [2]})
    tree = replace(quick, candidates=(small_leaves,))
    parts = customer_parts(panel[panel["customer_id"] < "c00300"], 1, tree)
    tried = compare(parts, tree, progress)[0]
    before, test = parts[0]
    model = fit_choice(before, Choice("decision_tree", tried["settings"]), tree)
    figures = evaluate.metrics(test["is_churned"].to_numpy(), probabilities(model, test[tree.feature_names]))
    assert (tried["average_precision"], tried["auc"]) == (figures["average_precision"], figures["auc"])


def test_the_richer_candidate_must_win_by_more_than_the_margin():
    simple = {"candidate": "logistic", "average_precision": 0.300}
    tuned = {"candidate": "logistic", "average_precision": 0.301}
    tied = {"candidate": "hist_gradient_boosting", "average_precision": 0.3060}
    better = {"candidate": "hist_gradient_boosting", "average_precision": 0.3061}
    assert pick([simple, tuned, tied], 0.005) is tuned
    assert pick([simple, tuned, better], 0.005) is better
    assert pick([simple, simple | {"settings": 2}], 0.005) is simple


def test_every_candidate_is_compared_on_folds_before_the_test(trained, quick):
    choice = trained[1]["metrics"]["choice"]
    assert [one["candidate"] for one in choice["tried"]] == list(CANDIDATES)
    # Eight month-ends are too few for a fold over time whose outcome is known before the test.
    assert (choice["count_folds"], choice["count_time_folds"]) == (quick.split.choice_folds, 0)
    assert all(0 < one["average_precision"] <= 1 and one["auc"] > 0.6 for one in choice["tried"])
    assert choice["candidate"] in CANDIDATES


def test_the_choice_sees_nothing_of_the_embargo_and_the_test(panel, quick, progress):
    late = panel["as_of_date"] > dt.date(2026, 2, 28)
    other = panel.assign(is_churned=panel["is_churned"].where(~late, 1 - panel["is_churned"]))
    cheap = replace(quick, candidates=(quick.candidates[0], quick.candidates[1]))
    assert choose(panel, cheap, progress) == choose(other, cheap, progress)


def test_an_older_bank_chooses_over_time_first(make_panel, quick, progress):
    table = make_panel(customers=250, months=14)
    rows = panel_frame(table.filter(pc.equal(table["label_status"], "mature")), quick.features, [], "panel")
    cheap = replace(quick, candidates=quick.candidates[:1])
    choice = choose(rows, cheap, progress)
    assert (choice.count_folds, choice.count_time_folds) == (3, 2)


def test_the_choice_by_customer_keeps_the_months_of_a_customer_together(panel, quick):
    parts = customer_parts(panel, 2, quick)
    assert len(parts) == 2
    for before, test in parts:
        assert not set(before["customer_id"]) & set(test["customer_id"])
        assert set(before["as_of_date"]) == set(test["as_of_date"])
    assert customer_parts(panel[panel["customer_id"] < "c00002"], 2, quick) == []


def test_with_nothing_to_choose_on_the_simplest_candidate_stands(panel, quick, progress):
    dates = panel["as_of_date"].isin([dt.date(2025, 11, 30), dt.date(2026, 3, 31)])
    choice = choose(panel[dates & (panel["customer_id"] < "c00002")], quick, progress)
    assert (choice.candidate, choice.tried, choice.count_folds) == ("logistic", [], 0)


@pytest.mark.parametrize(
    ("last_date", "churned", "outcome", "words"),
    [
        ("2025-01-01", 1, "no_mature_labels", "no month-end"),
        ("2026-02-28", 1, "no_mature_labels", "span less than"),
        ("2026-06-30", 0, "too_few_churners", "0 customers churned in the training part"),
    ],
)
def test_nothing_to_train_on_is_said_with_its_reason(panel, params, last_date, churned, outcome, words):
    some = panel[panel["as_of_date"] <= dt.date.fromisoformat(last_date)]
    with pytest.raises(NothingToTrainError, match=words) as caught:
        final_fold(some.assign(is_churned=some["is_churned"] * churned), params)
    assert caught.value.outcome == outcome


def test_a_test_part_without_churners_is_too_few(panel, params):
    fold = final_fold(panel, params)
    silent = panel.assign(is_churned=panel["is_churned"].where(~panel["as_of_date"].isin(fold.test_dates), 0))
    with pytest.raises(NothingToTrainError, match="0 customers churned in the test part"):
        final_fold(silent, params)


def test_a_departure_seen_from_three_month_ends_is_one_churner(panel, params):
    before = panel["as_of_date"] <= dt.date(2026, 2, 28)
    some = panel["customer_id"].isin(panel["customer_id"].unique()[:29])
    # 29 customers with four rows each, and many who churn in the test.
    repeated = panel.assign(is_churned=panel["is_churned"].where(~before, some.astype(np.int8)))
    assert repeated.loc[before, "is_churned"].sum() > 100
    with pytest.raises(NothingToTrainError, match="29 customers churned in the training part"):
        final_fold(repeated, params)


def test_a_fold_with_too_few_churners_to_rank_decides_nothing(panel, quick, progress):
    some = few_churners(panel[panel["as_of_date"] <= dt.date(2026, 2, 28)], 12)
    late = panel[panel["as_of_date"] > dt.date(2026, 2, 28)]
    assert choose(pd.concat([some, late], ignore_index=True), quick, progress).tried == []


def test_the_direction_of_the_planted_reasons_is_seen(trained):
    seen = trained[1]["directions_seen"]
    assert seen["days_since_last_activity"] > 0.1
    assert seen["count_transactions_90d"] < -0.1
    assert seen["max_days_past_due_180d"] is None


def test_the_metrics_are_those_of_the_evaluated_model(trained, panel, quick):
    test = snapshots(panel, [dt.date(2026, 6, 30)])
    again = evaluate.metrics(
        test["is_churned"].to_numpy(), probabilities(trained[0][EVALUATION], test[quick.feature_names])
    )
    assert again.items() <= trained[1]["metrics"]["test"].items()
