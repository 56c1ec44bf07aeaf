"""Parameters and frames refuse what they do not understand, by name."""

import math
from decimal import Decimal

import pyarrow as pa
import pytest

from ml.churn.errors import InputError
from ml.churn.frame import check_columns, feature_frame, fingerprint, panel_frame
from ml.churn.params import FEATURES_FILE, PARAMS_FILE, Feature, load_params
from ml.churn.pipeline import check_candidates

NUMBER = Feature("closing_balance", "amount", "CZK", None, -1)
WORD = Feature("value_tier", "category", "tier", 365, 0)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seed: 20261031", "seed: 20261031\nspeed: 9", "unknown entries speed"),
        (
            "excluded: [sex",
            "excluded: [tenure_days, sex",
            "excluded by policy and declared as features: tenure_days",
        ),
        ("outcome_days: 90", "outcome_days: 0", "a day at least"),
        ("gap_days:", "gap_dayz:", "gap_dayz"),
        ("max_rows: 300000", "max_rows: 0", "max_rows must be"),
        ("incentive_cost: 10", "incentive_cost: 200", "worth more than the incentive"),
        ("contact_cost: 1 ", "contact_cost: -1 ", "must not be negative"),
        ("acceptance_beta: 14", "acceptance_beta: 0", "must be positive"),
        ("capacity_share: 0.1", "capacity_share: 0", "capacity_share above 0"),
        ("confidence: 0.95", "confidence: 1", "confidence between 0 and 1"),
        ("draws: 500", "draws: 0", "one draw at least"),
        ("split:", "splat: [", "cannot be read"),
        ("method: sigmoid", "method: isotonic", "calibration: method must be sigmoid"),
        ("lifetime_value: 200", "lifetime_value: a lot", "economics: lifetime_value must be a number"),
        ("contact_cost: 1 ", "contact_cost: .nan ", "economics: contact_cost must be a number"),
        ("draws: 500", "draws: 500.5", "evaluation: draws must be a whole number"),
        ("draws: 500", "draws: true", "evaluation: draws must be a whole number"),
        ("gap_days: 30", "gap_days: thirty", "windows: gap_days must be a whole number"),
        ("tie_margin: 0.005", "tie_margin: [0.005]", "tie_margin must be a number"),
        ("seed: 20261031", "seed: -1", "seed must be"),
        ("mlflow: true", "mlflow: 1", "tracking: mlflow must be true or false"),
        ("max_iter: [120, 240]", "max_iter: []", "hist_gradient_boosting: max_iter must list"),
        ("C: [0.01, 0.1, 1.0]", "C: 0.1", "logistic: C must list"),
        (
            "excluded: [sex, age_band, is_elderly, is_disabled, age_years]",
            "excluded: sex",
            "excluded must list",
        ),
        (
            "signed_log_kinds: [amount",
            "signed_log_kinds: [amounts",
            "signed_log_kinds: unknown kinds amounts",
        ),
    ],
)
def test_a_wrong_params_file_is_named_with_its_entry(tmp_path, old, new, words):
    text = PARAMS_FILE.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "params.yaml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"params\.yaml.*") as caught:
        load_params(file)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("max_iter: [120, 240]", "max_iters: [120, 240]", "hist_gradient_boosting: .*max_iters"),
        ("n_estimators: [100]", "n_estimators: [100, -5]", "random_forest: .*n_estimators"),
        ("- name: logistic", "- name: logistics", "unknown candidate logistics"),
    ],
)
def test_candidates_that_cannot_be_built_are_named_before_anything_is_fitted(tmp_path, old, new, words):
    text = PARAMS_FILE.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "params.yaml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=words):
        check_candidates(load_params(file))


def test_no_candidate_at_all_is_refused(tmp_path):
    text = PARAMS_FILE.read_text(encoding="utf-8")
    start, end = text.index("candidates:"), text.index("# Never a feature")
    file = tmp_path / "params.yaml"
    file.write_text(text[:start] + "candidates: []\n" + text[end:], encoding="utf-8")
    with pytest.raises(InputError, match="one candidate at least"):
        load_params(file)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("name: rate_gap\n", "name: tenure_days\n", "declared twice: tenure_days"),
        ("kind: rate\n", "kind: colour\n", "feature rate_gap: kind must be"),
        ("name: rate_gap\n", "name: sex\n", "excluded by policy and declared as features: sex"),
        ("name: rate_gap\n", "nam: rate_gap\n", "features.yaml: cannot be read"),
    ],
)
def test_a_wrong_catalogue_is_named_with_its_entry(tmp_path, old, new, words):
    text = FEATURES_FILE.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "features.yaml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_params(features_file=file)
    assert words in str(caught.value)


def test_the_fingerprint_of_params_ignores_comments_and_sees_content(tmp_path, params):
    file = tmp_path / "params.yaml"
    text = PARAMS_FILE.read_text(encoding="utf-8")
    file.write_text("# another comment\n" + text, encoding="utf-8")
    assert load_params(file).fingerprint() == params.fingerprint()
    file.write_text(text.replace("tie_margin: 0.005", "tie_margin: 0.006"), encoding="utf-8")
    assert load_params(file).fingerprint() != params.fingerprint()


def test_protected_attributes_are_no_features(params):
    assert {"sex", "age_band"} <= set(params.excluded)
    assert not {"sex", "age_band"} & set(params.feature_names)


def test_missing_and_extra_columns_are_all_named():
    with pytest.raises(InputError, match=r"r\.t misses b, c and has undeclared x, y; mend it"):
        check_columns(
            ["a", "x", "sex", "y"], needed=["a", "b", "c"], allowed=["sex"], where="r.t", remedy="mend it"
        )
    check_columns(["sex", "a"], needed=["a"], allowed=["sex"], where="r.t", remedy="")


def test_every_number_becomes_a_double_and_null_nan():
    for values in ([Decimal("1.50"), None], pa.array([1, None], pa.int64()), pa.array([1.5, None])):
        frame = feature_frame(pa.table({"closing_balance": values}), [NUMBER], "r.t")
        assert frame["closing_balance"].dtype == "float64"
        assert math.isnan(frame["closing_balance"][1])
    assert (
        feature_frame(pa.table({"closing_balance": pa.nulls(2)}), [NUMBER], "r.t")["closing_balance"]
        .isna()
        .all()
    )


def test_words_stay_objects_whether_or_not_there_are_nulls():
    for values in (["high", "low"], ["high", None], [None, None]):
        frame = feature_frame(pa.table({"value_tier": pa.array(values, pa.string())}), [WORD], "r.t")
        assert frame["value_tier"].dtype == object
        assert frame["value_tier"].tolist() == values


@pytest.mark.parametrize(
    ("feature", "values", "words"),
    [
        (NUMBER, ["12.5"], "closing_balance is string, declared amount"),
        (WORD, [3.0], "value_tier is double, declared category"),
        (NUMBER, [math.inf], "closing_balance holds infinite values"),
    ],
)
def test_values_of_another_kind_are_refused(feature, values, words):
    with pytest.raises(InputError, match=words):
        feature_frame(pa.table({feature.name: values}), [feature], "r.t")


def test_a_panel_is_sorted_and_its_fingerprint_does_not_see_the_order_of_arrival(make_panel, params):
    table = mature(make_panel(customers=20))
    shuffled = table.take(list(range(table.num_rows))[::-1])
    one, other = (panel_frame(rows, params.features, [], "p") for rows in (table, shuffled))
    assert one.equals(other)
    assert fingerprint(one, params.features) == fingerprint(other, params.features)
    other.loc[3, "closing_balance"] = 12.0
    assert fingerprint(one, params.features) != fingerprint(other, params.features)


def test_the_fingerprint_sees_what_figures_are_made_of(make_panel, params):
    table = mature(make_panel(customers=20))
    index = pa.array([None, *range(1, table.num_rows)], pa.float64())
    rows = panel_frame(
        table.append_column("risk_index_score", index), params.features, ["risk_index_score"], "p"
    )
    same = rows.copy()
    assert fingerprint(same, params.features) == fingerprint(rows, params.features)
    rows.loc[3, "risk_index_score"] = 99.5
    assert fingerprint(same, params.features) != fingerprint(rows, params.features)


def test_a_repeated_customer_and_a_label_beyond_one_are_refused(make_panel, params):
    table = mature(make_panel(customers=5))
    with pytest.raises(InputError, match="more than one row"):
        panel_frame(pa.concat_tables([table, table.slice(0, 1)]), params.features, [], "p")
    wrong = table.set_column(3, "is_churned", pa.array([2] * table.num_rows))
    with pytest.raises(InputError, match="0 or 1"):
        panel_frame(wrong, params.features, [], "p")


def mature(panel):
    return panel.filter(pa.compute.equal(panel["label_status"], "mature"))
