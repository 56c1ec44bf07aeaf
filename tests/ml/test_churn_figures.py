"""The figures of a training, against what was planted, and their rows in ops.model_metrics."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from ml.churn import evaluate, figures, money
from ml.churn.runs import get_run
from warehouse import open_warehouse


def part(seed, rows):
    """A month-end: a score that is right, an index that knows half of it, tiers that know less."""
    rng = np.random.default_rng(seed)
    known, hidden = rng.normal(size=rows), rng.normal(size=rows)
    probability = expit(-2.2 + 0.8 * known + 1.2 * hidden)
    return pd.DataFrame(
        {
            "customer_id": [f"c{number:05d}" for number in range(rows)],
            "is_churned": (rng.random(rows) < probability).astype(int),
            "value_tier": np.where(known + rng.normal(size=rows) > 0, "low", "high"),
            "sex": rng.choice(["female", "male", None], rows, p=[0.495, 0.495, 0.01]),
            "risk_index_score": pd.Series(np.clip(50 + 15 * known, 0, 100), dtype=object),
            "probability": probability,
        }
    )


@pytest.fixture(scope="module")
def parts():
    return part(1, 3000), part(2, 3000)


@pytest.fixture(scope="module")
def quick(params):
    return replace(params, segments=("value_tier", "sex"), evaluation=replace(params.evaluation, draws=100))


@pytest.fixture(scope="module")
def judged(parts, quick):
    return figures.judge(*parts, parts[1]["probability"].to_numpy(), quick)


def test_the_model_is_judged_beside_both_baselines(judged, parts, quick):
    aucs = [judged[name]["auc"] for name in ("test", "risk_index_baseline", "tier_rate_baseline")]
    assert aucs == sorted(aucs, reverse=True)
    again = evaluate.metrics(
        parts[1]["is_churned"].to_numpy(), parts[1]["probability"].to_numpy(), quick.economics
    )
    assert again.items() <= judged["test"].items()
    assert abs(judged["risk_index_baseline"]["calibration_intercept"]) < 0.3


def test_every_ranked_figure_has_an_interval_around_it(judged):
    ranges = judged["intervals"]["parts"]
    assert set(ranges) == {"test", "tier_rate_baseline", "risk_index_baseline"}
    for name in ("auc", "average_precision", "ks", "brier", "calibration_slope", "tpr", "lift_top_decile"):
        low, high = ranges["test"][name]
        assert low < judged["test"][name] < high, name
    assert ranges["test"]["calibration_slope"][0] < 1 < ranges["test"]["calibration_slope"][1]
    assert set(judged["intervals"]["segments"]["sex"]) == {"female", "male", "unknown"}
    # Thirty customers, a handful of churners: too few for an interval.
    assert judged["segments"]["sex"]["unknown"]["churners"] < 10
    assert judged["intervals"]["segments"]["sex"]["unknown"] == {}


def test_a_lead_has_a_narrower_interval_than_two_figures_apart(judged):
    lead = judged["leads"]["tier_rate_baseline"]["auc"]
    assert lead["value"] == pytest.approx(judged["test"]["auc"] - judged["tier_rate_baseline"]["auc"])
    assert 0 < lead["low"] < lead["value"] < lead["high"]
    ranges = judged["intervals"]["parts"]
    apart = sum(ranges[name]["auc"][1] - ranges[name]["auc"][0] for name in ("test", "tier_rate_baseline"))
    assert lead["high"] - lead["low"] < apart
    assert judged["leads"]["risk_index_baseline"]["empc"]["value"] > 0


def test_a_model_that_is_its_baseline_leads_by_nothing(parts, quick):
    train, test = parts
    judged = figures.judge(train, test, evaluate.tier_rate_baseline(train, test), quick)
    for lead in judged["leads"]["tier_rate_baseline"].values():
        assert (lead["value"], lead["low"], lead["high"]) == (0.0, 0.0, 0.0)


def test_the_list_of_a_capacity_by_money(judged, parts, quick):
    found = judged["capacity"]
    probability, churned = parts[1]["probability"].to_numpy(), parts[1]["is_churned"].to_numpy()
    assert (found["places"], found["share"]) == (300, 0.1)
    assert 0 < found["customers"] <= 300
    listed = np.sort(probability)[::-1][: found["customers"]]
    assert found["threshold_probability"] == listed[-1]
    value = money.offer_value(listed, quick.economics)
    assert value[-1] == pytest.approx(found["threshold_value"])
    assert found["expected_profit"] == pytest.approx(value.sum())
    brought = churned[probability >= listed[-1]]
    assert found["churners"] == brought.sum()
    assert found["realised_profit"] == pytest.approx(brought.sum() * 56 - (len(brought) - brought.sum()) * 11)


def test_a_list_has_as_many_places_as_its_share_is_written(parts, quick):
    test = parts[1].head(100)
    params = replace(quick, evaluation=replace(quick.evaluation, capacity_share=0.29))
    found = figures.capacity(test["is_churned"].to_numpy(), np.linspace(0.99, 0.5, 100), params)
    assert (found["places"], found["customers"]) == (29, 29)


def test_a_list_that_pays_for_nobody_is_empty_and_said(parts, quick):
    test = parts[1]
    found = figures.capacity(test["is_churned"].to_numpy(), np.full(len(test), 0.01), quick)
    assert (found["customers"], found["threshold_probability"], found["realised_profit"]) == (0, None, 0.0)


def test_the_curves_end_where_everybody_is_on_the_list(judged):
    curves = judged["curves"]
    assert curves["share"][10] == 0.1
    for name in ("test", "tier_rate_baseline", "risk_index_baseline"):
        assert (curves[name]["tpr"][0], curves[name]["tpr"][-1]) == (0.0, 1.0)
        assert (curves[name]["fpr"][-1], len(curves[name]["fpr"])) == (1.0, 101)
    assert curves["test"]["tpr"][10] == pytest.approx(judged["test"]["gains"][0]["captured"], abs=1e-6)
    assert len({round(curves[name]["profit"][-1], 5) for name in ("test", "tier_rate_baseline")}) == 1


def test_calibration_is_shown_with_wilsons_interval(judged):
    assert sum(one["customers"] for one in judged["calibration"]) == 3000
    for one in judged["calibration"]:
        assert one["low"] < one["observed"] < one["high"]
    # Newcombe 1998: 81 of 263.
    assert figures.wilson(81 / 263, 263, 0.95) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_the_figures_are_the_same_twice_and_plain(parts, quick, judged):
    again = figures.judge(*parts, parts[1]["probability"].to_numpy(), quick)
    assert json.loads(json.dumps(judged, allow_nan=False)) == again


def test_a_panel_without_tiers_and_index_has_no_baselines(parts, quick):
    train, test = (some[["customer_id", "is_churned"]] for some in parts)
    judged = figures.judge(train, test, parts[1]["probability"].to_numpy(), quick)
    assert judged["leads"] == judged["segments"] == {}
    assert "tier_rate_baseline" not in judged
    assert set(judged["curves"]) == {"share", "test"}


def test_too_few_churners_for_an_interval_still_have_figures(parts, quick):
    few = parts[1].assign(is_churned=np.arange(3000) < 9)
    judged = figures.judge(parts[0], few, few["probability"].to_numpy(), quick)
    assert judged["intervals"]["parts"] == {}
    assert judged["test"]["auc"] is not None
    lead = judged["leads"]["tier_rate_baseline"]["auc"]
    assert (lead["low"], lead["high"]) == (None, None)


def test_the_figures_of_a_run_are_rows_and_replaced(bank, judged, quick):
    run_id = bank.add_run("run_20261031_01", "training")
    metadata = {"metrics": judged}
    with open_warehouse(bank.settings) as wh:
        run = get_run(wh, run_id)
        figures.record(wh, run, "churn_a", metadata)
        figures.record(wh, run, "churn_b", metadata)
    rows = bank.rows("select * from ops.model_metrics")
    assert {row["model_version"] for row in rows} == {"churn_b"}
    keys = [(row["part"], row["dimension"], row["member"], row["metric"]) for row in rows]
    assert len(keys) == len(set(keys))
    by_key = dict(zip(keys, rows, strict=True))
    auc = by_key["test", "all", "all", "auc"]
    assert auc["metric_value"] == judged["test"]["auc"]
    assert [auc["low_value"], auc["high_value"]] == judged["intervals"]["parts"]["test"]["auc"]
    female = by_key["test", "sex", "female", "tpr"]
    assert female["metric_value"] == judged["segments"]["sex"]["female"]["tpr"]
    assert female["low_value"] < female["metric_value"] < female["high_value"]
    lead = by_key["over_tier_rate_baseline", "all", "all", "empc"]
    assert lead["low_value"] == judged["leads"]["tier_rate_baseline"]["empc"]["low"]
    assert by_key["test", "all", "all", "lift_decile_1"]["metric_value"] == judged["test"]["lift_top_decile"]
    assert by_key["test", "all", "all", "captured_decile_10"]["metric_value"] == pytest.approx(1)
    assert by_key["test", "all", "all", "capacity_places"]["metric_value"] == 300
    assert by_key["risk_index_baseline", "all", "all", "brier_resolution"]["metric_value"] > 0


def test_the_figures_of_an_older_version_are_recorded_as_far_as_it_has_them():
    old = {"test": {"auc": 0.7, "gains": None}, "segments": {}, "tier_rate_baseline": None}
    rows = {row["metric"]: row["metric_value"] for row in figures.metric_rows(old)}
    assert (rows["auc"], rows["empc"]) == (0.7, None)
