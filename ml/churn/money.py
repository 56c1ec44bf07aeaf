"""What a ranking or a probability of churn is worth in money when offers are made to the riskiest: pure
functions of outcomes (0, 1), scores and a bank's economics, equal scores always kept together.

An offer costs `contact_cost` f a customer. Who would have left accepts it with probability g, stays, and is
worth `lifetime_value` CLV less the `incentive_cost` d; who would have stayed takes the incentive anyway. A
customer who leaves with probability p is therefore worth p g (CLV - d) - (1 - p) d - f to the campaign. In
MPC g is the mean of a Beta distribution; in EMPC it is unknown before the campaign and is integrated out.
Source: Verbraken, Verbeke, Baesens, "A novel profit maximizing metric for measuring classification
performance of customer churn prediction models", IEEE TKDE 25 (2013).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import betainc

from ml.churn.params import Economics

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Profit:
    """Money a customer of the ranked base, and the share of the base that gets the offer."""

    amount: float
    fraction: float


@dataclass(frozen=True)
class OfferList:
    """Who gets the offer under a capacity: `is_listed` (rows,), the smallest value of the list (None: nobody
    is worth an offer), and what the list is expected to bring.
    """

    is_listed: Array
    threshold: float | None
    expected_profit: float


def mean_acceptance(economics: Economics) -> float:
    """The mean of the Beta distribution of who accepts an offer."""
    return economics.acceptance_alpha / (economics.acceptance_alpha + economics.acceptance_beta)


def offer_value(probability: Array, economics: Economics) -> Array:
    """(rows,) what an offer to each customer is worth: p g (CLV - d) - (1 - p) d - f, with the one CLV and
    the mean g of `economics`; so it grows with p alone.
    """
    gained = probability * mean_acceptance(economics) * (economics.lifetime_value - economics.incentive_cost)
    return gained - (1 - probability) * economics.incentive_cost - economics.contact_cost


def tied_groups(churned: Array, score: Array, weight: Array | None = None) -> tuple[Array, Array]:
    """(groups,) customers and churners of each distinct score, riskiest first; `weight` counts rows."""
    scores, group = np.unique(-score, return_inverse=True)
    customers = np.bincount(group, weights=weight, minlength=len(scores)).astype(float)
    ones = churned if weight is None else churned * weight
    return customers, np.bincount(group, weights=ones, minlength=len(scores))


def empc(churned: Array, score: Array, economics: Economics) -> Profit:
    """Expected maximum profit of a churn model, and the expected share of customers who get the offer.

    Exact: for every g the best set of customers is a corner of the convex hull of the ROC curve.
    """
    return empc_of_groups(*tied_groups(churned, score), economics)


def empc_of_groups(customers: Array, churners: Array, economics: Economics) -> Profit:
    """empc() of customers and churners by distinct score, riskiest first; groups must not be empty.

    The edges of the hull are the blocks of the isotonic regression of outcomes on the ranking. A block with
    churn rate r is worth an offer from the g on at which offer_value() of r is zero, so its profit is an
    integral of a straight line in g under a Beta density: two incomplete beta functions.
    """
    hull = isotonic_regression(churners / customers, weights=customers, increasing=False)
    starts = hull.blocks[:-1]
    share, rate = np.add.reduceat(customers, starts) / customers.sum(), hull.x[starts]
    share, rate = share[rate > 0], rate[rate > 0]
    gain = rate * (economics.lifetime_value - economics.incentive_cost)
    cost = (1 - rate) * economics.incentive_cost + economics.contact_cost
    breaks_even = np.minimum(cost / gain, 1.0)
    alpha, beta = economics.acceptance_alpha, economics.acceptance_beta
    # P(g > break-even), and E[g; g > break-even].
    beyond = 1 - betainc(alpha, beta, breaks_even)
    accepted = mean_acceptance(economics) * (1 - betainc(alpha + 1, beta, breaks_even))
    return Profit(float(share @ (gain * accepted - cost * beyond)), float(share @ beyond))


def mpc(churned: Array, score: Array, economics: Economics) -> Profit:
    """Maximum profit at the mean acceptance, and the smallest share of customers that gives it; zero of both
    when no offer pays.
    """
    shares, profits = profit_curve(churned, score, economics)
    best = int(np.argmax(profits))
    return Profit(float(profits[best]), float(shares[best]))


def profit_curve(churned: Array, score: Array, economics: Economics) -> tuple[Array, Array]:
    """Shares of customers who get the offer, 0 first and then by distinct score, riskiest first, and the
    profit a customer of the base at the mean acceptance; both (groups + 1,). Between two points lies a draw
    among equals.
    """
    customers, churners = tied_groups(churned, score)
    listed = np.append(0.0, np.cumsum(customers)) / customers.sum()
    found = np.append(0.0, np.cumsum(churners)) / customers.sum()
    # offer_value() of a mean is the mean of offer_value(): both are straight lines in p.
    gain = found * mean_acceptance(economics) * (economics.lifetime_value - economics.incentive_cost)
    return listed, gain - (listed - found) * economics.incentive_cost - listed * economics.contact_cost


def offer_list(probability: Array, capacity: int, economics: Economics) -> OfferList:
    """The at most `capacity` customers of the greatest offer_value() above zero.

    Equal values are taken or left together, so no order of rows decides: a group that does not fit whole is
    left out, and nobody after it is taken.
    """
    value = offer_value(probability, economics)
    values, group = np.unique(-value[value > 0], return_inverse=True)
    fits = np.cumsum(np.bincount(group, minlength=len(values))) <= capacity
    if not fits.any():
        return OfferList(np.zeros(len(value), dtype=bool), None, 0.0)
    threshold = float(-values[fits][-1])
    is_listed = value >= threshold
    return OfferList(is_listed, threshold, float(value[is_listed].sum()))
