"""Exit interviews: some of those who leave by choice are asked why, and where their money goes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from simulator import columns, leaving
from simulator.calendar import Days
from simulator.parameters import Parameters
from simulator.people import customer_ids
from simulator.plan import Plan

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

# Silence is noticed too late to ask. The others are asked some weeks after the bank could see that they left.
ASKED_FORMS = (leaving.CLOSURE, leaving.DRAIN)
ANSWERING_SHARE = 0.6
DAYS_UNTIL_ASKED = (3, 35)
# The weight of each reason: what is usual, and what the driver behind it adds to the log hazard.
REASONS = {
    "better_rate": 0.15,
    "poor_service": 0.15,
    "fees": 0.2,
    "moving": 0.2,
    "product_missing": 0.15,
    "other": 0.15,
}
REASON_OF_DRIVER = {"rate_gap": "better_rate", "complaints": "poor_service"}


def exit_interviews(parameters: Parameters, truth: Plan) -> tuple[pa.Table, Days]:
    """The `exit_interviews` file and the day of each row, on which it was known too; in order of days."""
    rng = parameters.generator("exit interviews")
    size = len(truth.left)
    answers = rng.random(size) < ANSWERING_SHARE
    asked = truth.churned + rng.integers(DAYS_UNTIL_ASKED[0], DAYS_UNTIL_ASKED[1] + 1, size)
    draw = rng.random(size)
    answers &= truth.is_voluntary & np.isin(truth.form, ASKED_FORMS) & (asked <= parameters.last_day)
    customer = np.flatnonzero(answers)
    customer = customer[np.argsort(asked[customer], kind="stable")]
    edges = np.cumsum(_weights(truth, customer), axis=1)
    reason = (draw[customer, None] * edges[:, -1:] >= edges[:, :-1]).sum(axis=1)
    table = pa.table(
        {
            "exit_interview_id": columns.identifiers("X", np.arange(1, len(customer) + 1), 8),
            "customer_id": customer_ids(customer),
            "interviewed_on": columns.dates(asked[customer]),
            "reason": columns.labels(tuple(REASONS), reason),
            "destination": columns.labels(leaving.DESTINATIONS, truth.destination[customer]),
        }
    )
    return table, asked[customer]


def _weights(truth: Plan, customer: Array) -> Floats:
    """Weights of the reasons, by what drove each customer in the month of leaving; shape (n, reasons)."""
    weights = np.tile(np.array(list(REASONS.values())), (len(customer), 1))
    month = np.searchsorted(truth.hazard.starts, truth.left[customer], side="right") - 1
    for number in np.unique(month):
        mine = np.flatnonzero(month == number)
        parts = {**truth.hazard.lasting(number), **truth.hazard.engagement(number)}
        for driver, reason in REASON_OF_DRIVER.items():
            weights[mine, list(REASONS).index(reason)] += np.maximum(parts[driver][customer[mine]], 0)
    return weights
