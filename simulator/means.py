"""What customers usually turn over and keep: the scale of everything they do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simulator.parameters import Parameters
from simulator.people import Customers
from simulator.segments import SEGMENTS

Floats = npt.NDArray[np.float64]

# Makes up for what cooling, leaving and the short tenure of joiners take from the planned turnover, so that
# 20 % of open personal customers reach 100,000 CNY in a trailing year and 40 % lie between 50,000 and that.
MEASURED_SHORTFALL = 1.04
# Below this a single large month would look like money leaving for good.
LEAST_BALANCE_YEARS = 0.65
# A turnover a year in CNY and the acts a month of who has it.
PERSONAL_USUAL, BUSINESS_USUAL = (60_000, 2.9), (320_000, 8.0)


def draw_turnover(parameters: Parameters, customers: Customers) -> Floats:
    """Customer-initiated turnover of a usual year in CNY, log-normal by segment; shape (customers,)."""
    rng = parameters.generator("turnover")
    return MEASURED_SHORTFALL * _log_normal(rng, [segment.turnover for segment in SEGMENTS], customers)


def draw_balance(parameters: Parameters, customers: Customers, turnover: Floats) -> Floats:
    """The liquid balance that a customer usually keeps, in CNY; shape (customers,)."""
    rng = parameters.generator("balance")
    years = _log_normal(rng, [segment.balance_years for segment in SEGMENTS], customers)
    return turnover * np.maximum(years, LEAST_BALANCE_YEARS)


def draw_acts(parameters: Parameters, customers: Customers, turnover: Floats) -> Floats:
    """How many acts a month a customer usually initiates; shape (customers,)."""
    usual_turnover, usual_acts = usual_means(customers)
    spread = parameters.generator("acts").lognormal(0, 0.35, len(customers))
    return np.clip(usual_acts * (turnover / usual_turnover) ** 0.35 * spread, 1.8, 40)


def usual_means(customers: Customers) -> tuple[Floats, Floats]:
    """A turnover a year and the acts a month that go with it, by kind; shape (customers,) each."""
    by_kind = np.array([PERSONAL_USUAL, BUSINESS_USUAL])[customers.is_business.astype(np.int64)]
    return by_kind[:, 0], by_kind[:, 1]


def _log_normal(
    rng: np.random.Generator, by_segment: list[tuple[float, float]], customers: Customers
) -> Floats:
    medians, spreads = np.array(by_segment).T
    deviation = rng.normal(size=len(customers))
    return medians[customers.segment] * np.exp(spreads[customers.segment] * deviation)
