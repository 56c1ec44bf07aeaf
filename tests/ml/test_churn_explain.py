"""Reasons add up to the score, are those of the model, and never those of a protected attribute."""

import dataclasses
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest
from scipy.special import expit, logit
from sklearn.ensemble import HistGradientBoostingClassifier

from ml.churn import tree_shap
from ml.churn.errors import InputError
from ml.churn.explain import TOLERANCE, Explainer
from ml.churn.frame import feature_frame
from ml.churn.leaves import LogOddsForest, LogOddsTree
from ml.churn.params import Calibration, load_params
from ml.churn.pipeline import build, fit_calibrated, probabilities


@pytest.fixture(scope="module")
def rows(params, make_panel):
    """Features, who churned, customers."""
    panel = make_panel(customers=400)
    mature = panel.filter(pc.equal(panel["label_status"], "mature"))
    frame = feature_frame(mature, params.features, "panel")
    return frame, mature["is_churned"].to_numpy(), np.array(mature["customer_id"].to_pylist())


@pytest.fixture(scope="module")
def fitted(params, rows):
    """Every candidate that ships, fitted and calibrated with the first settings of its grid."""
    return {
        candidate.name: fit_calibrated(build(candidate.name, candidate.settings()[0], params), *rows, params)
        for candidate in params.candidates
    }


def candidates():
    return [candidate.name for candidate in load_params().candidates]


def odd_rows(rows, params):
    """Rows as they come, of nulls only, with words that training never saw, and far beyond all it saw."""
    frame = rows[0].head(40).copy()
    for feature in params.features:
        frame.loc[0, feature.name] = None if feature.is_category else np.nan
        frame.loc[1, feature.name] = "of another planet" if feature.is_category else -1e12
        frame.loc[2, feature.name] = None if feature.is_category else 1e12
    return frame


@pytest.mark.parametrize("name", candidates())
def test_base_and_reasons_add_up_to_the_log_odds_of_every_candidate(name, fitted, rows, params):
    explainer = Explainer(fitted[name], params.features, params.excluded, name)
    frame = pd.concat([odd_rows(rows, params), rows[0].tail(500)], ignore_index=True)
    explanation = explainer.explain(frame)
    assert explanation.contributions.shape == (len(explainer.reasons), len(frame))
    predicted = fitted[name].predict_proba(frame)[:, 1]
    within = (predicted > 1e-9) & (predicted < 1 - 1e-9)
    assert within.sum() > 500
    added_up = explainer.base + explanation.contributions.sum(axis=0)
    np.testing.assert_allclose(added_up[within], logit(predicted[within]), atol=TOLERANCE)
    np.testing.assert_array_equal(explanation.probability, probabilities(fitted[name], frame))


@pytest.mark.parametrize("name", candidates())
def test_the_reason_that_drives_churn_weighs_most(name, fitted, rows, params):
    # The bank of conftest has one: silence and few transactions, both filed under low_activity.
    explainer = Explainer(fitted[name], params.features, params.excluded, name)
    weights = np.abs(explainer.explain(rows[0]).contributions).mean(axis=1)
    assert explainer.reasons[int(weights.argmax())] == "low_activity"


def test_the_logistic_is_told_against_the_mean_of_the_training(fitted, rows, params):
    explainer = Explainer(fitted["logistic"], params.features, params.excluded, "logistic")
    explanation = explainer.explain(rows[0])
    np.testing.assert_allclose(explanation.contributions.mean(axis=1), 0, atol=1e-9)
    assert explanation.log_odds.mean() == pytest.approx(explainer.base)


@pytest.mark.parametrize("name", ["decision_tree", "random_forest", "hist_gradient_boosting"])
def test_a_reason_sums_the_values_of_its_features(name, fitted, rows, params):
    each = [dataclasses.replace(feature, reason=feature.name) for feature in params.features]
    frame = rows[0].head(50)
    by_feature = Explainer(fitted[name], each, params.excluded, name)
    by_reason = Explainer(fitted[name], params.features, params.excluded, name)
    of_features, of_reasons = by_feature.explain(frame).contributions, by_reason.explain(frame).contributions
    for place, reason in enumerate(by_reason.reasons):
        names = [feature.name for feature in params.features if feature.reason == reason]
        summed = sum(of_features[by_feature.reasons.index(feature)] for feature in names)
        np.testing.assert_allclose(of_reasons[place], summed, atol=1e-12)


def expectation(tree, row, known, node=tree_shap.ROOT):
    """What the tree gives a row of which only the features `known` are: path-dependent TreeSHAP's game."""
    if tree.is_leaf(node):
        return tree.value[node]
    left, right = int(tree.left[node]), int(tree.right[node])
    feature = int(tree.feature[node])
    if feature in known:
        is_left = tree.missing_left[node] if np.isnan(row[feature]) else row[feature] <= tree.threshold[node]
        return expectation(tree, row, known, left if is_left else right)
    share = tree.cover[left] / tree.cover[node]
    return share * expectation(tree, row, known, left) + (1 - share) * expectation(tree, row, known, right)


def brute_force(trees, row):
    """Shapley values by their definition, over every coalition."""
    count = len(row)
    found = np.zeros(count)
    for feature in range(count):
        others = [other for other in range(count) if other != feature]
        for size in range(count):
            for coalition in combinations(others, size):
                gain = sum(
                    expectation(tree, row, {*coalition, feature}) - expectation(tree, row, set(coalition))
                    for tree in trees
                )
                found[feature] += gain / (count * comb(count - 1, size))
    return found


# With 2 conditions a table a tree falls into many, with 1 nearly every leaf is told apart by patterns seen.
@pytest.mark.parametrize("most_conditions", [1, 2, 5, tree_shap.MOST_CONDITIONS])
@pytest.mark.parametrize("most_flagged", [0, tree_shap.MOST_FLAGGED])
def test_tree_shap_is_what_the_definition_gives(monkeypatch, most_conditions, most_flagged):
    monkeypatch.setattr(tree_shap, "MOST_CONDITIONS", most_conditions)
    monkeypatch.setattr(tree_shap, "MOST_FLAGGED", most_flagged)
    rng = np.random.default_rng(5)
    values = np.round(rng.normal(size=(400, 4)), 2)
    values[rng.random(values.shape) < 0.1] = np.nan
    known = np.nan_to_num(values, nan=1.0)
    churned = (rng.random(400) < expit(2 * known[:, 0] * known[:, 1] + known[:, 2])).astype(int)
    boosting = HistGradientBoostingClassifier(max_leaf_nodes=7, max_iter=3, min_samples_leaf=5)
    forest = LogOddsForest(3, max_leaf_nodes=9, random_state=1)
    tree = LogOddsTree(max_leaf_nodes=12, random_state=1)
    boosting.fit(values, churned)
    forest.fit(values, churned)
    tree.fit(values, churned)
    single = values.astype(np.float32).astype(np.float64)
    raw = boosting.decision_function(values) - boosting._baseline_prediction.item()
    for trees, given, response in (
        (tree_shap.of_boosting(boosting), values, raw),
        (tree_shap.of_forest(forest), single, forest.decision_function(values)),
        ([tree_shap.of_tree(tree)], single, tree.decision_function(values)),
    ):
        tables = tree_shap.TreeTables(trees, range(4), 4)
        found = tables.contributions(given)
        np.testing.assert_allclose(tables.base + found.sum(axis=0), response, atol=1e-10)
        for row in range(6):
            np.testing.assert_allclose(found[:, row], brute_force(trees, given[row]), atol=1e-12)


def test_a_model_that_learned_from_a_protected_attribute_is_refused(fitted, params):
    name = params.features[0].name
    with pytest.raises(InputError, match=f"churn_x learned from {name}, which params.yaml excludes"):
        Explainer(fitted["logistic"], params.features, [*params.excluded, name], "churn_x")


def test_a_feature_without_a_reason_is_refused(fitted, params):
    untold = [dataclasses.replace(params.features[0], reason=""), *params.features[1:]]
    with pytest.raises(InputError, match=f"no reason for {params.features[0].name}"):
        Explainer(fitted["logistic"], untold, params.excluded, "churn_x")


def test_a_calibration_that_bends_the_log_odds_is_refused(rows, params):
    bent = dataclasses.replace(params, calibration=Calibration("isotonic", 3))
    model = fit_calibrated(build("logistic", {"C": 0.1}, bent), *rows, bent)
    with pytest.raises(InputError, match="calibrated by isotonic over 1 fits"):
        Explainer(model, params.features, params.excluded, "churn_x")


def test_reasons_that_do_not_add_up_are_refused(rows, params):
    model = fit_calibrated(build("logistic", {"C": 0.1}, params), *rows, params)
    explainer = Explainer(model, params.features, params.excluded, "churn_x")
    model.calibrated_classifiers_[0].estimator["model"].coef_[0, 0] += 0.001
    with pytest.raises(InputError, match="churn_x: reasons and base differ from the log-odds by"):
        explainer.explain(rows[0])
