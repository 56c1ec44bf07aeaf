"""What customers usually turn over and keep: the scale of everything they do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simulator.parameters import Parameters
from simulator.people import Customers
from simulator.segments import SEGMENTS

Floats = npt.NDArray[np.float64]

# Below this a single large month would look like money leaving for good.
LEAST_BALANCE_YEARS = 0.65


def draw_turnover(parameters: Parameters, customers: Customers) -> Floats:
    """Customer-initiated turnover of a usual year in CNY, log-normal by segment; shape (customers,)."""
    rng = parameters.generator("turnover")
    return _log_normal(rng, [segment.turnover for segment in SEGMENTS], customers)


def draw_balance(parameters: Parameters, customers: Customers, turnover: Floats) -> Floats:
    """The liquid balance that a customer usually keeps, in CNY; shape (customers,)."""
    rng = parameters.generator("balance")
    years = _log_normal(rng, [segment.balance_years for segment in SEGMENTS], customers)
    return turnover * np.maximum(years, LEAST_BALANCE_YEARS)


def _log_normal(
    rng: np.random.Generator, by_segment: list[tuple[float, float]], customers: Customers
) -> Floats:
    medians, spreads = np.array(by_segment).T
    deviation = rng.normal(size=len(customers))
    return medians[customers.segment] * np.exp(spreads[customers.segment] * deviation)
