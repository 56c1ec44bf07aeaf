"""The arithmetic of the risk index's reference: scales, weights of a component, cuts of grades.

The weights of the component are the first eigenvector of the correlation matrix of the scaled indicators,
each turned so that more of it is riskier, made to add up to 1 (Jolliffe, Principal Component Analysis, 2002,
chapter 2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

import numpy as np
import numpy.typing as npt

from policy.codes import LEGAL_AGES
from policy.faults import PolicyError

Floats = npt.NDArray[np.float64]

LOW_END, HIGH_END = 0.05, 0.95
# Of the customers of the reference day, what share gets each grade, the safest first.
GRADE_SHARES = (0.30, 0.30, 0.20, 0.15, 0.05)
CENT, WEIGHT_STEP = Decimal("0.01"), Decimal("0.0001")
FEWEST_INDICATORS = 3
# Below it an indicator is the same for everybody, but for what floating point leaves.
NO_SPREAD = 1e-9


@dataclass(frozen=True)
class Scale:
    """Where an indicator is at its lower end, in its middle and at its upper end."""

    lower: Decimal
    middle: Decimal
    upper: Decimal


@dataclass(frozen=True)
class Component:
    """Weights of the first component that add up to 1, by indicator, and the share of variance explained."""

    weights: dict[str, Decimal]
    explained: Decimal


def fitted_scale(values: Floats) -> Scale | None:
    """From the 5 % to the 95 % quantile of the known of some values, shape (n,), the median in the middle.

    None where all are unknown (NaN) or the ends are one. The middle is half-way where the median is one of
    the ends, as of what few customers have.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    ends = np.quantile(known, (LOW_END, 0.5, HIGH_END), method="inverted_cdf")
    lower, median, upper = (to_step(CENT, value) for value in ends)
    if upper - lower <= CENT:
        return None
    middle = median if lower < median < upper else ((lower + upper) / 2).quantize(CENT, ROUND_FLOOR)
    return Scale(lower, middle, upper)


def within_the_law(ages: Scale) -> Scale | None:
    """A scale of ages without the ages beyond which no difference may be made; None where nothing is left."""
    lower, upper = max(ages.lower, Decimal(LEGAL_AGES[0])), min(ages.upper, Decimal(LEGAL_AGES[1]))
    if lower >= upper:
        return None
    middle = ages.middle if lower < ages.middle < upper else (lower + upper) / 2
    return Scale(*(value.quantize(CENT) for value in (lower, middle, upper)))


def scaled(values: Floats, scale: Scale, direction: int, neutral: float) -> Floats:
    """Places on the scale from 0, safest, to 1, as the macro risk_scaled has them in hundredths; shape (n,).

    `neutral` stands for NaN.
    """
    points = [float(scale.lower), float(scale.middle), float(scale.upper)]
    place = np.interp(values, points, [0.0, 0.5, 1.0])
    return np.where(np.isnan(values), neutral, place if direction == 1 else 1 - place)


def principal_weights(places: Mapping[str, Floats], min_explained: Decimal) -> Component:
    """Weights of the first component of the indicators that vary; `places` are arrays of shape (customers,).

    Raises PolicyError when fewer than FEWEST_INDICATORS vary, the component explains less than
    `min_explained`, or an indicator would count against its direction.
    """
    names = [name for name, place in places.items() if place.std() > NO_SPREAD]
    if len(names) < FEWEST_INDICATORS:
        raise PolicyError(
            f"{len(names)} indicators differ between customers, and {FEWEST_INDICATORS} are needed: of two "
            "the weights are halves whatever they are"
        )
    values, vectors = np.linalg.eigh(np.corrcoef(np.stack([places[name] for name in names])))
    explained = to_step(WEIGHT_STEP, values[-1] / len(names))
    if explained < min_explained:
        raise PolicyError(
            f"the first component explains {explained} of the variance, less than {min_explained}: these "
            "indicators are not one thing; keep the expert weights"
        )
    # An eigenvector has no sign of its own: this one's is such that it points to risk on the whole.
    loadings = vectors[:, -1] * np.sign(vectors[:, -1].sum())
    against = [name for name, loading in zip(names, loadings, strict=True) if loading < 0]
    if against:
        raise PolicyError(
            f"{', '.join(against)} would count against the declared direction in the first component, and "
            "the index fall where risk grows; keep the expert weights, or declare the other direction"
        )
    return Component(weights=dict(zip(names, shares(loadings), strict=True)), explained=explained)


def shares(loadings: Floats) -> list[Decimal]:
    """Loadings as weights of four decimals that add up to exactly 1, by largest remainders; shape (n,)."""
    exact = loadings / loadings.sum() * 10_000
    steps = np.floor(exact).astype(int)
    # Of equal remainders the first.
    order = np.argsort(steps - exact, kind="stable")
    steps[order[: 10_000 - int(steps.sum())]] += 1
    return [int(step) * WEIGHT_STEP for step in steps]


def grade_cuts(score: Floats) -> list[Decimal]:
    """The four cuts that give the customers of the reference GRADE_SHARES; `score` of shape (n,), 0 to 100.

    Raises PolicyError when two cuts fall together.
    """
    edges = np.cumsum(GRADE_SHARES)[:-1]
    cuts = [to_step(CENT, value) for value in np.quantile(score, edges, method="inverted_cdf")]
    if sorted(set(cuts)) != cuts or not 0 < cuts[0] <= cuts[-1] < 100:
        raise PolicyError(
            f"the cuts of the grades would be {', '.join(map(str, cuts))}: too many customers have "
            "one index; take a day with more customers"
        )
    return cuts


def to_step(step: Decimal, value: float) -> Decimal:
    """A number rounded to a step such as 0.01."""
    return Decimal(repr(float(value))).quantize(step)
