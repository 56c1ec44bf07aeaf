"""The monthly hazard of leaving: what drives it, how strongly, and its mean over the noise.

For who is at risk at the start of a month, the chance to begin leaving by choice within it is
h = 1 - exp(-exp(eta)), eta = intercept(turnover) + the contributions of the drivers + noise, the noise drawn
from N(0, SIGMA^2) for each customer and month. This is the complementary log-log link: exp(eta) is the
cumulative hazard of the month.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator import engagement, market, means
from simulator.calendar import Days, add_months
from simulator.campaigns import Contacts
from simulator.engagement import Engagement
from simulator.holdings import Intended
from simulator.parameters import Parameters
from simulator.people import Customers

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

SIGMA = 0.5
# Before it a relationship is too young to be counted as lost (the policy's least tenure).
DAYS_BEFORE_RISK = 90


@dataclass(frozen=True)
class Driver:
    """One term of eta: `beta` times x; `sign` says in which direction the hazard moves with what is named."""

    name: str
    beta: float
    sign: int
    meaning: str


DRIVERS = (
    Driver("age", 0.20, -1, "x = (45 - age in years) / 15, within -2 and 2; a business counts as 45"),
    Driver("tenure", 1.8, -1, "x = exp(-years with the bank / 3)"),
    Driver("product_families", 1.2, -1, "x = 1 for who holds one family only, else 0"),
    Driver("assets", 0.8, -1, "x = -log(usual balance / yearly turnover), within -1.2 and 0.5"),
    Driver("transactions", 0.4, -1, "x = -log(acts a month / those usual for the kind), within -1 and 1"),
    Driver("activity", 0.9, -1, "x = 1 - share of the usual activity in the stage of engagement"),
    Driver("balance_trend", 2.0, -1, "x = 1 - share of the usual balance in the stage of engagement"),
    Driver("complaints", 1.5, 1, "x = 1 for who complained in the last six months, else 0"),
    Driver(
        "rate_gap", 0.9, 1, "x = competitors' rate less the own, in points, for who holds deposits or funds"
    ),
)
BETA = {driver.name: driver.beta for driver in DRIVERS}
# What the stage of engagement adds to eta: it drives through the activity and the balance that it leaves.
STAGE_EFFECT = BETA["activity"] * (1 - engagement.ACTIVITY) + BETA["balance_trend"] * (1 - engagement.BALANCE)

# Of people, doubling every eight years of age or so; businesses do not die. The bank blocks anyone.
DEATHS_A_MONTH_AT_60, YEARS_OF_E_FOLD = 1e-4, 11.0
BLOCKS_A_MONTH = {"bank_policy": 5e-5, "fraud_block": 3e-5}

# Turnovers a year in CNY at which the intercepts of persons hold, one a tier; between them the intercept is
# linear in the logarithm, so that nobody's hazard jumps at a cut that the files show only with noise.
TURNOVER_OF_TIERS = (130_000.0, 70_000.0, 36_000.0)
BUSINESS = 3

_GRID_FROM, _GRID_STEP = -16.0, 0.02


@dataclass
class Traits:
    """What a customer is like, whatever the month; arrays of shape (customers,).

    `group` is the planned tier of persons (0 high, 1 mid, 2 low) and 3 for businesses, `turnover` and
    `balance` in CNY, `acts` the usual number of acts a month.
    """

    group: npt.NDArray[np.int8]
    turnover: npt.NDArray[np.float64]
    balance: npt.NDArray[np.float64]
    acts: npt.NDArray[np.float64]


class Hazard:
    """Hazards of all customers by month, without the intercepts; month 0 is that of the first day."""

    def __init__(
        self,
        parameters: Parameters,
        customers: Customers,
        traits: Traits,
        intended: Intended,
        engaged: Engagement,
        contacts: Contacts,
        months: int,
    ) -> None:
        self.customers, self.traits, self.engaged, self.contacts = customers, traits, engaged, contacts
        self._intended = intended
        # Some months more, into which the outlook of the last ones reaches.
        self.starts: Days = add_months(np.full(months + 6, parameters.first_day), np.arange(months + 6))
        self._gap = market.deposit_rates(parameters).gap_on(self.starts - 1) * 100
        _, usual = means.usual_means(customers)
        self._assets = _scaled("assets", -np.clip(np.log(traits.balance / traits.turnover), -0.5, 1.2))
        self._acts = _scaled("transactions", -np.clip(np.log(traits.acts / usual), -1, 1))

    def intercept(self, intercepts: Floats) -> Floats:
        """The intercept of each customer by turnover, from those of high, mid and low tier and of businesses.

        Shape (customers,), that of `intercepts` (4,).
        """
        turnovers, persons = np.log(TURNOVER_OF_TIERS), intercepts[:BUSINESS]
        of_person = np.interp(np.log(self.traits.turnover), turnovers[::-1], persons[::-1])
        is_business = self.traits.group == BUSINESS
        return np.where(is_business, intercepts[BUSINESS], of_person).astype(np.float32)

    def is_at_risk(self, month: int) -> npt.NDArray[np.bool_]:
        """Who has been with the bank long enough at the start of a month; shape (customers,)."""
        return self.customers.opened + DAYS_BEFORE_RISK <= self.starts[month]

    def lasting(self, month: int) -> dict[str, Floats]:
        """Contributions that do not come from engagement, by driver, as of the eve of a month."""
        eve, size = int(self.starts[month]) - 1, len(self.customers)
        age = np.clip((45 - self.customers.age(eve)) / 15, -2, 2)
        single = ~self._intended.holds_second_family(size, eve)
        sensitive = self._intended.holds_rate_sensitive(size, eve)
        return {
            "age": _scaled("age", age),
            "tenure": _scaled("tenure", engagement.newness(self.customers.opened, eve)),
            "product_families": _scaled("product_families", single),
            "assets": self._assets,
            "transactions": self._acts,
            "rate_gap": _scaled("rate_gap", sensitive * self._gap[month]),
        }

    def engagement(self, month: int) -> dict[str, Floats]:
        """Contributions of engagement, by driver, as of the eve of a month."""
        stage = self.engaged.stage[month]
        return {
            "activity": _scaled("activity", 1 - engagement.ACTIVITY)[stage],
            "balance_trend": _scaled("balance_trend", 1 - engagement.BALANCE)[stage],
            "complaints": _scaled("complaints", self.engaged.has_complained(month)),
        }

    def score(self, month: int) -> Floats:
        """eta of a month without intercept and noise, treatment included; shape (customers,)."""
        parts = [*self.lasting(month).values(), *self.engagement(month).values()]
        return sum(parts, self.contacts.log_effect(month, known_by=month - 1))

    def passive_in_all(self, month: int) -> Floats:
        """The chance to be lost within a month for any reason that is not the customer's choice."""
        deaths, *blocks = self.passive(month).values()
        return sum(blocks, deaths)

    def noise(self, parameters: Parameters, month: int) -> Floats:
        """The noise of a month, the same whenever it is asked for; shape (customers,)."""
        rng = parameters.generator(f"hazard noise {month}")
        return SIGMA * rng.standard_normal(len(self.customers), dtype=np.float32)

    def passive(self, month: int) -> dict[str, Floats]:
        """The chance to be lost within a month for each reason that is not the customer's choice."""
        age = self.customers.age(int(self.starts[month]))
        death = DEATHS_A_MONTH_AT_60 * np.exp((age - 60) / YEARS_OF_E_FOLD)
        size = len(self.customers)
        return {
            "death": np.where(self.customers.is_business, 0, np.minimum(death, 0.1)).astype(np.float32),
            **{reason: np.full(size, chance, dtype=np.float32) for reason, chance in BLOCKS_A_MONTH.items()},
        }


def mean_hazard(eta: Floats) -> Floats:
    """E[1 - exp(-exp(eta + noise))] over the noise, from a table; shape of `eta`.

    The table is a Gauss-Hermite sum of 40 nodes; linear between its points, which leaves errors below 1e-5.
    """
    place = np.clip((eta - np.float32(_GRID_FROM)) / np.float32(_GRID_STEP), 0, len(_TABLE) - 2)
    low = place.astype(np.int32)
    return _TABLE[low] + (place - low) * (_TABLE[low + 1] - _TABLE[low])


def _make_table() -> Floats:
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    eta = np.arange(_GRID_FROM, 4, _GRID_STEP)
    hazard = -np.expm1(-np.exp(eta[:, None] + SIGMA * nodes))
    return (hazard @ weights / weights.sum()).astype(np.float32)


def _scaled(name: str, x: Array) -> Floats:
    return (BETA[name] * x).astype(np.float32)


_TABLE = _make_table()
