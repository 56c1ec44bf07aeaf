"""Scores with their reasons: the same for every batch size and both engines, additive, in order."""

import datetime as dt
import threading
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from rich.progress import Progress
from scipy.special import expit

from ml.churn import score
from ml.churn.errors import InputError
from ml.churn.explain import Explainer
from ml.churn.fit import train
from ml.churn.frame import panel_frame
from ml.churn.params import Candidate
from ml.churn.registry import Promotion, Registry
from ml.churn.score import REASONS_TOLD, SCORES, largest, run_scoring, score_batch
from warehouse import open_warehouse

AS_OF = dt.date(2026, 10, 31)
RUN = "run_20261031_02"
VERSION = "churn_20261031_boosting"
MOMENT = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def registry(tmp_path_factory, params, make_panel):
    """A registry whose champion is a small boosting."""
    settings = {"max_leaf_nodes": [6], "max_iter": [20], "min_samples_leaf": [20]}
    boosting = replace(params, candidates=(Candidate("hist_gradient_boosting", settings),))
    panel = make_panel(customers=400)
    mature = panel.filter(pc.equal(panel["label_status"], "mature"))
    found = Registry(tmp_path_factory.mktemp("registry"))
    rows = panel_frame(mature, params.features, [], "panel")
    found.save(VERSION, *train(rows, boosting, Progress(disable=True)))
    found.promote(Promotion(VERSION, AS_OF, "the first model"))
    return found


@pytest.fixture(scope="module")
def explainer(registry, params):
    return Explainer(registry.load(VERSION), params.features, params.excluded, VERSION)


def test_a_batch_scores_as_its_rows_do_alone(make_features, params, explainer):
    batch = make_features(50).combine_chunks().to_batches()[0]

    def scored(part):
        return score_batch(part, explainer, list(params.features), VERSION, MOMENT, "features")

    whole = scored(batch)
    assert whole.num_rows == 50
    assert pa.Table.from_batches([scored(batch.slice(row, 1)) for row in range(50)]).equals(
        pa.Table.from_batches([whole]).combine_chunks()
    )
    assert scored(batch.slice(0, 0)).schema == SCORES
    assert scored(batch.slice(0, 0)).num_rows == 0


def test_scores_add_up_and_are_the_same_on_every_engine_and_for_every_batch(
    duckdb_settings, postgres_settings, make_bank, make_features, params, registry, monkeypatch
):
    found = {}
    features = make_features(rows=500)
    for settings, batch_rows in ((duckdb_settings, 16_384), (postgres_settings, 37)):
        monkeypatch.setattr(score, "BATCH_ROWS", batch_rows)
        monkeypatch.setattr(score, "Registry", lambda root: registry)
        bank = make_bank(settings)
        bank.add_run(RUN, "daily", fct_customer_features=features)
        assert run_scoring(settings, params, RUN, Progress(disable=True))[0] == VERSION
        with open_warehouse(settings) as wh:
            columns = ", ".join(name for name in SCORES.names if name != "scored_at")
            table = wh.query(f"select {columns} from {RUN}.raw_churn_scores order by customer_id")
            moments = wh.query(f"select distinct scored_at from {RUN}.raw_churn_scores")
        assert len(moments) == 1
        found[settings.target] = table.to_pylist()
    assert found["duckdb"] == found["postgres"]
    assert len(found["duckdb"]) == pc.sum(features["is_eligible"]).as_py()
    shown = set()
    for row in found["duckdb"]:
        told = [row[f"contribution_{rank}"] for rank in score.RANKS]
        reasons = [row[f"reason_{rank}"] for rank in score.RANKS]
        amounts = [amount for amount in told if amount is not None]
        assert [reason is None for reason in reasons] == [amount is None for amount in told]
        assert told[: len(amounts)] == sorted(amounts, reverse=True)
        assert all(amount >= score.LEAST_TOLD for amount in amounts)
        assert row["base_log_odds"] + sum(amounts) + row["contribution_rest"] == pytest.approx(
            row["log_odds"], abs=1e-6
        )
        assert expit(row["log_odds"]) == pytest.approx(row["churn_probability"], abs=1e-6)
        assert len(set(reasons[: len(amounts)])) == len(amounts)
        shown |= set(reasons) - {None}
    assert shown <= {feature.reason for feature in params.features}
    assert len(shown) > REASONS_TOLD


def test_a_champion_that_learned_from_what_is_excluded_today_scores_nobody(
    duckdb_settings, make_bank, make_features, params, registry, monkeypatch
):
    monkeypatch.setattr(score, "Registry", lambda root: registry)
    bank = make_bank(duckdb_settings)
    bank.add_run(RUN, "daily", fct_customer_features=make_features())
    later = replace(params, excluded=(*params.excluded, "tenure_days"))
    with pytest.raises(InputError, match=f"{VERSION} learned from tenure_days, which params.yaml excludes"):
        run_scoring(duckdb_settings, later, RUN, Progress(disable=True))
    with open_warehouse(duckdb_settings) as wh:
        assert not wh.exists(f"{RUN}.raw_churn_scores")


def test_the_largest_are_told_in_order_and_the_rest_is_summed():
    reasons = ["a", "b", "c", "d", "e", "f", "g"]
    contributions = np.array(
        [
            [0.1, 0.5, -1.0, 0.05],
            [0.2, 0.5, 0.0, 0.0],
            [0.3, -0.4, -0.2, 2.0],
            [0.4, 0.5, 1e-9, 0.0499999],
            [0.5, 0.0, 0.0, 0.02],
            [0.6, -0.1, 0.0, -0.3],
            [0.7, 0.2, 0.0, 0.0],
        ]
    )
    codes, told, rest = largest(contributions, reasons)
    by_row = list(zip(*(code.to_pylist() for code in codes), strict=True))
    # Equal ones in the order of the reasons; what adds less than a twentieth to the log-odds is not told.
    assert by_row == [
        ("g", "f", "e", "d", "c"),
        ("a", "b", "d", "g", None),
        (None,) * 5,
        ("c", "a", None, None, None),
    ]
    assert [amount.to_pylist()[1] for amount in told] == [0.5, 0.5, 0.5, 0.2, None]
    assert [amount.to_pylist()[3] for amount in told] == [2.0, 0.05, None, None, None]
    np.testing.assert_allclose(rest, [0.3, -0.5, -1.2, -0.2300001], atol=1e-8)


def test_fewer_reasons_than_places_leave_places_empty():
    codes, told, rest = largest(np.array([[0.25], [-1.0]]), ["a", "b"])
    assert [code.to_pylist() for code in codes] == [["a"], [None], [None], [None], [None]]
    assert [amount.to_pylist() for amount in told] == [[0.25], [None], [None], [None], [None]]
    assert rest.tolist() == [-1.0]


def test_batches_come_back_in_their_order_and_few_are_held(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    pulled, first_may_end = [], threading.Event()

    def batches():
        for number in range(20):
            pulled.append(number)
            if number == 2:
                first_may_end.set()
            yield number

    def work(number):
        # The first is done last of those that are under way.
        if number == 0:
            assert first_may_end.wait(10)
        return number

    done = score._in_threads(work, batches())
    assert next(done) == 0
    assert len(pulled) == 3
    assert list(done) == list(range(1, 20))


def test_a_batch_that_fails_ends_the_scoring():
    def work(number):
        if number == 3:
            raise InputError("batch 3")
        return number

    with pytest.raises(InputError, match="batch 3"):
        list(score._in_threads(work, range(100)))
