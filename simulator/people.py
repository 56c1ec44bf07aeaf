"""Who the customers are: the attributes of the `customers` file, all of them invented."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from simulator import columns, market, segments
from simulator.calendar import NEVER, Days
from simulator.parameters import Parameters

KINDS = ("personal", "small_business")
SMALL_BUSINESS = 1
SMALL_BUSINESSES_ONE_IN = 11
# Joiners a year for each customer of the first day, by kind: as many as leave, so that the stock stays level.
JOINING_A_YEAR = (0.064, 0.13)

SEXES = ("female", "male")
SEGMENTS = tuple(segment.name for segment in segments.SEGMENTS)
SELF_EMPLOYED, STUDENT, RETIRED = (
    segments.OCCUPATIONS.index(name) for name in ("self_employed", "student", "retired")
)
STUDENT_UNTIL, RETIRED_FROM = 22, 60
LONGEST_TENURE_YEARS = 20
YOUNGEST_JOINER = 16

# Surnames with their rough shares in per cent, by the frequency ranks of the published name statistics.
SURNAMES = {
    "王": 7.1, "李": 7.0, "张": 6.7, "刘": 5.1, "陈": 4.5, "杨": 3.1, "黄": 2.3, "赵": 2.1,
    "吴": 2.0, "周": 1.9, "徐": 1.5, "孙": 1.4, "马": 1.3, "朱": 1.3, "胡": 1.2, "郭": 1.2,
    "何": 1.2, "林": 1.1, "高": 1.1, "罗": 1.0, "郑": 0.9, "梁": 0.9, "谢": 0.8, "宋": 0.7,
    "唐": 0.7, "许": 0.7, "韩": 0.6, "邓": 0.6, "冯": 0.6, "曹": 0.6, "彭": 0.6, "曾": 0.6,
    "肖": 0.5, "田": 0.5, "董": 0.5, "潘": 0.5, "袁": 0.5, "蔡": 0.5, "蒋": 0.5, "余": 0.5,
    "于": 0.5, "杜": 0.5, "叶": 0.5, "程": 0.5, "魏": 0.4, "苏": 0.4, "吕": 0.4, "丁": 0.4,
    "任": 0.4, "卢": 0.4, "姚": 0.4, "沈": 0.4, "钟": 0.4, "姜": 0.4, "崔": 0.4, "谭": 0.4,
    "陆": 0.3, "范": 0.3, "汪": 0.3, "廖": 0.3,
}  # fmt: skip
GIVEN_FEMALE = tuple("芳娜敏静丽艳娟霞英玲欣怡雨诗梦瑶雪慧婷琳颖洁倩莉萍蕾佳文子兰")
GIVEN_MALE = tuple("伟强磊洋勇军杰涛超刚辉宇晨浩轩博瀚鹏飞斌建志国明华平文子海毅")
TWO_SYLLABLES_SHARE = 0.8
FOREIGN_FIRST = ("Ka", "Lo", "Mi", "Ta", "Ele", "Jo", "Ru", "Ste", "Ana", "Vi")
FOREIGN_SECOND = ("rin", "nas", "ra", "mo", "lia", "vik", "den", "sé", "nor", "tte")
FOREIGN_FAMILY_FIRST = ("Bran", "Hol", "Mar", "Sö", "Quin", "Del", "Vos", "Kar", "Ash", "Lind")
FOREIGN_FAMILY_SECOND = ("sten", "mann", "ello", "berg", "ford", "ova", "rique", "son", "well", "aga")
FOREIGN_SHARE = 0.03
# By business segment: shops, then services.
TRADES = (
    ("商行", "餐饮店", "服装店", "建材店", "食品店", "药房"),
    ("科技有限公司", "物流有限公司", "装饰有限公司", "咨询有限公司", "广告有限公司", "工作室"),
)


@dataclass
class Customers:
    """Attributes of all customers who ever join, arrays of shape (customers,); days as day numbers.

    `segment`, `digital` (the share of acts in digital channels, 0 to 1) and `appetite` (for risk, 0 to 4) are
    latent: they are in no file.
    """

    kind: npt.NDArray[np.int64]
    segment: npt.NDArray[np.int64]
    branch: npt.NDArray[np.int64]
    city: npt.NDArray[np.int64]
    sex: npt.NDArray[np.int64]
    education: npt.NDArray[np.int64]
    occupation: npt.NDArray[np.int64]
    birth: Days
    opened: Days
    digital: npt.NDArray[np.float64]
    appetite: npt.NDArray[np.float64]
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
                "education": columns.labels(segments.EDUCATIONS, self.education[rows]),
                "occupation": columns.labels(segments.OCCUPATIONS, self.occupation[rows]),
                "annual_income_amount": columns.money(self.income_cents[rows]),
                "currency_code": pa.repeat(market.REPORTING_CURRENCY, len(rows)),
                "city": columns.labels([city.name for city in market.CITIES], self.city[rows]),
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
    segment = segments.draw_segments(rng, is_business, is_joiner)
    opened = np.zeros(size, dtype=np.int64)
    opened[is_joiner] = np.sort(rng.integers(first, last + 1, size - stock))
    age, tenure = _draw_ages(rng, segment)
    birth = np.where(is_joiner, opened, first) - (age * 365.25).astype(np.int64)
    opened = np.where(is_joiner, opened, first - 1 - tenure)

    branch = segments.draw_by_segment(rng, segment, _branch_weights())
    occupation = _one_code(rng, segment, [entry.occupations for entry in segments.SEGMENTS])
    occupation = np.where(age < STUDENT_UNTIL, STUDENT, occupation)
    occupation = np.where((age >= RETIRED_FROM) & (occupation != SELF_EMPLOYED), RETIRED, occupation)
    education = _one_code(rng, segment, [entry.educations for entry in segments.SEGMENTS])
    education = np.minimum(education, np.where(age < STUDENT_UNTIL, 1, 3))
    sex = np.where(is_business, -1, rng.integers(0, 2, size))
    leaning = np.array([entry.digital for entry in segments.SEGMENTS])[segment]
    digital = 1 / (1 + np.exp((age - 52) / 11 - leaning + rng.normal(0, 0.8, size)))
    appetite = np.array([entry.appetite for entry in segments.SEGMENTS])[segment]
    return Customers(
        kind=is_business.astype(np.int64),
        segment=segment,
        branch=branch,
        city=np.array(market.branch_city())[branch],
        sex=sex,
        education=np.where(is_business, -1, education),
        occupation=np.where(is_business, -1, occupation),
        birth=birth,
        opened=opened,
        digital=digital,
        appetite=np.clip(appetite + rng.normal(0, 0.8, size), 0, 4),
        income_cents=np.zeros(size, dtype=np.int64),
        is_marketing_allowed=rng.random(size) < 0.72,
        is_disabled=~is_business & (rng.random(size) < 0.015),
        personal_data=_personal_data(parameters, segment, sex, np.array(market.branch_city())[branch], birth),
    )


def _one_code(
    rng: np.random.Generator, segment: npt.NDArray[np.int64], weights: list[tuple[float, ...]]
) -> npt.NDArray[np.int64]:
    return segments.draw_by_segment(rng, segment, np.array(weights, dtype=float))


def _draw_ages(
    rng: np.random.Generator, segment: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Ages in years and tenures in days of customers of the first day; nobody joined as a child."""
    mean, spread, least, greatest = np.array([entry.age for entry in segments.SEGMENTS]).T[:, segment]
    # Folded at the least age, for cut off there many would share one birthday.
    age = np.minimum(least + np.abs(rng.normal(mean, spread) - least), greatest - rng.random(len(segment)))
    longest = LONGEST_TENURE_YEARS - rng.random(len(segment))
    usual = np.array([entry.tenure_years for entry in segments.SEGMENTS])[segment]
    tenure = np.minimum(rng.exponential(usual), np.minimum(longest, (age - YOUNGEST_JOINER) * 0.95))
    return age, (tenure * 365.25).astype(np.int64)


def _branch_weights() -> npt.NDArray[np.float64]:
    """How often customers of a segment go to each branch; shape (segments, branches)."""
    tier = np.array([market.CITIES[city].tier for city in market.branch_city()])
    liking = np.array([entry.city_tiers for entry in segments.SEGMENTS], dtype=float)[:, tier - 1]
    # In the share of the tier, the larger a branch the more.
    size = market.branch_sizes()
    of_tier = np.array([size[tier == code].sum() for code in (1, 2, 3)])[tier - 1]
    return liking * size / of_tier


def _personal_data(
    parameters: Parameters,
    segment: npt.NDArray[np.int64],
    sex: npt.NDArray[np.int64],
    city: npt.NDArray[np.int64],
    birth: Days,
) -> pa.Table:
    rng = parameters.generator("personal_data")
    size = len(segment)
    is_business = np.array([entry.is_business for entry in segments.SEGMENTS])[segment]

    def pick(syllables: tuple[str, ...]) -> pa.Array:
        return columns.labels(syllables, rng.integers(0, len(syllables), size))

    def join(*parts: Any, by: str = "") -> pa.Array:
        return pc.binary_join_element_wise(*parts, by)

    def given() -> pa.Array:
        return pc.if_else(pa.array(sex == 0), pick(GIVEN_FEMALE), pick(GIVEN_MALE))

    surname = columns.labels(tuple(SURNAMES), columns.draw(rng, tuple(SURNAMES.values()), size))
    second = pc.if_else(pa.array(rng.random(size) < TWO_SYLLABLES_SHARE), given(), "")
    chinese = join(surname, given(), second)
    foreign = join(
        join(pick(FOREIGN_FIRST), pick(FOREIGN_SECOND)),
        join(pick(FOREIGN_FAMILY_FIRST), pick(FOREIGN_FAMILY_SECOND)),
        by=" ",
    )
    trade = pc.if_else(pa.array(segment == SEGMENTS.index("shops")), pick(TRADES[0]), pick(TRADES[1]))
    seat = columns.labels([entry.chinese for entry in market.CITIES], city)
    company = join(seat, pick(GIVEN_MALE), pick(GIVEN_FEMALE), trade)
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
