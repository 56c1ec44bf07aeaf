"""What a check found, and the policy it is judged by."""

from dataclasses import dataclass
from datetime import date

from ml.churn.errors import InputError
from warehouse import Warehouse

OK, ALERT, UNKNOWN = "ok", "alert", "unknown"
POLICY = "policy.policy_model_alerts"


@dataclass(frozen=True)
class Alert:
    """A row of the policy: how far a figure may be from its reference, how many customers or churners it
    takes to say so, and whether an alert asks for a training.
    """

    check_name: str
    threshold: float
    min_count: int
    is_retraining_reason: bool


@dataclass(frozen=True)
class Finding:
    """A row of ops.model_monitoring. `subject`: the feature, the group or `all`; `threshold_value`: the bound
    that `check_value` was held against, noise included; `message`: a sentence for people.
    """

    check_name: str
    subject: str
    status: str
    message: str
    reference_value: float | None = None
    check_value: float | None = None
    threshold_value: float | None = None


def read_alerts(wh: Warehouse, as_of_date: date) -> dict[str, Alert]:
    """The policy in force on a date by check; InputError where the warehouse has none."""
    remedy = "load the policy seeds: dbt build --selector facts"
    if not wh.exists(POLICY):
        raise InputError(f"{POLICY} does not exist; {remedy}")
    rows = wh.query(
        f"""
        select check_name, cast(threshold as double precision) as threshold, min_count, is_retraining_reason
        from {POLICY}
        where
            policy_set = (select policy_set from ops.sources)
            and effective_from = (
                select max(effective_from) from {POLICY}
                where policy_set = (select policy_set from ops.sources) and effective_from <= $1
            )
        """,
        [as_of_date],
    ).to_pylist()
    if not rows:
        raise InputError(f"{POLICY} has no version of this bank that is in force on {as_of_date}; {remedy}")
    return {row["check_name"]: Alert(**row) for row in rows}


def unknown(check_name: str, subject: str, message: str) -> Finding:
    """A check that cannot be made."""
    return Finding(check_name, subject, UNKNOWN, message)


def within(
    check_name: str, subject: str, value: float, reference: float | None, bound: float, message: str
) -> Finding:
    """A figure that is an alert above its bound."""
    return Finding(check_name, subject, ALERT if value > bound else OK, message, reference, value, bound)


def near(
    check_name: str, subject: str, value: float, reference: float, margin: float, message: str
) -> Finding:
    """A figure that is an alert when it is further from its reference than `margin`, which is the bound told:
    a threshold, or the noise where that is larger.
    """
    status = ALERT if abs(value - reference) > margin else OK
    return Finding(check_name, subject, status, message, reference, value, margin)
