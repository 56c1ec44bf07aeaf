"""The gates of a training: both hold on a sound panel and an honest history, and break on what is planted."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from expectations.__main__ import main
from warehouse import Settings, Warehouse, open_warehouse

TRAINING, AUDIT, DAILY = "run_20261031_01", "run_20260630_01", "run_20260630_02"
AS_OF, PAST = dt.date(2026, 10, 31), dt.date(2026, 6, 30)
LAG = dt.timedelta(days=2)
PEOPLE = [f"C{number}" for number in range(6)]


def run(wh: Warehouse, run_id: str, kind: str, day: dt.date) -> None:
    wh.append(
        "ops.runs",
        pa.table(
            {
                "run_id": [run_id],
                "run_key": [run_id],
                "kind": [kind],
                "as_of_date": [day],
                "knowledge_cutoff_on": [day + LAG],
                "status": ["started"],
                "started_at": [dt.datetime(2026, 11, 1)],
            }
        ),
    )
    wh.append(
        "ops.run_dates",
        pa.table({"run_id": [run_id], "as_of_date": [PAST], "knowledge_cutoff_on": [PAST + LAG]}),
    )


def put(wh: Warehouse, table: str, columns: dict[str, Any]) -> None:
    rows = pa.table(columns)
    wh.create_table(table, rows.schema)
    wh.append(table, rows)


@pytest.fixture
def bank(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A training with its panel, and an audit whose day was published by a daily run."""
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    features = {
        "as_of_date": [PAST] * 6,
        "customer_id": PEOPLE,
        "is_eligible": [True] * 5 + [False],
        "value_tier": ["high", "mid", "low", "low", "low", None],
        "closing_balance": [1.5, 2.0, None, 1e9, 0.1, 7.0],
    }
    with open_warehouse(settings) as wh:
        source = {"source": ["demo"], "policy_set": ["cny"], "reporting_currency_code": ["CNY"]}
        lag = pa.array([LAG.days], pa.int32())
        wh.append("ops.sources", pa.table({**source, "landing_lag_days": lag, "max_rejected_share": [0.02]}))
        for run_id, kind, day in (
            (TRAINING, "training", AS_OF),
            (AUDIT, "audit", PAST),
            (DAILY, "daily", PAST),
        ):
            run(wh, run_id, kind, day)
            wh.execute(f"create schema {run_id}")
        panel = {
            "run_id": [DAILY] * 6,
            "label_status": ["mature"] * 4 + ["gap", "ineligible"],
            "is_churned": pa.array([0, 1, 0, 0, None, None], pa.int32()),
            "label_from_on": [PAST + dt.timedelta(days=31)] * 6,
            "label_to_on": [PAST + dt.timedelta(days=120)] * 6,
        }
        put(wh, f"{TRAINING}.churn_panel", features | panel)
        put(wh, f"{AUDIT}.fct_customer_features", features)
        put(wh, "history.fct_customer_features", features | {"run_id": [DAILY] * 6})
    return settings


def gate(suite: str) -> int:
    return main(["run", "--run", AUDIT if suite == "leakage" else TRAINING, "--suite", suite])


def broken(settings: Settings, suite: str) -> dict[str, tuple[int, str]]:
    """The failed tests of a gate, with their counts and messages."""
    with open_warehouse(settings) as wh:
        rows = wh.query(
            "select test_name, failures, message from ops.test_results where gate = $1 and status = 'fail'",
            [suite],
        ).to_pylist()
    return {row["test_name"]: (row["failures"], row["message"]) for row in rows}


def warned(settings: Settings) -> set[str]:
    """The tests of the leakage suite that did not pass, warnings too."""
    with open_warehouse(settings) as wh:
        rows = wh.query("select test_name from ops.test_results where gate = 'leakage' and status <> 'pass'")
    return set(rows["test_name"].to_pylist())


@pytest.mark.parametrize(("suite", "count"), [("panel", 8), ("leakage", 4)])
def test_a_sound_training_passes(bank: Settings, suite: str, count: int) -> None:
    assert gate(suite) == 0
    with open_warehouse(bank) as wh:
        found = wh.query("select status from ops.test_results where gate = $1", [suite])["status"].to_pylist()
    assert found == ["pass"] * count


BREAKS = [
    ("panel", "labels_begin_after_the_day_of_the_features", "label_from_on = as_of_date"),
    ("panel", "labels_are_known_only_when_their_window_is_over", "label_to_on = date '2026-11-01'"),
    ("panel", "only_mature_rows_have_a_label", "label_status = 'immature'"),
    ("panel", "labels_end_after_they_begin", "label_to_on = date '2026-07-01'"),
    ("panel", "every_label_has_a_first_day", "label_from_on = null"),
    ("panel", "every_label_has_a_last_day", "label_to_on = null"),
    ("panel", "the_run_of_the_features_is_known", "run_id = 'run_19990101_01'"),
    ("leakage", "closing_balance_is_what_was_known", "closing_balance = 1.6"),
    ("leakage", "closing_balance_is_what_was_known", "closing_balance = null"),
    ("leakage", "value_tier_is_what_was_known", "value_tier = null"),
    ("leakage", "is_eligible_is_what_was_known", "is_eligible = false"),
    ("leakage", "the_same_customers_have_features", "as_of_date = date '2026-05-31'"),
]


@pytest.mark.parametrize(
    ("suite", "name", "change"), BREAKS, ids=[f"{name}-{new}" for _, name, new in BREAKS]
)
def test_a_broken_row_closes_the_gate_by_name(bank: Settings, suite: str, name: str, change: str) -> None:
    relation = f"{TRAINING}.churn_panel" if suite == "panel" else f"{AUDIT}.fct_customer_features"
    with open_warehouse(bank) as wh:
        assert wh.execute(f"update {relation} set {change} where customer_id = 'C0'") in (1, -1)
    assert gate(suite) == 1
    found = broken(bank, suite)
    assert set(found) == {name}
    failures, message = found[name]
    assert failures == 1
    assert message.startswith("1 of 6 rows; ")
    assert "airflow backfill" in message or "churn_panel.sql" in message


def test_features_of_a_run_that_knew_too_much_are_refused(bank: Settings) -> None:
    with open_warehouse(bank) as wh:
        wh.execute(
            "update ops.run_dates set knowledge_cutoff_on = date '2026-07-03' where run_id = $1", [DAILY]
        )
    assert gate("panel") == 1
    assert set(broken(bank, "panel")) == {"features_know_no_more_than_the_close_of_their_day"}


def test_the_last_place_of_a_double_is_no_leak(bank: Settings) -> None:
    with open_warehouse(bank) as wh:
        wh.execute(
            f"update {AUDIT}.fct_customer_features set closing_balance = closing_balance * (1 + 1e-12)"
        )
    assert gate("leakage") == 0


def test_a_column_that_history_lacks_is_told(bank: Settings) -> None:
    with open_warehouse(bank) as wh:
        wh.execute(f"alter table {AUDIT}.fct_customer_features add column rate_gap double precision")
    assert gate("leakage") == 1
    assert {name: count for name, (count, _) in broken(bank, "leakage").items()} == {
        "rate_gap_stands_in_history": 6
    }


def test_a_customer_the_archive_never_had_is_told(bank: Settings) -> None:
    with open_warehouse(bank) as wh:
        wh.execute(
            f"insert into {AUDIT}.fct_customer_features (as_of_date, customer_id) values ($1, 'new')", [PAST]
        )
    assert gate("leakage") == 1
    assert set(broken(bank, "leakage")) == {"the_same_customers_have_features"}


@pytest.mark.parametrize(
    ("feature", "erased_on", "code", "severity"),
    [
        ("rfm_recency_score", "2026-07-02", 0, "warn"),
        ("rfm_recency_score", "2026-07-01", 1, "error"),
        ("closing_balance", "2026-07-02", 1, "error"),
    ],
)
def test_features_relative_to_others_may_move_when_one_of_them_is_erased(
    bank: Settings, feature: str, erased_on: str, code: int, severity: str
) -> None:
    """The day was published on the first of July at noon."""
    with open_warehouse(bank) as wh:
        erase_somebody(wh, erased_on)
        for table in ("history", AUDIT):
            wh.execute(f"alter table {table}.fct_customer_features add column rfm_recency_score integer")
            wh.execute(f"update {table}.fct_customer_features set rfm_recency_score = 3")
        wh.execute(f"update {AUDIT}.fct_customer_features set {feature} = 4 where customer_id = 'C0'")
    assert gate("leakage") == code
    with open_warehouse(bank) as wh:
        found = wh.query(
            "select test_name, severity from ops.test_results where gate = 'leakage' and status <> 'pass'"
        ).to_pylist()
    assert found == [{"test_name": f"{feature}_is_what_was_known", "severity": severity}]


def erase_somebody(wh: Warehouse, erased_on: str) -> None:
    """The day was published on the first of July at noon."""
    wh.execute(
        "insert into ops.publications (publication_no, run_id, kind, as_of_date, scores_status,"
        " rows_published, published_at) values (1, $1, 'daily', $2, 'none', 0, $3)",
        [DAILY, PAST, dt.datetime(2026, 7, 1, 12)],
    )
    wh.execute(
        "insert into ops.erasures (receipt_no, customer_hash, reason, author, rows_erased, tables_erased,"
        " erased_at) values ('E1', 'h', 'r', 'a', 1, '{}', $1)",
        [dt.datetime.fromisoformat(erased_on)],
    )


@pytest.mark.parametrize(
    ("feature", "kind", "was", "changes", "broken_rule"),
    [
        # What an erasure explains: a neighbouring score of one of six, a usual value that moves everybody.
        ("rfm_recency_score", "integer", 3, {"C0": "4"}, None),
        ("change_in_rfm_points_1m", "integer", 0, {"C0": "-3"}, None),
        ("ratio_transactions_to_kind_365d", "double precision", 1, dict.fromkeys(PEOPLE, "1.05"), None),
        # And what it does not.
        ("rfm_recency_score", "integer", 3, {"C0": "5"}, "moved_no_further_than_an_erasure_moves_it"),
        ("rfm_recency_score", "integer", 3, {"C0": "null"}, "moved_no_further_than_an_erasure_moves_it"),
        ("rfm_recency_score", "integer", 3, {"C0": "4", "C1": "2"}, "moved_for_few"),
        ("change_in_rfm_points_1m", "integer", 0, {"C0": "4"}, "moved_no_further_than_an_erasure_moves_it"),
        (
            *("ratio_transactions_to_kind_365d", "double precision", 1, {"C0": "1.5"}),
            "moved_no_further_than_an_erasure_moves_it",
        ),
    ],
)
def test_what_an_erasure_does_not_explain_closes_the_gate(
    bank: Settings, feature: str, kind: str, was: int, changes: dict[str, str], broken_rule: str | None
) -> None:
    with open_warehouse(bank) as wh:
        erase_somebody(wh, "2026-07-02")
        for table in ("history", AUDIT):
            wh.execute(f"alter table {table}.fct_customer_features add column {feature} {kind}")
            wh.execute(f"update {table}.fct_customer_features set {feature} = {was}")
        for customer, value in changes.items():
            wh.execute(
                f"update {AUDIT}.fct_customer_features set {feature} = {value} where customer_id = $1",
                [customer],
            )
    assert gate("leakage") == (1 if broken_rule else 0)
    expected = {f"{feature}_is_what_was_known"} | ({f"{feature}_{broken_rule}"} if broken_rule else set())
    assert warned(bank) == expected
