"""PSI on frozen bins: published check values, noise, and the reference that a model is stored with."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

from ml.churn.monitor.psi import noise, psi, psi_of_counts, shares
from ml.churn.monitor.reference import bin_names, count, reference
from ml.churn.params import Feature

BALANCE = Feature(name="balance", kind="amount", unit="CNY", window=None, sign=-1)
BAND = Feature(name="band", kind="category", unit="band", window=None, sign=0)
GAP = Feature(name="gap", kind="rate", unit="rate", window=None, sign=1)


@pytest.mark.parametrize(
    ("actual", "expected_psi"), [((0.18, 0.38, 0.44), 0.00694548), ((0.1, 0.3, 0.6), 0.17917595)]
)
def test_published_check_values(actual: tuple[float, ...], expected_psi: float) -> None:
    assert psi(np.array([0.2, 0.4, 0.4]), np.array(actual)) == pytest.approx(expected_psi, abs=5e-9)
    # Counts whose bins are all filled are their shares: smoothing changes nothing.
    of_counts, bins = psi_of_counts(np.array([200, 400, 400]), np.array(actual) * 500)
    assert of_counts == pytest.approx(expected_psi, abs=5e-9)
    assert bins == 3


def test_an_empty_bin_counts_as_half_a_row() -> None:
    assert shares(np.array([0, 5, 5])).tolist() == [0.05, 0.5, 0.5]
    value, bins = psi_of_counts(np.array([5, 5, 0]), np.array([0, 10, 0]))
    assert value == pytest.approx((0.05 - 0.5) * np.log(0.1) + (1 - 0.5) * np.log(2))
    assert bins == 2


def test_the_noise_bound_holds_for_95_of_100_samples_of_one_population() -> None:
    rng = np.random.default_rng(3)
    population = np.full(10, 0.1)
    drawn = [
        psi_of_counts(rng.multinomial(4000, population), rng.multinomial(500, population))[0]
        for _ in range(2000)
    ]
    share_below = np.mean(np.array(drawn) < noise(10, 4000, 500))
    assert 0.93 < share_below < 0.97
    assert noise(1, 4000, 500) == 0.0


def panel(rows: int = 1000) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    days = np.where(np.arange(rows) % 2, dt.date(2026, 5, 31), dt.date(2026, 6, 30))
    balance = np.where(rng.random(rows) < 0.4, 0.0, np.round(rng.lognormal(8, 1, rows), 2))
    balance[rng.random(rows) < 0.1] = np.nan
    return pd.DataFrame(
        {
            "as_of_date": days.astype(object),
            "is_churned": (rng.random(rows) < 0.1).astype(int),
            "balance": balance,
            "band": pd.Series(rng.choice(["low", "high", None], rows).tolist(), dtype=object),
            "gap": np.where(days == dt.date(2026, 5, 31), 0.01, 0.02),
        }
    )


def test_reference_freezes_distinct_deciles_and_counts_nulls_apart() -> None:
    rows = panel()
    made = json.loads(json.dumps(reference(rows, [BALANCE, BAND, GAP], np.full(1000, 0.1))))
    profile = made["features"]["balance"]
    # Forty of a hundred are zero: four deciles are one edge.
    assert profile["edges"][0] == 0.0
    assert profile["edges"] == sorted(set(profile["edges"]))
    assert len(profile["edges"]) in (5, 6)
    assert profile["counts"][0] == (rows["balance"] == 0).sum()
    assert profile["counts"][-1] == rows["balance"].isna().sum()
    assert sum(profile["counts"]) == made["rows"] == 1000
    assert len(bin_names(profile)) == len(profile["counts"])
    assert made["score"]["edges"] == [0.1]
    assert made["churn_rate"] == rows["is_churned"].mean()
    assert (made["first_date"], made["last_date"]) == ("2026-05-31", "2026-06-30")


def test_a_value_lies_in_the_bin_that_its_name_says() -> None:
    profile = {"kind": "number", "edges": [0.0, 10.0]}
    counted = count(profile, pd.Series([-5.0, 0.0, 0.1, 10.0, 11.0, 12.0, np.nan]))
    assert dict(zip(bin_names(profile), counted.tolist(), strict=True)) == {
        "<= 0": 2, "(0, 10]": 2, "> 10": 2, "null": 1,
    }  # fmt: skip


def test_a_category_that_training_never_saw_is_other() -> None:
    profile = reference(panel(), [BAND], np.full(1000, 0.1))["features"]["band"]
    counted = count(profile, pd.Series(["low", "vip", None, None], dtype=object))
    assert dict(zip(bin_names(profile), counted.tolist(), strict=True)) == {
        "high": 0, "low": 1, "other": 1, "null": 2,
    }  # fmt: skip


def test_a_feature_of_nulls_only_has_one_bin_and_that_of_nulls() -> None:
    rows = panel().assign(balance=np.nan)
    profile = reference(rows, [BALANCE], np.full(1000, 0.1))["features"]["balance"]
    assert profile == {"kind": "number", "edges": [], "counts": [0, 1000]}
    assert bin_names(profile) == ["any", "null"]


def test_what_all_customers_share_on_a_day_keeps_its_range_and_no_bins() -> None:
    made = reference(panel(), [GAP], np.full(1000, 0.1))
    assert made["features"]["gap"] == {"kind": "common", "low": 0.01, "high": 0.02}
