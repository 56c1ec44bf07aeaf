"""The latent segments: what kinds of people and small businesses a bank has, and how each kind lives.

A customer's segment is drawn first and shapes everything else. It is in no delivered file: it is what a
segmentation of the files may hope to find again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator import columns

OCCUPATIONS = (
    "employee", "civil_servant", "teacher", "engineer", "medical", "sales", "self_employed",
    "student", "retired",
)  # fmt: skip
EDUCATIONS = ("primary", "secondary", "bachelor", "master")


@dataclass(frozen=True)
class Segment:
    """One kind of customer. Shares and weights need not add up to one; they are scaled where they are used.

    `stock_share` and `joiner_share` are the weights among the customers of the first day and among those who
    join later, each within its kind. `age` is mean, spread, least and greatest age in years, `tenure_years`
    the mean. `occupations` and `educations` are weights in the order of OCCUPATIONS and EDUCATIONS,
    `city_tiers` those of a branch in a city of the first, second and third tier. `digital` shifts the
    log-odds of acting digitally. `turnover` is the median and log-spread of a usual year in CNY,
    `balance_years` the same of the liquid balance, counted in years of turnover. `appetite` is the mean
    appetite for risk, 0 to 4.
    """

    name: str
    stock_share: float
    joiner_share: float
    city_tiers: tuple[float, float, float]
    digital: float
    turnover: tuple[float, float]
    balance_years: tuple[float, float]
    appetite: float
    is_business: bool = False
    age: tuple[float, float, float, float] = (45.0, 0.0, 45.0, 45.0)
    tenure_years: float = 6.0
    occupations: tuple[float, ...] = (1, 0, 0, 0, 0, 0, 0, 0, 0)
    educations: tuple[float, ...] = (1, 0, 0, 0)


SEGMENTS = (
    Segment(
        "young_digital", 0.25, 0.45, city_tiers=(5, 3, 2), digital=0.8,
        turnover=(44_000, 0.45), balance_years=(0.95, 0.35), appetite=2.5, age=(26, 4.5, 18, 35),
        tenure_years=3.5, occupations=(42, 5, 5, 16, 6, 18, 8, 0, 0), educations=(2, 28, 55, 15),
    ),
    Segment(
        "family_builders", 0.32, 0.27, city_tiers=(3, 4, 3), digital=0.3,
        turnover=(66_000, 0.42), balance_years=(1.1, 0.4), appetite=2.1, age=(38, 5.5, 26, 52),
        tenure_years=7, occupations=(40, 10, 9, 14, 9, 14, 4, 0, 0), educations=(5, 40, 43, 12),
    ),
    Segment(
        "affluent_investors", 0.11, 0.07, city_tiers=(6, 3, 1), digital=0.4,
        turnover=(115_000, 0.5), balance_years=(2.4, 0.65), appetite=2.9, age=(50, 10, 30, 85),
        tenure_years=9, occupations=(25, 14, 6, 20, 14, 10, 11, 0, 0), educations=(2, 18, 50, 30),
    ),
    Segment(
        "traditional_seniors", 0.22, 0.09, city_tiers=(2, 3, 5), digital=-0.4,
        turnover=(42_000, 0.42), balance_years=(2.0, 0.55), appetite=1.0, age=(67, 8, 52, 92),
        tenure_years=12, occupations=(50, 12, 10, 4, 6, 6, 12, 0, 0), educations=(32, 50, 15, 3),
    ),
    Segment(
        "entrepreneurs", 0.10, 0.12, city_tiers=(3, 4, 3), digital=0.5,
        turnover=(86_000, 0.48), balance_years=(1.0, 0.4), appetite=2.8, age=(43, 9, 23, 70),
        tenure_years=6, occupations=(0, 0, 0, 0, 0, 10, 90, 0, 0), educations=(12, 48, 32, 8),
    ),
    Segment(
        "shops", 0.6, 0.55, city_tiers=(3, 4, 3), digital=0.2,
        turnover=(270_000, 0.7), balance_years=(0.95, 0.4), appetite=1.8, is_business=True, tenure_years=6,
    ),
    Segment(
        "services", 0.4, 0.45, city_tiers=(5, 4, 1), digital=1.0,
        turnover=(420_000, 0.8), balance_years=(1.2, 0.5), appetite=2.2, is_business=True, tenure_years=5,
    ),
)  # fmt: skip


def draw_segments(
    rng: np.random.Generator, is_business: npt.NDArray[np.bool_], is_joiner: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """The segment of each customer, as a position in SEGMENTS; shape (customers,)."""
    segment = np.zeros(len(is_business), dtype=np.int64)
    for business in (False, True):
        for joiner in (False, True):
            rows = (is_business == business) & (is_joiner == joiner)
            weights = [
                (entry.joiner_share if joiner else entry.stock_share) * (entry.is_business == business)
                for entry in SEGMENTS
            ]
            segment[rows] = columns.draw(rng, weights, int(rows.sum()))
    return segment


def draw_by_segment(
    rng: np.random.Generator,
    segment: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
) -> npt.NDArray[np.int64]:
    """Codes drawn by weights of shape (segments, codes), each customer by those of the own segment; (n,)."""
    edges = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
    draws = rng.random(len(segment))
    # Column by column, so that memory is one array of customers however many codes there are.
    code = np.zeros(len(segment), dtype=np.int64)
    for column in range(weights.shape[1] - 1):
        code += draws >= edges[segment, column]
    return code
