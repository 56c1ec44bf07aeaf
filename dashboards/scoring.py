"""What is told about scores: reasons, money, the customers with most to lose, and one customer's score."""

from __future__ import annotations

from dataclasses import dataclass, field

from dashboards.early_warning import MART as INDEX
from dashboards.early_warning import indicators_of
from dashboards.reading import Reader, Row

SCORES, REASONS = "fct_churn_scores", "fct_churn_reason_codes"
# Customers on the list of whom the bank stands to lose most by.
MOST_CUSTOMERS = 15
MONEY = ("expected_loss_amount", "balance_at_risk_amount", "annual_profit_amount", "currency_code")


@dataclass(frozen=True)
class ScoredCustomer:
    """One customer as scored; `reasons` in the order of their rank, with what is allowed to be done."""

    customer_id: str
    # the row of fct_churn_scores; None: not eligible on the day, or no scores
    score: Row | None = None
    # reason_rank, reason_en, reason_zh, action_en, action_zh, contribution
    reasons: list[Row] = field(default_factory=list)
    # the row of fct_customer_risk_index; None: no open account
    index: Row | None = None
    # indicator, points
    points: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Scoring:
    """Rows of plain values in a stable order; empty where the publication has no such scores."""

    # reason_code (None: no reason), reason_en, reason_zh, risk_band, count_customers
    reasons: list[Row] = field(default_factory=list)
    # risk_band, value_tier, count_customers, count_known, sum_expected_loss, sum_balance_at_risk
    losses: list[Row] = field(default_factory=list)
    # customers by expected loss, the greatest first, each with `reasons` as a ScoredCustomer has them
    top: list[Row] = field(default_factory=list)
    customer: ScoredCustomer | None = None
    currency_code: str | None = None

    def loss_of(self, **group: str) -> Row:
        """Count, known count and sums of a band, a tier or both."""
        rows = [row for row in self.losses if all(row[name] == value for name, value in group.items())]
        summed = ("count_customers", "count_known", "sum_expected_loss", "sum_balance_at_risk")
        return {name: sum(row[name] or 0 for row in rows) for name in summed}


def read_scoring(reader: Reader, customer_id: str | None = None) -> Scoring:
    """Read one publication. `customer_id`: whose score to show; None: that of the first on the list."""
    top = reader.rows(TOP, {SCORES: MONEY, "fct_customer_tiers": ()})
    listed = {row["customer_id"]: {**row, "reasons": []} for row in top}
    for reason in _reasons_of(reader, list(listed)):
        listed[reason.pop("customer_id")]["reasons"].append(reason)
    shown = customer_id or next(iter(listed), None)
    return Scoring(
        reasons=reader.rows(FIRST_REASONS, {SCORES: (), REASONS: ()}),
        losses=reader.rows(LOSSES, {SCORES: MONEY, "fct_customer_tiers": ()}),
        top=list(listed.values()),
        customer=_customer(reader, shown) if shown else None,
        currency_code=top[0]["currency_code"] if top else None,
    )


def _reasons_of(reader: Reader, customers: list[str]) -> list[Row]:
    if not customers:
        return []
    places = ", ".join(f"${number}" for number in range(2, len(customers) + 2))
    query = REASONS_OF.replace("{places}", places)
    return reader.rows(query, {REASONS: ()}, [reader.as_of, *customers])


def _customer(reader: Reader, customer_id: str) -> ScoredCustomer:
    values = [reader.as_of, customer_id]
    scores = reader.rows(CUSTOMER_SCORE, {SCORES: MONEY}, values)
    reasons = _reasons_of(reader, [customer_id])
    indexed = reader.rows(CUSTOMER_INDEX, {INDEX: ()}, values)
    points = []
    if indexed:
        points = [
            {"indicator": name, "points": indexed[0][f"points_{name}"]} for name in indicators_of(reader)
        ]
    return ScoredCustomer(
        customer_id=customer_id,
        score=scores[0] if scores else None,
        reasons=reasons,
        index=indexed[0] if indexed else None,
        points=points,
    )


FIRST_REASONS = f"""
select
    reasons.reason_code,
    reasons.reason_en,
    reasons.reason_zh,
    scores.risk_band,
    count(*) as count_customers
from {{schema}}.{SCORES} as scores
left join {{schema}}.{REASONS} as reasons
    on
        scores.customer_id = reasons.customer_id
        and scores.as_of_date = reasons.as_of_date
        and reasons.reason_rank = 1
where scores.as_of_date = $1
group by reasons.reason_code, reasons.reason_en, reasons.reason_zh, scores.risk_band
order by count(*) desc, reasons.reason_code, scores.risk_band
"""

LOSSES = f"""
select
    scores.risk_band,
    tiers.value_tier,
    count(*) as count_customers,
    count(scores.expected_loss_amount) as count_known,
    sum(scores.expected_loss_amount) as sum_expected_loss,
    sum(scores.balance_at_risk_amount) as sum_balance_at_risk
from {{schema}}.{SCORES} as scores
inner join {{schema}}.fct_customer_tiers as tiers
    on scores.customer_id = tiers.customer_id and scores.as_of_date = tiers.as_of_date
where scores.as_of_date = $1
group by scores.risk_band, tiers.value_tier
order by scores.risk_band, tiers.value_tier
"""

TOP = f"""
select
    scores.customer_id,
    scores.churn_probability,
    scores.risk_band,
    scores.risk_band_en,
    scores.risk_band_zh,
    scores.expected_loss_amount,
    scores.balance_at_risk_amount,
    scores.currency_code,
    tiers.customer_kind,
    tiers.value_tier
from {{schema}}.{SCORES} as scores
inner join {{schema}}.fct_customer_tiers as tiers
    on scores.customer_id = tiers.customer_id and scores.as_of_date = tiers.as_of_date
where scores.as_of_date = $1 and scores.expected_loss_amount > 0
order by scores.expected_loss_amount desc, scores.churn_probability desc, scores.customer_id
limit {MOST_CUSTOMERS}
"""

REASONS_OF = f"""
select customer_id, reason_rank, reason_code, reason_en, reason_zh, action_en, action_zh, contribution
from {{schema}}.{REASONS}
where as_of_date = $1 and customer_id in ({{places}})
order by customer_id, reason_rank
"""

CUSTOMER_SCORE = f"select * from {{schema}}.{SCORES} where as_of_date = $1 and customer_id = $2"
CUSTOMER_INDEX = f"select * from {{schema}}.{INDEX} where as_of_date = $1 and customer_id = $2"
