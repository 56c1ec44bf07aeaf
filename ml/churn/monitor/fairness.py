"""Errors by group: of whom the scores miss churners, and whom they select in vain, once outcomes are known.

The selection rate itself needs no outcome and is published daily (marts.fct_score_fairness).
"""

from collections.abc import Mapping, Sequence
from datetime import date
from math import sqrt
from typing import Any

from ml.churn.monitor.drift import SCORES, Z
from ml.churn.monitor.findings import ALERT, OK, Alert, Finding, unknown
from ml.churn.sample import MATURE
from warehouse import Warehouse

CUSTOMERS = "history.dim_customers"
DIMENSIONS = ("sex", "age_band", "customer_kind", "is_elderly", "is_disabled")
SELECTED = "risk_band = 'high'"
COUNTS = ("churners", "stayers", "selected_churners", "selected_stayers")
# Of churners selected (true positives), and of stayers selected (false positives).
RATES = {"fairness_tpr": ("churners", "selected_churners"), "fairness_fpr": ("stayers", "selected_stayers")}


def errors_by_group(
    wh: Warehouse, panel: str, model_version: str, day: date, alerts: dict[str, Alert]
) -> list[Finding]:
    """True and false positive rates of each group of the customers of `day`, scored by `model_version`,
    against the largest group of the dimension. Selected is who was published in the high band.
    """
    present = wh.column_types(CUSTOMERS)
    dimensions = [name for name in DIMENSIONS if name in present]
    members = [f"coalesce(cast(customers.{name} as varchar), 'unknown')" for name in dimensions]
    # One join for all dimensions: their combinations are few, whatever the number of customers.
    cells = wh.query(
        f"""
        select
            {", ".join(f"{member} as {name}" for member, name in zip(members, dimensions, strict=True))},
            count(case when panel.is_churned = 1 then 1 end) as churners,
            count(case when panel.is_churned = 0 then 1 end) as stayers,
            count(case when panel.is_churned = 1 and scores.{SELECTED} then 1 end) as selected_churners,
            count(case when panel.is_churned = 0 and scores.{SELECTED} then 1 end) as selected_stayers
        from {SCORES} as scores
        inner join {panel} as panel
            on scores.as_of_date = panel.as_of_date and scores.customer_id = panel.customer_id
        inner join {CUSTOMERS} as customers
            on scores.as_of_date = customers.as_of_date and scores.customer_id = customers.customer_id
        where
            scores.as_of_date = $1 and scores.model_version = $2
            and panel.{MATURE.replace(" and ", " and panel.")}
        group by {", ".join(members)}
        """,
        [day, model_version],
    ).to_pandas()
    found: list[Finding] = []
    for dimension in dimensions:
        groups = cells.groupby(dimension)[list(COUNTS)].sum().rename_axis("member").reset_index()
        for check_name in RATES:
            found.extend(compare(check_name, dimension, groups.to_dict("records"), alerts[check_name], day))
    return found


def compare(
    check_name: str, dimension: str, groups: Sequence[Mapping[Any, Any]], alert: Alert, day: date
) -> list[Finding]:
    """Each group against the one with most customers: an alert where the smaller of two rates is below
    `threshold` of the larger and the difference is beyond chance (two proportions, 95 %).
    """
    if len(groups) < 2:
        return []
    of, selected = RATES[check_name]
    ordered = sorted(groups, key=lambda group: (-(group["churners"] + group["stayers"]), group["member"]))
    largest, others = ordered[0], ordered[1:]
    found = []
    for group in others:
        subject = f"{dimension}={group['member']}"
        if min(group[of], largest[of]) < alert.min_count:
            told = f"{group[of]} {of} of {subject}, {largest[of]} of {largest['member']} as of {day}"
            found.append(unknown(check_name, subject, f"{told}; {alert.min_count} needed"))
            continue
        rate, standard = group[selected] / group[of], largest[selected] / largest[of]
        pooled = (group[selected] + largest[selected]) / (group[of] + largest[of])
        error = sqrt(pooled * (1 - pooled) * (1 / group[of] + 1 / largest[of]))
        ratio = min(rate, standard) / max(rate, standard) if max(rate, standard) else 1.0
        is_apart = ratio < alert.threshold and abs(rate - standard) > Z * error
        found.append(
            Finding(
                check_name,
                subject,
                ALERT if is_apart else OK,
                f"of {group[of]} {of} of {subject} {rate:.1%} were in the high band on {day}, of "
                f"{largest[of]} of {largest['member']} {standard:.1%}: ratio {ratio:.2f}",
                reference_value=standard,
                check_value=rate,
                threshold_value=alert.threshold,
            )
        )
    return found
