"""Trees on log-odds, and trees of a file that are none."""

import copy

import numpy as np
import pytest
import skops.io
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from ml.churn import evaluate
from ml.churn.errors import InputError
from ml.churn.leaves import PRIOR_ROWS, ROOT_PRIOR, LogOddsForest, LogOddsTree, leaf_log_odds
from ml.churn.nodes import are_sound
from ml.churn.pipeline import fit
from ml.churn.registry import MODEL, Registry

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20_000, 4))
P = 1 / (1 + np.exp(4 - 1.5 * X[:, 0] - X[:, 1]))
Y = (RNG.random(len(X)) < P).astype(int)
KINDS = {
    "tree": LogOddsTree(max_leaf_nodes=8, random_state=1),
    "forest": LogOddsForest(n_estimators=20, max_leaf_nodes=16, random_state=1),
    "boosting": HistGradientBoostingClassifier(max_iter=5, early_stopping=False),
}


@pytest.fixture(scope="module")
def fitted():
    """A calibrated model of each kind."""
    models = {}
    for kind, estimator in KINDS.items():
        pipeline = Pipeline([("prepare", StandardScaler()), ("model", estimator)])
        model = CalibratedClassifierCV(pipeline, method="sigmoid", cv=3, ensemble=False, n_jobs=1)
        models[kind] = fit(model, X, Y)
    return models


def test_a_leaf_gives_the_log_odds_of_its_rows_and_a_few_of_the_root():
    tree = LogOddsTree(max_leaf_nodes=4, random_state=1).fit(X, Y)
    leaves = tree.apply(X)
    leaf = leaves[0]
    rows, churners = (leaves == leaf).sum(), Y[leaves == leaf].sum()
    prior = (Y.sum() + ROOT_PRIOR) / (len(Y) + 2 * ROOT_PRIOR)
    share = (churners + PRIOR_ROWS * prior) / (rows + PRIOR_ROWS)
    assert tree.decision_function(X[:1])[0] == pytest.approx(np.log(share / (1 - share)))
    pure = LogOddsTree().fit([[0.0], [1.0]], [0, 1])
    assert np.isfinite(leaf_log_odds(pure.tree_)).all()


def test_a_forest_whose_trees_drew_no_churner_still_tells_customers_apart():
    # A bootstrap of 300 among 3,000 rows with six churners: about half of the trees draw none.
    churned = np.zeros(3000, dtype=int)
    churned[np.argsort(-X[:3000, 0])[:6]] = 1
    forest = LogOddsForest(n_estimators=20, max_leaf_nodes=16, max_samples=0.1, random_state=1)
    forest.fit(X[:3000], churned)
    assert any(tree.tree_.value[0, 0, 1] == 0 for tree in forest.estimators_)
    given = forest.decision_function(X[:3000])
    assert np.isfinite(given).all()
    assert given[churned == 1].min() > np.quantile(given, 0.95)


def test_a_forest_is_the_mean_of_its_trees():
    forest = LogOddsForest(n_estimators=3, max_leaf_nodes=4, random_state=1).fit(X, Y)
    by_hand = [
        leaf_log_odds(tree.tree_)[tree.apply(X[:50].astype(np.float32))] for tree in forest.estimators_
    ]
    assert forest.decision_function(X[:50]) == pytest.approx(np.mean(by_hand, axis=0))


def test_a_forest_calibrated_on_log_odds_means_what_it_says_and_one_on_probabilities_does_not(fitted):
    rng = np.random.default_rng(1)
    fresh = rng.normal(size=(20_000, 4))
    churned = (rng.random(len(fresh)) < 1 / (1 + np.exp(4 - 1.5 * fresh[:, 0] - fresh[:, 1]))).astype(int)
    plain = RandomForestClassifier(n_estimators=20, max_leaf_nodes=16, random_state=1)
    plain = CalibratedClassifierCV(plain, method="sigmoid", cv=3, ensemble=False).fit(X, Y)
    on_log_odds, on_probabilities = (
        evaluate.metrics(churned, model.predict_proba(fresh)[:, 1]) for model in (fitted["forest"], plain)
    )
    assert 0.9 < on_log_odds["calibration_slope"] < 1.1
    assert on_log_odds["calibration_error"] < 0.75 * on_probabilities["calibration_error"]


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_model_of_trees_is_loaded_as_it_was(tmp_path, fitted, kind):
    model = fitted[kind]
    registry = Registry(tmp_path)
    registry.save("churn_20261031_aaaaaaaa", {MODEL: model}, {})
    loaded = registry.load("churn_20261031_aaaaaaaa")
    assert (loaded.predict_proba(X[:500]) == model.predict_proba(X[:500])).all()
    assert are_sound(loaded)


def damage_of_tree(estimator, name, value):
    tree = estimator.estimators_[0].tree_ if isinstance(estimator, LogOddsForest) else estimator.tree_
    getattr(tree, name)[0] = value


def damage_of_boosting(estimator, name, value):
    names = {"children_left": "left", "children_right": "right", "feature": "feature_idx"}
    estimator._predictors[0][0].nodes[names[name]][0] = value


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize(
    ("name", "value"), [("children_left", 10_000), ("children_right", 0), ("feature", 4), ("feature", 9_999)]
)
def test_nodes_that_lead_out_of_the_tree_or_back_are_refused(tmp_path, fitted, kind, name, value):
    model = copy.deepcopy(fitted[kind])
    damage = damage_of_boosting if kind == "boosting" else damage_of_tree
    damage(model.calibrated_classifiers_[0].estimator[-1], name, value)
    assert not are_sound(model)
    registry = Registry(tmp_path)
    registry.save("churn_20261031_aaaaaaaa", {MODEL: model}, {})
    with pytest.raises(InputError, match="lead nowhere"):
        registry.load("churn_20261031_aaaaaaaa")
    assert skops.io.get_untrusted_types(file=tmp_path / "churn_20261031_aaaaaaaa" / MODEL)
