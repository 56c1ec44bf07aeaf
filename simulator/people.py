"""Who the customers are: the attributes of the `customers` file, all of them invented."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from simulator import columns, market
from simulator.calendar import NEVER, Days, add_months
from simulator.parameters import Parameters

KINDS = ("personal", "small_business")
SMALL_BUSINESS = 1
SMALL_BUSINESSES_ONE_IN = 11
# Joiners a year for each customer of the first day, by kind: as many as leave, so that the stock stays level.
JOINING_A_YEAR = (0.064, 0.13)

SEXES = ("female", "male")
EDUCATIONS = ("primary", "secondary", "bachelor", "master")
OCCUPATIONS = (
    "employee", "civil_servant", "teacher", "engineer", "medical", "sales", "self_employed",
    "student", "retired",
)  # fmt: skip
SELF_EMPLOYED, STUDENT, RETIRED = 6, 7, 8

SURNAMES = tuple("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕")
GIVEN = tuple("明华伟芳娜敏静丽强磊洋艳勇军杰娟涛超霞平刚桂英文辉玲宇晨浩佳欣怡然子轩雨诗梦瑶博思远嘉雪")
FOREIGN_FIRST = ("Ka", "Lo", "Mi", "Ta", "Ele", "Jo", "Ru", "Ste", "Ana", "Vi")
FOREIGN_SECOND = ("rin", "nas", "ra", "mo", "lia", "vik", "den", "sé", "nor", "tte")
FOREIGN_FAMILY_FIRST = ("Bran", "Hol", "Mar", "Sö", "Quin", "Del", "Vos", "Kar", "Ash", "Lind")
FOREIGN_FAMILY_SECOND = ("sten", "mann", "ello", "berg", "ford", "ova", "rique", "son", "well", "aga")
TRADES = ("商行", "餐饮店", "科技有限公司", "贸易有限公司", "服装店", "建材店", "物流有限公司", "工作室")
FOREIGN_SHARE = 0.03


@dataclass
class Customers:
    """Attributes of all customers who ever join, arrays of shape (customers,); days as day numbers."""

    kind: npt.NDArray[np.int64]
    branch: npt.NDArray[np.int64]
    city: npt.NDArray[np.int64]
    sex: npt.NDArray[np.int64]
    education: npt.NDArray[np.int64]
    occupation: npt.NDArray[np.int64]
    birth: Days
    opened: Days
    digital: npt.NDArray[np.float64]
    income_cents: npt.NDArray[np.int64]
    is_marketing_allowed: npt.NDArray[np.bool_]
    is_disabled: npt.NDArray[np.bool_]
    personal_data: pa.Table

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def is_business(self) -> npt.NDArray[np.bool_]:
        """Whether a customer is a small business; shape (customers,)."""
        return self.kind == SMALL_BUSINESS

    def age(self, day: int) -> npt.NDArray[np.float64]:
        """Age in years on a day; a business counts as 45; shape (customers,)."""
        return np.where(self.is_business, 45.0, (day - self.birth) / 365.25)

    def table(self, rows: npt.NDArray[np.int64], closed: Days, valid_from: Days) -> pa.Table:
        """Rows of the `customers` file for the customer numbers `rows`; `closed`, `valid_from` by row."""
        return pa.table(
            {
                "customer_id": customer_ids(rows),
                "customer_kind": columns.labels(KINDS, self.kind[rows]),
                "branch_id": columns.identifiers("B", self.branch[rows] + 1, 3),
                "sex": columns.labels(SEXES, self.sex[rows]),
                "education": columns.labels(EDUCATIONS, self.education[rows]),
                "occupation": columns.labels(OCCUPATIONS, self.occupation[rows]),
                "annual_income_amount": columns.money(self.income_cents[rows]),
                "currency_code": pa.repeat(market.REPORTING_CURRENCY, len(rows)),
                "city": columns.labels([name for name, _ in market.CITIES], self.city[rows]),
                "opened_on": columns.dates(self.opened[rows]),
                "closed_on": columns.dates(closed),
                "is_marketing_allowed": pa.array(self.is_marketing_allowed[rows]),
                "is_disabled": pa.array(self.is_disabled[rows]),
                **{name: self.personal_data[name].take(rows) for name in self.personal_data.column_names},
                "birth_date": columns.dates(np.where(self.is_business, NEVER, self.birth)[rows]),
                "valid_from": columns.dates(valid_from),
            }
        )


def customer_ids(numbers: npt.NDArray[np.int64]) -> pa.Array:
    """The bank's customer ids of customer numbers; shape (n,)."""
    return columns.identifiers("C", np.where(numbers < 0, numbers, numbers + 1), 7)


def make_customers(parameters: Parameters) -> Customers:
    """Draw everybody who is or becomes a customer by the last day: first the stock, then joiners by day."""
    rng = parameters.generator("people")
    first, last = parameters.first_day, parameters.last_day
    stock = parameters.customers
    businesses = round(stock / SMALL_BUSINESSES_ONE_IN)
    by_kind = np.array([stock - businesses, businesses])
    joiners = np.rint(by_kind * JOINING_A_YEAR * (last + 1 - first) / 365).astype(np.int64)
    # Shuffled, so that a customer's number tells nothing of the kind.
    is_business = np.concatenate(
        [rng.permutation(np.repeat([False, True], counts)) for counts in (by_kind, joiners)]
    )
    size = len(is_business)
    is_joiner = np.arange(size) >= stock
    tenure = np.minimum(rng.exponential(7 * 365, size), 20 * 365 - rng.random(size) * 365).astype(np.int64)
    opened = first - 1 - tenure
    opened[is_joiner] = np.sort(rng.integers(first, last + 1, size - stock))
    age_when_joining = 18 + rng.gamma(2.2, 8.5, size)
    # Customers of long standing joined young enough to be alive and active today.
    age_today = np.minimum(
        age_when_joining + np.where(is_joiner, 0, tenure / 365.25) * 0.8, 88 + rng.random(size)
    )
    birth = np.minimum(
        first - (age_today * 365.25).astype(np.int64), add_months(opened, np.full(size, -12 * 16))
    )
    age = (first - birth) / 365.25
    occupation = columns.draw(rng, (40, 8, 7, 12, 6, 12, 15), size)
    occupation = np.where(age >= 60, RETIRED, np.where(age < 22, STUDENT, occupation))
    cities = np.array(market.branch_city())
    branch = columns.draw(rng, [1 / (rank + 4) for rank in range(market.BRANCHES)], size)
    education = np.minimum(columns.draw(rng, (10, 40, 38, 12), size), np.where(age < 21, 1, 3))
    digital = 1 / (1 + np.exp((age - 52) / 11 + rng.normal(0, 0.8, size)))
    return Customers(
        kind=is_business.astype(np.int64),
        branch=branch,
        city=cities[branch],
        sex=np.where(is_business, -1, rng.integers(0, 2, size)),
        education=np.where(is_business, -1, education),
        occupation=np.where(is_business, -1, occupation),
        birth=birth,
        opened=opened,
        digital=np.where(is_business, 0.7, digital),
        income_cents=np.zeros(size, dtype=np.int64),
        is_marketing_allowed=rng.random(size) < 0.72,
        is_disabled=~is_business & (rng.random(size) < 0.015),
        personal_data=_personal_data(parameters, is_business, cities[branch], birth),
    )


def _personal_data(
    parameters: Parameters, is_business: npt.NDArray[np.bool_], city: npt.NDArray[np.int64], birth: Days
) -> pa.Table:
    rng = parameters.generator("personal_data")
    size = len(is_business)

    def pick(syllables: tuple[str, ...]) -> pa.Array:
        return columns.labels(syllables, rng.integers(0, len(syllables), size))

    def join(*parts: Any, by: str = "") -> pa.Array:
        return pc.binary_join_element_wise(*parts, by)

    second = pc.if_else(pa.array(rng.random(size) < 0.8), pick(GIVEN), "")
    chinese = join(pick(SURNAMES), pick(GIVEN), second)
    foreign = join(
        join(pick(FOREIGN_FIRST), pick(FOREIGN_SECOND)),
        join(pick(FOREIGN_FAMILY_FIRST), pick(FOREIGN_FAMILY_SECOND)),
        by=" ",
    )
    company = join(
        columns.labels([name for name, _ in market.CITIES], city), pick(GIVEN), pick(GIVEN), pick(TRADES)
    )
    person = pc.if_else(pa.array(rng.random(size) < FOREIGN_SHARE), foreign, chinese)
    # Region code 000000 exists nowhere, mobile prefix 100 is nobody's, example.com is reserved.
    born = pc.strftime(columns.dates(birth), format="%Y%m%d")
    national = join("000000", born, columns.identifiers("", rng.integers(0, 10_000, size), 4))
    register = columns.identifiers("00000000", rng.integers(0, 10**10, size), 10)
    return pa.table(
        {
            "full_name": pc.if_else(pa.array(is_business), company, person),
            "phone": columns.identifiers("+86 100 ", rng.integers(0, 10**8, size), 8),
            "email": join(columns.identifiers("mail", rng.permutation(size), 7), "example.com", by="@"),
            "national_id": pc.if_else(pa.array(is_business), register, national),
        }
    )
