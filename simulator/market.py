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

CITIES = (
    ("Shanghai", "East"), ("Hangzhou", "East"), ("Suzhou", "East"), ("Nanjing", "East"),
    ("Beijing", "North"), ("Tianjin", "North"), ("Guangzhou", "South"), ("Shenzhen", "South"),
    ("Xiamen", "South"), ("Chengdu", "West"), ("Chongqing", "West"), ("Wuhan", "Central"),
)  # fmt: skip
BRANCH_NAMES = ("Main", "Lakeside", "Station")
BRANCHES = 25


@dataclass(frozen=True)
class Product:
    """One line of the shelf; `yearly_rate` is paid on balances or charged on loans."""

    product_id: str
    name: str
    family: str
    currency: str = REPORTING_CURRENCY
    risk_level: int = -1
    term_months: int = -1
    yearly_rate: float = 0.0


SHELF = (
    Product("P01", "Everyday account", "current"),
    Product("P02", "Business account", "current"),
    Product("P03", "Flexible savings", "savings", yearly_rate=0.012),
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
)


def shelf_index(product_id: str) -> int:
    """Position of a product on the shelf."""
    return next(index for index, product in enumerate(SHELF) if product.product_id == product_id)


def branch_city() -> list[int]:
    """The city of each branch, as a position in CITIES."""
    return [branch % len(CITIES) for branch in range(BRANCHES)]


def branches(parameters: Parameters) -> pa.Table:
    """The `branches` file."""
    rng = parameters.generator("branches")
    opened = _new_year_before(parameters, 22) + rng.integers(0, 700, BRANCHES)
    cities = branch_city()
    return pa.table(
        {
            "branch_id": columns.identifiers("B", np.arange(1, BRANCHES + 1), 3),
            "branch_name": [
                f"{CITIES[city][0]} {BRANCH_NAMES[branch // len(CITIES)]} Branch"
                for branch, city in enumerate(cities)
            ],
            "city": [CITIES[city][0] for city in cities],
            "region": [CITIES[city][1] for city in cities],
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


def market_environment(parameters: Parameters) -> tuple[pa.Table, np.ndarray]:
    """The `market_environment` file, the first of each month from a year before the first, and those days."""
    rng = parameters.generator("market_environment")
    months = np.arange(-12, parameters.months)
    days = add_months(np.full(len(months), parameters.first_day), months)
    policy = 0.031 + np.cumsum(_policy_moves(rng, len(months)))
    own = policy * 0.42 + rng.normal(0, 0.0002, len(months))
    competitor = own + 0.0015 + np.cumsum(rng.normal(0, 0.0003, len(months)))
    table = pa.table(
        {
            "market_on": columns.dates(days),
            "policy_rate": columns.rates(policy),
            "own_deposit_rate": columns.rates(own),
            "competitor_deposit_rate": columns.rates(competitor),
            "cpi_index": columns.rates(100 * np.exp(np.cumsum(rng.normal(0.0012, 0.0025, len(months))))),
        }
    )
    return table, days


def _policy_moves(rng: np.random.Generator, size: int) -> np.ndarray:
    """Policy moves: mostly none, now and then ten basis points, more often down than up."""
    return np.array([0.0, -0.001, 0.001])[columns.draw(rng, (0.86, 0.09, 0.05), size)]


def _new_year_before(parameters: Parameters, years: int) -> int:
    """First of January so many years before the bank's first day."""
    year = np.datetime64(parameters.first_day, "D").astype("datetime64[Y]").astype(int) + 1970
    return int((np.datetime64(f"{year - years}-01-01") - np.datetime64("1970-01-01")).astype(int))
