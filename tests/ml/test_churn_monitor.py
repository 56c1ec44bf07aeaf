"""Monitoring: each check can pass, can alert and can say that it does not know, and only a
reason of the policy asks for a training.
"""

import csv
import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.metrics import roc_auc_score

from ml.churn.__main__ import main
from ml.churn.evaluate import metrics
from ml.churn.monitor import performance
from ml.churn.monitor.fairness import compare
from ml.churn.monitor.findings import Alert
from ml.churn.monitor.performance import Matured, Promise, auc_with_error, check, promises
from ml.churn.monitor.reference import reference
from ml.churn.params import Params
from ml.churn.registry import REFERENCE, Promotion, Registry
from ml.churn.youth import why_too_young
from policy.codes import ModelCheck
from warehouse import open_warehouse

SEED = Path(__file__).resolve().parents[2] / "dbt_project/seeds/policy_model_alerts.csv"
AS_OF = dt.date(2026, 10, 31)
EARLIER, MATURED = dt.date(2026, 9, 30), dt.date(2026, 6, 30)
RUN, VERSION = "run_20261031_09", "churn_20260930_aaaaaaaa"
CUSTOMERS = 1500


def seed_rows(**changed: dict[str, str]) -> list[dict[str, str]]:
    """The rows of the seed; `changed`: other cells by check."""
    with SEED.open() as file:
        rows = list(csv.DictReader(file))
    return [{**row, **changed.get(row["check_name"], {})} for row in rows if row["policy_set"] == "cny"]


def typed_policy(rows: list[dict[str, str]]) -> pa.Table:
    return pa.table(
        {
            "policy_set": [row["policy_set"] for row in rows],
            "check_name": [row["check_name"] for row in rows],
            "threshold": pa.array([float(row["threshold"]) for row in rows]),
            "min_count": pa.array([int(row["min_count"]) for row in rows], pa.int32()),
            "is_retraining_reason": [row["is_retraining_reason"] == "true" for row in rows],
            "effective_from": [dt.date.fromisoformat(row["effective_from"]) for row in rows],
        }
    )


class World:
    """A bank with a champion, two scored days, and scores of a month-end whose outcome is known.

    `features`, `scores` and `customers` are the newest day's tables, to be changed before `put`.
    """

    def __init__(self, bank: Any, params: Params, make_features: Any, make_panel: Any) -> None:
        self.bank, self.params = bank, params
        self.registry = Registry(bank.settings.models_dir)
        self.panel: pa.Table = make_panel(customers=CUSTOMERS, months=12)
        self.features: pa.Table = make_features(rows=CUSTOMERS, as_of_date=AS_OF, seed=5)
        rng = np.random.default_rng(9)
        self.odds = rng.normal(-1.5, 1.5, CUSTOMERS)
        self.probability = np.round(1 / (1 + np.exp(-self.odds)), 8)
        self.churned = (rng.random(CUSTOMERS) < self.probability).astype(int)
        self.reasons = {EARLIER: ["low_activity", "complaint"], AS_OF: ["low_activity", "complaint"]}
        self.scored: dict[dt.date, np.ndarray[Any, Any]] = {
            day: np.arange(CUSTOMERS) for day in (MATURED, EARLIER, AS_OF)
        }
        self.customers = {
            "sex": np.where(np.arange(CUSTOMERS) % 2, "female", "male").tolist(),
            "customer_kind": ["personal"] * CUSTOMERS,
            "age_band": ["25_34"] * CUSTOMERS,
        }
        self.policy = seed_rows()

    def register(self, version: str = VERSION, as_of: dt.date = EARLIER, with_reference: bool = True) -> None:
        mature = self.panel.filter(pc.equal(self.panel["label_status"], "mature")).slice(0, 4 * CUSTOMERS)
        frame = pd.DataFrame(
            {
                name: mature[name].to_pandas()
                for name in ("as_of_date", "is_churned", *self.params.feature_names)
            }
        )
        for feature in self.params.features:
            if feature.is_category:
                frame[feature.name] = pd.Series(mature[feature.name].to_pylist(), dtype=object)
        made = reference(frame, self.params.features, np.tile(self.probability, 4))
        metadata = {
            "as_of_date": as_of.isoformat(),
            "features": [vars(feature) | {"source": []} for feature in self.params.features],
            "metrics": {
                "test": {"auc": roc_auc_score(self.churned, self.probability), "lift_top_decile": 2.4}
            },
        }
        texts = {REFERENCE: json.dumps(made)} if with_reference else {}
        self.registry.save(version, {}, metadata, texts)
        self.registry.promote(Promotion(version, as_of, "for a test"))

    def put(self) -> None:
        """Into the warehouse, as dbt, scoring and publication would have."""
        add = self.bank.add_table
        labels = np.where(
            np.array(self.panel["label_status"].to_pylist()) == "mature",
            np.tile(self.churned, 12),
            None,
        )
        place = self.panel.column_names.index("is_churned")
        panel = self.panel.set_column(place, "is_churned", pa.array(labels.tolist(), pa.int32()))
        self.bank.add_run(RUN, "training", AS_OF, churn_panel=panel)
        add("history.fct_customer_features", self.features)
        ids = [f"c{number:05d}" for number in range(CUSTOMERS)]
        scores = []
        for day, places in self.scored.items():
            told = np.resize(self.reasons.get(day, ["low_activity"]), len(places))
            scores.append(
                pa.table(
                    {
                        "as_of_date": pa.array([day] * len(places), pa.date32()),
                        "customer_id": [ids[place] for place in places],
                        "churn_probability": pa.array(self.probability[places]),
                        "model_version": [VERSION] * len(places),
                        "risk_band": np.where(self.probability[places] >= 0.2, "high", "low"),
                        "reason_1": told,
                    }
                )
            )
        add("history.fct_churn_scores", pa.concat_tables(scores))
        customers = {"as_of_date": pa.array([MATURED] * CUSTOMERS, pa.date32()), "customer_id": ids}
        add("history.dim_customers", pa.table(customers | self.customers))
        add("policy.policy_model_alerts", typed_policy(self.policy))
        with open_warehouse(self.bank.settings) as wh:
            wh.execute("insert into ops.sources values ('demo', 'cny', 'CNY', 1, 0.1)")
            for number, day in enumerate(self.scored, start=1):
                run_id = f"run_{day:%Y%m%d}_01"
                wh.append("ops.run_dates", pa.table({
                    "run_id": [run_id], "as_of_date": [day], "knowledge_cutoff_on": [day],
                }))  # fmt: skip
                wh.append("ops.publications", pa.table({
                    "publication_no": pa.array([number], pa.int32()), "run_id": [run_id], "kind": ["daily"],
                    "as_of_date": [day], "scores_status": ["scored"], "model_version": [VERSION],
                    "rows_published": [1], "published_at": [dt.datetime(2026, 11, 1)],
                }))  # fmt: skip

    def change_feature(self, name: str, values: Any) -> None:
        place = self.features.column_names.index(name)
        self.features = self.features.set_column(place, name, pa.array(values))

    def found(self, check_name: str) -> dict[str, dict[str, Any]]:
        """Rows of a check by subject."""
        rows = self.bank.rows(
            f"select * from ops.model_monitoring where run_id = '{RUN}' and check_name = '{check_name}'"
        )
        return {row["subject"]: row for row in rows}

    def statuses(self) -> dict[str, set[str]]:
        rows = self.bank.rows(f"select * from ops.model_monitoring where run_id = '{RUN}'")
        return {
            name: {row["status"] for row in rows if row["check_name"] == name}
            for name in {row["check_name"] for row in rows}
        }


@pytest.fixture
def world_of(params: Params, make_bank: Any, make_features: Any, make_panel: Any) -> Callable[[Any], World]:
    return lambda settings: World(make_bank(settings), params, make_features, make_panel)


@pytest.fixture
def world(duckdb_settings: Any, world_of: Callable[[Any], World]) -> World:
    return world_of(duckdb_settings)


@pytest.fixture
def monitor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[World], tuple[int, str]]:
    """Run the command on a world: exit code and what it said."""

    def run(world: World, run_id: str = RUN) -> tuple[int, str]:
        for name, value in world.bank.settings.environment().items():
            monkeypatch.setenv(name, value)
        code = main(["monitor", "--run", run_id])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_a_bank_that_has_not_moved_asks_for_nothing(world: World, monitor: Any) -> None:
    world.register()
    world.put()
    code, said = monitor(world)
    statuses = world.statuses()
    assert {name for name, found in statuses.items() if "alert" in found} == set(), said
    assert code == 99
    assert "not asked for" in said
    # Every check of the policy spoke, but the range of what all customers share: this bank shares nothing.
    assert set(statuses) == set(get_args(ModelCheck)) - {"feature_range"}
    known = {name for name, found in statuses.items() if "ok" in found}
    assert set(statuses) - known == set()
    assert set(world.found("feature_psi")) == set(world.params.feature_names)
    # Replaced, not added to.
    rows = len(world.bank.rows("select * from ops.model_monitoring"))
    monitor(world)
    assert len(world.bank.rows("select * from ops.model_monitoring")) == rows


def test_both_engines_find_the_same(
    duckdb_settings: Any, postgres_settings: Any, world_of: Any, monitor: Any
) -> None:
    found = {}
    for settings in (duckdb_settings, postgres_settings):
        world = world_of(settings)
        world.register()
        world.scored[AS_OF] = np.arange(0, CUSTOMERS, 2)
        world.customers["is_elderly"] = [None, True, False] * (CUSTOMERS // 3)
        world.put()
        assert monitor(world)[0] == 99
        columns = "model_version, check_name, subject, status, message"
        rows = world.bank.rows(
            f"select {columns}, reference_value, check_value, threshold_value from ops.model_monitoring"
        )
        found[settings.target] = [
            {name: round(cell, 9) if isinstance(cell, float) else cell for name, cell in row.items()}
            for row in rows
        ]
    assert found["duckdb"] == found["postgres"]
    assert {"is_elderly=unknown", "is_elderly=true"} <= {row["subject"] for row in found["duckdb"]}


def test_one_feature_that_drifts_is_an_alert_and_no_reason_to_train(world: World, monitor: Any) -> None:
    world.register()
    world.change_feature("tenure_days", np.full(CUSTOMERS, 400.0))
    world.change_feature("closing_balance", [None] * CUSTOMERS)
    world.features = world.features.set_column(
        world.features.column_names.index("closing_balance"),
        "closing_balance",
        pa.array([None] * CUSTOMERS, pa.float64()),
    )
    world.put()
    code, _ = monitor(world)
    drifted = {name for name, row in world.found("feature_psi").items() if row["status"] == "alert"}
    assert drifted == {"tenure_days", "closing_balance"}
    nulls = {name: row for name, row in world.found("null_share").items() if row["status"] == "alert"}
    assert set(nulls) == {"tenure_days", "closing_balance"}
    assert nulls["closing_balance"]["check_value"] == 1.0
    assert nulls["closing_balance"]["reference_value"] == pytest.approx(0.1, abs=0.02)
    assert code == 99


def test_many_features_that_drift_ask_for_a_training(world: World, monitor: Any) -> None:
    world.register()
    numbers = [feature.name for feature in world.params.features if not feature.is_category]
    for name in numbers[: len(numbers) // 2]:
        world.change_feature(name, np.full(CUSTOMERS, 123456.0))
    world.put()
    code, said = monitor(world)
    assert world.found("features_drifted")["all"]["status"] == "alert"
    assert code == 0
    assert "features have drifted" in said


def test_scores_that_move_ask_for_a_training(world: World, monitor: Any) -> None:
    world.register()
    world.probability = np.round(1 / (1 + np.exp(-(world.odds + 1))), 8)
    world.put()
    code, _ = monitor(world)
    statuses = world.statuses()
    assert code == 0
    for name in ("score_psi", "mean_score", "calibration_intercept"):
        assert statuses[name] == {"alert"}, name
    # Every score moved alike: the order is as good as it was.
    assert statuses["auc"] == {"ok"}
    assert world.found("calibration_intercept")[VERSION]["check_value"] == pytest.approx(-1, abs=0.25)


def test_scores_that_order_no_more_ask_for_a_training(world: World, monitor: Any) -> None:
    world.register()
    world.churned = np.random.default_rng(4).permutation(world.churned)
    world.put()
    assert monitor(world)[0] == 0
    statuses = world.statuses()
    for name in ("auc", "calibration_slope", "lift_top_decile"):
        assert statuses[name] == {"alert"}, name
    assert world.found("auc")[VERSION]["check_value"] == pytest.approx(0.5, abs=0.06)


def test_volume_coverage_and_reasons_alert_and_ask_for_nothing(world: World, monitor: Any) -> None:
    world.register()
    world.scored[AS_OF] = np.arange(0, CUSTOMERS, 2)
    world.reasons[AS_OF] = ["late_payment", "complaint"]
    world.put()
    code, said = monitor(world)
    statuses = world.statuses()
    for name in ("volume", "coverage", "reason_psi"):
        assert statuses[name] == {"alert"}, (name, said)
    assert "late_payment" in world.found("reason_psi")["all"]["message"]
    assert code == 99


def test_a_group_whose_churners_are_missed_is_an_alert(world: World, monitor: Any) -> None:
    world.register()
    churners = np.flatnonzero(world.churned)
    sex = np.full(CUSTOMERS, "male", dtype=object)
    sex[churners[world.probability[churners] < 0.2]] = "female"
    sex[churners[world.probability[churners] >= 0.2][:20]] = "female"
    world.customers["sex"] = sex.tolist()
    world.put()
    code, _ = monitor(world)
    row = world.found("fairness_tpr")["sex=female"]
    assert row["status"] == "alert"
    assert row["check_value"] < row["reference_value"] == 1.0
    assert code == 99


def test_what_is_the_same_for_all_customers_is_held_to_its_range(world: World, monitor: Any) -> None:
    days = world.panel["as_of_date"].to_pylist()
    place = world.panel.column_names.index("rate_gap")
    world.panel = world.panel.set_column(
        place, "rate_gap", pa.array([0.01 * day.month for day in days], pa.float64())
    )
    world.register()
    world.change_feature("rate_gap", np.full(CUSTOMERS, 0.5))
    world.put()
    monitor(world)
    row = world.found("feature_range")["rate_gap"]
    assert (row["status"], row["check_value"]) == ("alert", 0.5)
    assert "rate_gap" not in world.found("feature_psi")


def test_an_old_champion_asks_for_a_training_once(world: World, monitor: Any) -> None:
    world.register(as_of=dt.date(2026, 7, 30))
    world.put()
    code, said = monitor(world)
    assert code == 0
    assert "93 days before 2026-10-31" in said
    with open_warehouse(world.bank.settings) as wh:
        wh.execute(
            "insert into ops.training_runs (run_id, as_of_date, outcome, trained_at) "
            "values ('r', date '2026-10-31', 'kept_champion', timestamp '2026-11-01 00:00:00')"
        )
    code, said = monitor(world)
    assert code == 99
    assert "trained as of 2026-10-31 already (kept_champion)" in said


def test_the_policy_says_what_is_a_reason(world: World, monitor: Any) -> None:
    world.register(as_of=dt.date(2026, 7, 30))
    world.policy = seed_rows(champion_age={"is_retraining_reason": "false"})
    world.put()
    assert monitor(world)[0] == 99
    assert world.statuses()["champion_age"] == {"alert"}


def test_no_champion_asks_for_a_training(world: World, monitor: Any) -> None:
    world.put()
    code, said = monitor(world)
    assert code == 0
    assert "no champion stands for 2026-10-31" in said
    assert world.statuses() == {"champion_age": {"alert"}}


def test_a_bank_without_outcomes_says_so_and_asks_for_nothing(world: World, monitor: Any) -> None:
    days = world.panel["as_of_date"].to_pylist()
    young = pa.array([day >= dt.date(2026, 6, 30) for day in days])
    place = world.panel.column_names.index("observation_complete")
    world.panel = world.panel.set_column(place, "observation_complete", young)
    world.put()
    # Years of activity, which alone would make it a bank that somebody forgot to train for.
    activity = pa.table({"activity_date": [dt.date(2020, 1, 1)]})
    world.bank.add_table("core.fct_customer_activity_daily", activity)
    assert why_world_is_young(world) is None
    code, said = monitor(world)
    assert "the monitoring of 2026-10-31 found" in str(why_world_is_young(world))
    assert code == 99
    assert "the bank is too young: 1 published month-ends" in said
    assert world.statuses() == {"champion_age": {"unknown"}}


def why_world_is_young(world: World) -> str | None:
    with open_warehouse(world.bank.settings) as wh:
        return why_too_young(wh, AS_OF, world.params.windows)


def test_too_few_churners_are_not_judged(world: World, monitor: Any) -> None:
    world.register()
    world.churned = np.zeros(CUSTOMERS, dtype=int)
    world.churned[:5] = 1
    world.put()
    monitor(world)
    statuses = world.statuses()
    for name in performance.CHECKS:
        assert statuses[name] == {"unknown"}, name
    assert statuses["fairness_tpr"] == {"unknown"}


def test_a_model_registered_without_reference_is_not_judged_by_drift(world: World, monitor: Any) -> None:
    world.register(with_reference=False)
    world.put()
    assert monitor(world)[0] == 99
    assert world.statuses()["features_drifted"] == {"unknown"}
    assert world.statuses()["score_psi"] == {"unknown"}
    assert world.statuses()["auc"] == {"ok"}


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (
            "drop table policy.policy_model_alerts",
            "policy.policy_model_alerts does not exist; load the policy",
        ),
        (
            "update policy.policy_model_alerts set effective_from = date '2027-01-01'",
            "no version of this bank",
        ),
        (f"drop table {RUN}.churn_panel", "build it first: dbt build --selector training"),
        ("update ops.runs set kind = 'daily'", "start one of kind training"),
        ("alter table history.fct_customer_features drop column tenure_days", "misses tenure_days"),
    ],
)
def test_bad_input_is_told(world: World, monitor: Any, break_it: str, said: str) -> None:
    world.register()
    world.put()
    with open_warehouse(world.bank.settings) as wh:
        wh.execute(break_it)
    code, heard = monitor(world)
    assert code == 2
    assert said in heard
    assert len(heard.strip().splitlines()) == 1


def test_auc_and_its_error_are_those_of_delong() -> None:
    rng = np.random.default_rng(2)
    churned = (rng.random(400) < 0.2).astype(float)
    probability = np.round(rng.random(400) * 0.5 + 0.3 * churned, 2)
    value, error = auc_with_error(churned, probability)
    assert value == pytest.approx(roc_auc_score(churned, probability), abs=1e-12)
    churners, stayers = probability[churned == 1], probability[churned == 0]
    wins = (churners[:, None] > stayers) + 0.5 * (churners[:, None] == stayers)
    by_hand = wins.mean(axis=1).var(ddof=1) / len(churners) + wins.mean(axis=0).var(ddof=1) / len(stayers)
    assert error == pytest.approx(np.sqrt(by_hand), abs=1e-12)


def test_noise_alone_is_no_alert_in_95_of_100_small_months() -> None:
    """Scores that are right, on 600 customers: each check stays quiet about as often as it promises."""
    alerts = {name: Alert(name, 0.0, 1, True) for name in performance.CHECKS}
    rng = np.random.default_rng(6)

    def month(customers: int) -> Matured:
        probability = 1 / (1 + np.exp(-rng.normal(-1.5, 1.2, customers)))
        return Matured(VERSION, MATURED, probability, (rng.random(customers) < probability).astype(float))

    truth = month(1_000_000)
    promised = promises({"test": metrics(truth.churned, truth.probability)})
    counted = dict.fromkeys(performance.CHECKS, 0)
    months = 300
    for _ in range(months):
        for finding in check(month(600), promised, alerts):
            counted[finding.check_name] += finding.status == "alert"
    assert all(0.01 < count / months < 0.10 for count in counted.values()), counted


def test_a_test_of_few_customers_promises_with_its_own_error() -> None:
    """Neither a lucky test nor an unlucky month is an alert more often than one in twenty."""
    alerts = {name: Alert(name, 0.0, 1, True) for name in performance.CHECKS}
    rng = np.random.default_rng(8)

    def month() -> Matured:
        probability = 1 / (1 + np.exp(-rng.normal(-1.5, 1.2, 600)))
        return Matured(VERSION, MATURED, probability, (rng.random(600) < probability).astype(float))

    months, alarms = 400, 0
    for _ in range(months):
        test = month()
        promised = {"auc": Promise(*auc_with_error(test.churned, test.probability))}
        found = check(month(), promised, alerts)
        alarms += sum(one.check_name == "auc" and one.status == "alert" for one in found)
    # Were the test taken as exact, 12 %.
    assert 0.02 < alarms / months < 0.08


def test_the_error_of_a_promise_is_that_of_its_interval() -> None:
    figures = {
        "test": {"auc": 0.8, "lift_top_decile": 3.0},
        "intervals": {
            "confidence": 0.9,
            "parts": {"test": {"auc": [0.8 - 0.1645, 0.8 + 0.1645], "lift_top_decile": None}},
        },
    }
    found = promises(figures)
    assert found["auc"] == Promise(0.8, pytest.approx(0.1, abs=1e-4))
    assert found["lift_top_decile"] == Promise(3.0, None)
    # A model that was registered before there were intervals, and a test that had one outcome only.
    assert promises({"test": {"auc": 0.8, "lift_top_decile": None}}) == {"auc": Promise(0.8, None)}
    churned, probability = np.arange(200) % 5 == 0, np.linspace(0.1, 0.5, 200)
    one = Matured(VERSION, MATURED, probability, churned.astype(float))
    alerts = {name: Alert(name, 0.05, 1, True) for name in performance.CHECKS}
    by_name = {finding.check_name: finding for finding in check(one, found, alerts)}
    own = auc_with_error(one.churned, one.probability)[1]
    bound = 0.8 - 1.645 * np.sqrt(own**2 + found["auc"].error ** 2)
    assert by_name["auc"].threshold_value == pytest.approx(bound, abs=1e-12)
    assert "too few churners to say how surely" in by_name["lift_top_decile"].message


def test_a_difference_of_groups_within_chance_is_no_alert() -> None:
    def group(member: str, churners: int, selected: int) -> dict[str, Any]:
        return {"member": member, "churners": churners, "stayers": 0, "selected_churners": selected}

    alert = Alert("fairness_tpr", 0.8, 30, False)
    few = compare("fairness_tpr", "sex", [group("m", 60, 45), group("f", 40, 23)], alert, MATURED)
    many = compare("fairness_tpr", "sex", [group("m", 600, 450), group("f", 400, 230)], alert, MATURED)
    assert [(one.subject, one.status) for one in few + many] == [("sex=f", "ok"), ("sex=f", "alert")]
    assert compare("fairness_tpr", "sex", [group("m", 60, 45)], alert, MATURED) == []
