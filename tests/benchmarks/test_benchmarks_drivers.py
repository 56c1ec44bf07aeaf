"""Reasons are held against what was planted: who is driven by what, and whether a reason tells it."""

import numpy as np
import pytest

from benchmarks.drivers import REASONS_OF_DRIVER, DriverShare, driver_table, told_drivers
from ml.churn.params import load_features
from simulator.hazard import DRIVERS


def test_every_planted_driver_but_age_can_be_told():
    assert set(REASONS_OF_DRIVER) == {driver.name for driver in DRIVERS} - {"age"}
    reasons = {reason for told in REASONS_OF_DRIVER.values() for reason in told}
    assert reasons <= {feature.reason for feature in load_features()}


def test_the_driver_is_what_adds_most_beyond_its_mean():
    planted = {name: np.zeros(5) for name in REASONS_OF_DRIVER}
    # All have the same large tenure: it drives nobody.
    planted["tenure"] = np.full(5, 2.0)
    planted["complaints"] = np.array([1.5, 1.5, 0, 0, 0])
    planted["rate_gap"] = np.array([0, 0, 0.9, 0.9, 0])
    told = [
        ["dissatisfied", "low_assets", None],
        ["low_assets", "rate_gap", "complaint", None],
        ["rate_gap"],
        ["low_assets", "few_products", "complaint", "rate_gap"],
        [None],
    ]
    found = {one.driver: one for one in told_drivers(planted, told, np.ones(5, dtype=bool))}
    assert found["complaints"] == DriverShare("complaints", 2, 0.5, 1.0)
    assert found["rate_gap"] == DriverShare("rate_gap", 2, 0.5, 0.5)
    assert found["tenure"] == DriverShare("tenure", 0, None, None)
    # The last customer has nothing beyond the mean.
    assert found["all"] == DriverShare("all", 4, 0.5, 0.75)
    counted = {one.driver: one for one in told_drivers(planted, told, np.arange(5) == 1)}
    assert counted["all"] == DriverShare("all", 1, 0.0, 1.0)
    table = driver_table(list(found.values()))
    assert "| complaints | complaint, dissatisfied | 2 | 50.0% | 100.0% |" in table
    assert "| tenure | new_relationship | 0 | none | none |" in table


def test_drivers_of_another_simulator_are_an_error():
    with pytest.raises(KeyError):
        told_drivers({"weather": np.ones(2)}, [[None], [None]], np.ones(2, dtype=bool))
