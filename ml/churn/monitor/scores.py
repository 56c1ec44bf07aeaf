"""The published scores as a whole: how many, of whom, how high, and for which reasons."""

from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt

import numpy as np

from ml.churn.monitor.drift import FEATURES, SCORES, Z, psi_finding
from ml.churn.monitor.findings import Alert, Finding, near, unknown, within
from ml.churn.sample import MATURE
from warehouse import Warehouse

# Days that a day before has to lie back: a month, whatever its length.
MONTH_DAYS = 28
# Month-ends that the rate of churn is taken from: enough to smooth a month, few enough to follow the bank.
BASE_RATE_SNAPSHOTS = 3


@dataclass(frozen=True)
class ScoredDay:
    """A day that stands with scores, by the run that made them."""

    as_of_date: date
    run_id: str
    model_version: str


def scored_days(wh: Warehouse, as_of_date: date) -> tuple[ScoredDay | None, ScoredDay | None]:
    """The newest day on or before a date that stands with scores, and the newest one a month before that."""
    rows = wh.query(
        """
        select standing.as_of_date, standing.run_id, publications.model_version
        from ops.standing_snapshots as standing
        inner join ops.publications as publications on standing.run_id = publications.run_id
        where
            standing.as_of_date <= $1
            and publications.withdrawn_at is null and publications.scores_status = 'scored'
        order by standing.as_of_date desc
        """,
        [as_of_date],
    ).to_pylist()
    days = [ScoredDay(**row) for row in rows]
    if not days:
        return None, None
    newest = days[0]
    earlier = [day for day in days if day.as_of_date <= newest.as_of_date - timedelta(days=MONTH_DAYS)]
    return newest, earlier[0] if earlier else None


def volume(wh: Warehouse, newest: ScoredDay, earlier: ScoredDay | None, alert: Alert) -> Finding:
    """Customers scored, against the month before."""
    now = _count(wh, newest.as_of_date)
    if earlier is None:
        return unknown("volume", "all", f"{now} scored on {newest.as_of_date}, no scores a month before")
    before = _count(wh, earlier.as_of_date)
    told = f"{now} scored on {newest.as_of_date}, {before} on {earlier.as_of_date}"
    if before < alert.min_count:
        return unknown("volume", "all", f"{told}; {alert.min_count} needed")
    return near("volume", "all", now, before, alert.threshold * before, told)


def coverage(wh: Warehouse, newest: ScoredDay, alert: Alert) -> Finding:
    """Share of the eligible customers without a score."""
    found = wh.query(
        f"""
        select count(*) as eligible, count(*) - count(scores.customer_id) as unscored
        from {FEATURES} as features
        left join {SCORES} as scores
            on features.as_of_date = scores.as_of_date and features.customer_id = scores.customer_id
        where features.as_of_date = $1 and features.is_eligible
        """,
        [newest.as_of_date],
    ).to_pylist()[0]
    told = (
        f"{found['unscored']} of {found['eligible']} eligible customers of {newest.as_of_date} have no score"
    )
    if found["eligible"] < alert.min_count:
        return unknown("coverage", "all", told)
    return within("coverage", "all", found["unscored"] / found["eligible"], 0.0, alert.threshold, told)


def mean_score(wh: Warehouse, newest: ScoredDay, panel: str, alert: Alert) -> Finding:
    """The mean score against the rate at which customers of the newest month-ends with outcomes churned."""
    mean = wh.query(
        f"""
        select avg(cast(churn_probability as double precision)) as mean from {SCORES} where as_of_date = $1
        """,
        [newest.as_of_date],
    )["mean"][0].as_py()
    rates = wh.query(
        f"""
        select as_of_date, count(*) as customers, sum(is_churned) as churners
        from {panel} where {MATURE}
        group by as_of_date order by as_of_date desc limit {BASE_RATE_SNAPSHOTS}
        """
    ).to_pylist()
    customers = sum(int(row["customers"]) for row in rates)
    churners = sum(int(row["churners"]) for row in rates)
    if min(customers, _count(wh, newest.as_of_date)) < alert.min_count or not churners:
        told = f"{churners} churners among {customers} customers with an outcome"
        return unknown("mean_score", "all", f"{told}; {alert.min_count} customers needed")
    rate = churners / customers
    told = (
        f"scores of {newest.as_of_date} promise {mean:.2%}; of the customers of {rates[-1]['as_of_date']} to "
        f"{rates[0]['as_of_date']} {rate:.2%} churned"
    )
    margin = max(alert.threshold * rate, Z * sqrt(rate * (1 - rate) / customers))
    return near("mean_score", "all", mean, rate, margin, told)


def reasons(wh: Warehouse, newest: ScoredDay, earlier: ScoredDay | None, alert: Alert) -> Finding:
    """PSI of the first reason told, against the month before: of one model, so that it is the customers who
    have changed.
    """
    if "reason_1" not in wh.column_types(SCORES):
        return unknown("reason_psi", "all", f"{SCORES} tells no reasons")
    if earlier is None:
        return unknown("reason_psi", "all", f"no scores a month before {newest.as_of_date}")
    told = f"first reasons of {newest.as_of_date} against {earlier.as_of_date}"
    if newest.model_version != earlier.model_version:
        return unknown("reason_psi", "all", f"{told}: another model gave them, {earlier.model_version}")
    rows = wh.query(
        f"""
        select
            coalesce(reason_1, 'none') as reason,
            count(case when as_of_date = $1 then 1 end) as now,
            count(case when as_of_date = $2 then 1 end) as before
        from {SCORES}
        where as_of_date in ($1, $2)
        group by coalesce(reason_1, 'none') order by coalesce(reason_1, 'none')
        """,
        [newest.as_of_date, earlier.as_of_date],
    )
    before, now = (rows[column].to_numpy().astype(np.int64) for column in ("before", "now"))
    return psi_finding("reason_psi", "all", before, now, alert, rows["reason"].to_pylist(), told)


def _count(wh: Warehouse, day: date) -> int:
    return int(wh.query(f"select count(*) as n from {SCORES} where as_of_date = $1", [day])["n"][0].as_py())
