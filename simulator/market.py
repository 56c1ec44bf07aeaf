"""What surrounds the customers: branches, the product shelf, exchange rates and interest rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from simulator import columns
from simulator.calendar import add_months
from simulator.parameters import Parameters

REPORTING_CURRENCY, FOREIGN_CURRENCY = "CNY", "USD"
CURRENCIES = (REPORTING_CURRENCY, FOREIGN_CURRENCY)


@dataclass(frozen=True)
class City:
    """A city with so many branches; `tier` 1 is a metropolis, 3 a smaller city."""

    name: str
    chinese: str
    region: str
    tier: int
    branches: int


CITIES = (
    City("Shanghai", "上海", "East", 1, 5), City("Beijing", "北京", "North", 1, 4),
    City("Shenzhen", "深圳", "South", 1, 3), City("Guangzhou", "广州", "South", 1, 3),
    City("Hangzhou", "杭州", "East", 2, 3), City("Chengdu", "成都", "West", 2, 3),
    City("Chongqing", "重庆", "West", 2, 2), City("Suzhou", "苏州", "East", 2, 2),
    City("Nanjing", "南京", "East", 2, 2), City("Wuhan", "武汉", "Central", 2, 2),
    City("Tianjin", "天津", "North", 2, 2), City("Xi'an", "西安", "West", 2, 1),
    City("Xiamen", "厦门", "South", 3, 1), City("Changsha", "长沙", "Central", 3, 2),
    City("Shenyang", "沈阳", "Northeast", 3, 1), City("Dalian", "大连", "Northeast", 3, 1),
    City("Kunming", "昆明", "West", 3, 1), City("Hefei", "合肥", "East", 3, 1),
    City("Nanchang", "南昌", "Central", 3, 1),
)  # fmt: skip
BRANCH_NAMES = ("Main", "Lakeside", "Station", "University", "Harbour")
BRANCHES = sum(city.branches for city in CITIES)

MONTHS_OF_RATES_BEFORE = 12
USUAL_GAP = 0.001
# By how much a competitor's offer tops the own rate at its height, least and most.
PROMOTION_GAP = (0.006, 0.012)


@dataclass(frozen=True)
class Product:
    """One line of the shelf; `yearly_rate` is paid on balances or charged on loans.

    Where `pays_own_rate`, balances earn the bank's deposit rate of the month instead.
    """

    product_id: str
    name: str
    family: str
    currency: str = REPORTING_CURRENCY
    risk_level: int = -1
    term_months: int = -1
    yearly_rate: float = 0.0
    pays_own_rate: bool = False


SHELF = (
    Product("P01", "Everyday account", "current"),
    Product("P02", "Business account", "current"),
    Product("P03", "Flexible savings", "savings", pays_own_rate=True),
    Product("P04", "Dollar savings", "savings", FOREIGN_CURRENCY, yearly_rate=0.02),
    Product("P05", "Fixed deposit 6 months", "term_deposit", risk_level=1, term_months=6, yearly_rate=0.016),
    Product(
        "P06", "Fixed deposit 12 months", "term_deposit", risk_level=1, term_months=12, yearly_rate=0.019
    ),
    Product(
        "P07", "Fixed deposit 36 months", "term_deposit", risk_level=1, term_months=36, yearly_rate=0.025
    ),
    Product("P08", "Consumer loan", "loan", term_months=36, yearly_rate=0.054),
    Product("P09", "Housing loan", "loan", term_months=240, yearly_rate=0.037),
    Product("P10", "Credit card", "card"),
    Product("P11", "Steady income fund", "wealth", risk_level=2, yearly_rate=0.028),
    Product("P12", "Growth portfolio", "wealth", risk_level=4, yearly_rate=0.041),
    Product("P13", "Household insurance", "insurance", term_months=12),
    Product("P14", "Business loan", "loan", term_months=24, yearly_rate=0.048),
)


def shelf_index(product_id: str) -> int:
    """Position of a product on the shelf."""
    return next(index for index, product in enumerate(SHELF) if product.product_id == product_id)


def branch_city() -> list[int]:
    """The city of each branch, as a position in CITIES."""
    return [position for position, city in enumerate(CITIES) for _ in range(city.branches)]


def branch_sizes() -> np.ndarray:
    """How much larger than others a branch is: the main one of a city most; shape (branches,)."""
    return np.array([1 / (rank + 2) for city in CITIES for rank in range(city.branches)])


def branches(parameters: Parameters) -> pa.Table:
    """The `branches` file."""
    rng = parameters.generator("branches")
    opened = _new_year_before(parameters, 22) + rng.integers(0, 700, BRANCHES)
    cities = branch_city()
    return pa.table(
        {
            "branch_id": columns.identifiers("B", np.arange(1, BRANCHES + 1), 3),
            "branch_name": [
                f"{city.name} {BRANCH_NAMES[rank]} Branch" for city in CITIES for rank in range(city.branches)
            ],
            "city": [CITIES[city].name for city in cities],
            "region": [CITIES[city].region for city in cities],
            "opened_on": columns.dates(opened),
            "valid_from": columns.dates(opened),
        }
    )


def products() -> pa.Table:
    """The `products` file."""
    always = np.full(len(SHELF), -25_567)  # 1900-01-01
    return pa.table(
        {
            "product_id": [product.product_id for product in SHELF],
            "product_name": [product.name for product in SHELF],
            "product_family": [product.family for product in SHELF],
            "currency_code": [product.currency for product in SHELF],
            "risk_level": columns.integers(np.array([product.risk_level for product in SHELF])),
            "term_months": columns.integers(np.array([product.term_months for product in SHELF])),
            "valid_from": columns.dates(always),
        }
    )


def exchange_rates(parameters: Parameters) -> tuple[pa.Table, np.ndarray]:
    """The `exchange_rates` file, one rate a day from the day before the first, and the day of each row."""
    days = np.arange(parameters.first_day - 1, parameters.last_day + 1)
    steps = parameters.generator("exchange_rates").normal(0, 0.0025, len(days))
    drift = np.empty(len(days))
    level = 0.0
    for day, step in enumerate(steps):
        level = 0.995 * level + step
        drift[day] = level
    table = pa.table(
        {
            "currency_code": pa.array([FOREIGN_CURRENCY] * len(days)),
            "rate_on": columns.dates(days),
            "rate_to_reporting": columns.rates(7.15 * np.exp(drift)),
        }
    )
    return table, days


@dataclass(frozen=True)
class DepositRates:
    """Yearly rates on the first of each month from a year before the first day; arrays of shape (months,).

    `gap` is how much more competitors pay for deposits than this bank does: 0.01 is one percentage point.
    """

    days: np.ndarray
    policy: np.ndarray
    own: np.ndarray
    competitor: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """What competitors pay above the own rate; shape (months,)."""
        return self.competitor - self.own

    def gap_on(self, days: np.ndarray) -> np.ndarray:
        """The gap in force on each day, that of the first month before the data begin; shape (n,)."""
        return self.gap[self._month_of(days)]

    def own_on(self, days: np.ndarray) -> np.ndarray:
        """The own deposit rate in force on each day; shape (n,)."""
        return self.own[self._month_of(days)]

    def _month_of(self, days: np.ndarray) -> np.ndarray:
        return np.maximum(np.searchsorted(self.days, days, side="right") - 1, 0)


def deposit_rates(parameters: Parameters) -> DepositRates:
    """The central bank's steps, the own rate that follows them, and competitors with their offers."""
    rng = parameters.generator("market_environment")
    months = np.arange(-MONTHS_OF_RATES_BEFORE, parameters.months)
    policy = 0.031 + np.cumsum(_policy_moves(rng, len(months)))
    policy = np.maximum(policy, 0.005)
    # The own rate takes part in a step a month later; the tariff moves in steps of a twentieth of a point.
    followed = np.concatenate([policy[:1], policy[:-1]])
    own = np.rint(followed * 0.42 * 2000) / 2000
    usual_gap = np.clip(USUAL_GAP + np.cumsum(rng.normal(0, 0.00015, len(months))), 0, 0.0025)
    competitor = own + np.maximum(usual_gap, _promotions(rng, len(months)))
    days = add_months(np.full(len(months), parameters.first_day), months)
    return DepositRates(days=days, policy=policy, own=own, competitor=np.round(competitor, 4))


def market_environment(parameters: Parameters) -> tuple[pa.Table, np.ndarray]:
    """The `market_environment` file, the first of each month from a year before the first, and those days."""
    rates = deposit_rates(parameters)
    inflation = parameters.generator("consumer prices").normal(0.0012, 0.0025, len(rates.days))
    table = pa.table(
        {
            "market_on": columns.dates(rates.days),
            "policy_rate": columns.rates(rates.policy),
            "own_deposit_rate": columns.rates(rates.own),
            "competitor_deposit_rate": columns.rates(rates.competitor),
            "cpi_index": columns.rates(100 * np.exp(np.cumsum(inflation))),
        }
    )
    return table, rates.days


def _policy_moves(rng: np.random.Generator, size: int) -> np.ndarray:
    """Policy moves: mostly none, now and then ten basis points, more often down than up."""
    return np.array([0.0, -0.001, 0.001])[columns.draw(rng, (0.86, 0.09, 0.05), size)]


def _promotions(rng: np.random.Generator, size: int) -> np.ndarray:
    """Competitors' bonus by month: 0 between offers, which rise, hold some months and fade; shape (size,)."""
    bonus = np.zeros(size)
    month = int(rng.integers(1, 5))
    while month < size:
        held = int(rng.integers(2, 5))
        shape = np.concatenate([[0.5], np.ones(held), [0.5]])[: size - month]
        bonus[month : month + len(shape)] = rng.uniform(*PROMOTION_GAP) * shape
        month += held + 2 + int(rng.integers(3, 7))
    return bonus


def _new_year_before(parameters: Parameters, years: int) -> int:
    """First of January so many years before the bank's first day."""
    year = np.datetime64(parameters.first_day, "D").astype("datetime64[Y]").astype(int) + 1970
    return int((np.datetime64(f"{year - years}-01-01") - np.datetime64("1970-01-01")).astype(int))
