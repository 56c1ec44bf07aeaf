"""Who is selected by the scores, group by group, and whom service has to be adapted for."""

from __future__ import annotations

from dataclasses import dataclass, field

from dashboards.reading import Reader, Row

MART = "fct_score_fairness"
MOST_OFFERS = 20
# Columns of dim_customers that say who is of a special group.
SPECIAL = ("is_elderly", "is_disabled", "needs_adapted_service")


@dataclass(frozen=True)
class Fairness:
    """Rows of plain values in a stable order; empty where the publication has no such scores."""

    # one row a dimension and member, the reference group first
    groups: list[Row] = field(default_factory=list)
    # first actions that a group is offered too seldom for the policy: dimension, member, action_en,
    # action_zh, count_at_risk, offer_rate, offer_ratio
    offers: list[Row] = field(default_factory=list)
    # one row a special group: group, count_customers, count_unknown, count_scored, count_high
    special: list[Row] = field(default_factory=list)

    @property
    def least_ratio(self) -> float | None:
        """The ratio of policy below which a group is flagged; None without groups."""
        return self.groups[0]["min_selection_ratio"] if self.groups else None


def read_fairness(reader: Reader) -> Fairness:
    """Read one publication."""
    special = reader.rows(SPECIAL_GROUPS, {"dim_customers": SPECIAL, "fct_churn_scores": ()})
    found = special[0] if special else {"count_open": 0}
    return Fairness(
        groups=reader.rows(GROUPS, {MART: ()}),
        offers=reader.rows(OFFERS, {"fct_action_fairness": (), "fct_churn_reason_codes": ()}),
        special=[
            {
                "group": group,
                "count_customers": found[f"count_{group}"],
                "count_unknown": found["count_open"] - found[f"known_{group}"],
                "count_scored": found[f"scored_{group}"],
                "count_high": found[f"high_{group}"],
            }
            for group in SPECIAL
            if found["count_open"]
        ],
    )


GROUPS = f"""
select
    dimension,
    member,
    count_scored,
    mean_probability,
    selection_rate,
    selection_ratio,
    min_selection_ratio,
    is_reference,
    is_large_enough,
    is_flagged
from {{schema}}.{MART}
where as_of_date = $1
order by dimension, member
"""

OFFERS = f"""
with actions as (
    select distinct action_code, action_en, action_zh
    from {{schema}}.fct_churn_reason_codes
    where as_of_date = $1
)

select
    offers.dimension,
    offers.member,
    actions.action_en,
    actions.action_zh,
    offers.count_at_risk,
    offers.offer_rate,
    offers.offer_ratio
from {{schema}}.fct_action_fairness as offers
inner join actions on offers.action_code = actions.action_code
where offers.as_of_date = $1 and offers.is_flagged
order by offers.offer_ratio, offers.dimension, offers.member, offers.action_code
limit {MOST_OFFERS}
"""

SPECIAL_GROUPS = """
select
    count(*) as count_open{counts}
from {{schema}}.dim_customers as customers
left join {{schema}}.fct_churn_scores as scores
    on customers.customer_id = scores.customer_id and customers.as_of_date = scores.as_of_date
where customers.as_of_date = $1 and customers.is_open
""".format(
    counts="".join(
        f""",
    count(case when customers.{group} then 1 end) as count_{group},
    count(customers.{group}) as known_{group},
    count(case when customers.{group} then scores.customer_id end) as scored_{group},
    count(case when customers.{group} and scores.risk_band = 'high' then 1 end) as high_{group}"""
        for group in SPECIAL
    )
)
