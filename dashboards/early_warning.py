"""The weighted risk index as published: how it is spread, what makes it, and how it sits with the model."""

from __future__ import annotations

from dataclasses import dataclass, field

from dashboards.reading import Reader, Row

# Points of the index that a bar of the histogram is wide.
BIN_POINTS = 2.5
BINS = int(100 / BIN_POINTS)
MART = "fct_customer_risk_index"


@dataclass(frozen=True)
class EarlyWarning:
    """Rows of plain values in a stable order; empty where the mart was not published."""

    # bin (0 to BINS - 1), risk_grade, count_customers
    bins: list[Row] = field(default_factory=list)
    # risk_grade, risk_grade_en, risk_grade_zh, count_customers, mean_score, and mean points by indicator
    # under `points`; the safest first
    grades: list[Row] = field(default_factory=list)
    # risk_grade, risk_band, count_customers, sum_probability: customers who have both
    crosswalk: list[Row] = field(default_factory=list)
    # names of the indicators in the order of the mart
    indicators: tuple[str, ...] = ()

    def bands_of(self, grade: str) -> list[Row]:
        """The rows of the crosswalk of a grade."""
        return [row for row in self.crosswalk if row["risk_grade"] == grade]

    def probability_of(self, grade: str) -> float:
        """Mean probability of churn of the scored customers of a grade that has some."""
        cells = self.bands_of(grade)
        scored = sum(cell["count_customers"] for cell in cells)
        return sum(cell["sum_probability"] for cell in cells) / scored

    def mean_points(self) -> dict[str, float]:
        """Mean points of all customers by indicator."""
        total = sum(grade["count_customers"] for grade in self.grades) or 1
        return {
            name: sum(grade["points"][name] * grade["count_customers"] for grade in self.grades) / total
            for name in self.indicators
        }


def read_early_warning(reader: Reader) -> EarlyWarning:
    """Read one publication."""
    if not reader.has(MART):
        return EarlyWarning()
    indicators = indicators_of(reader)
    sums = "".join(f",\n    sum(points_{name}) as sum_{name}" for name in indicators)
    grades = []
    for row in reader.rows(GRADES.replace("{sums}", sums), {MART: ()}):
        count = row["count_customers"]
        points = {name: row.pop(f"sum_{name}") / count for name in indicators}
        grades.append({**row, "mean_score": row.pop("sum_score") / count, "points": points})
    return EarlyWarning(
        bins=reader.rows(HISTOGRAM, {MART: ()}),
        grades=grades,
        crosswalk=reader.rows(CROSSWALK, {MART: (), "fct_churn_scores": ()}),
        indicators=indicators,
    )


def indicators_of(reader: Reader) -> tuple[str, ...]:
    """The indicators that the mart has points of."""
    columns = reader.wh.column_types(f"{reader.schema}.{MART}")
    return tuple(name.removeprefix("points_") for name in columns if name.startswith("points_"))


HISTOGRAM = f"""
select bin, risk_grade, count(*) as count_customers
from (
    select
        cast(least(floor(index_score / {BIN_POINTS}), {BINS - 1}) as integer) as bin,
        risk_grade
    from {{schema}}.{MART}
    where as_of_date = $1
) as binned
group by bin, risk_grade
order by bin, risk_grade
"""

# Sums, which are exact, and not means, whose last digit is the engine's.
GRADES = f"""
select
    risk_grade,
    risk_grade_en,
    risk_grade_zh,
    count(*) as count_customers,
    sum(index_score) as sum_score{{sums}}
from {{schema}}.{MART}
where as_of_date = $1
group by risk_grade, risk_grade_en, risk_grade_zh
order by risk_grade
"""

CROSSWALK = f"""
select
    graded.risk_grade,
    scores.risk_band,
    count(*) as count_customers,
    sum(scores.churn_probability) as sum_probability
from {{schema}}.{MART} as graded
inner join {{schema}}.fct_churn_scores as scores
    on graded.customer_id = scores.customer_id and graded.as_of_date = scores.as_of_date
where graded.as_of_date = $1
group by graded.risk_grade, scores.risk_band
order by graded.risk_grade, scores.risk_band
"""
