"""Is a bank too young for a model, or has nobody trained one? It publishes without scores, or fails."""

from datetime import date, timedelta

from ml.churn.params import Windows
from ml.churn.splits import expanding_folds
from warehouse import Warehouse

ACTIVITY = "core.fct_customer_activity_daily"


def why_too_young(wh: Warehouse, as_of_date: date, windows: Windows) -> str | None:
    """Why there can be no model yet at `as_of_date`; None when there could be and only training is missing.

    Decided by the bank's data, not by what has been built from them: a bank with years of history and no
    snapshots is not young. What the training or the monitoring of the last month-end found stands.
    """
    trainings = wh.query(
        "select as_of_date, outcome from ops.training_runs where as_of_date <= $1 "
        "order by as_of_date desc, trained_at desc",
        [as_of_date],
    ).to_pylist()
    last_month_end = as_of_date.replace(day=1) - timedelta(days=1)
    for training in trainings[:1]:
        found_too_little = training["outcome"] in ("no_mature_labels", "too_few_churners", "below_baseline")
        if found_too_little and training["as_of_date"] >= last_month_end:
            found = training["outcome"].replace("_", " ")
            if training["outcome"] == "below_baseline":
                found = "no model above the rates of the value tiers and the risk index"
            return f"the training of {training['as_of_date']} found {found}"
    # Where it finds nothing to train on, monitoring asks for no training, and none is recorded.
    found_nothing = wh.query(
        "select max(as_of_date) as day from ops.model_monitoring "
        "where check_name = 'champion_age' and status = 'unknown' and as_of_date between $1 and $2",
        [last_month_end, as_of_date],
    )["day"][0].as_py()
    if found_nothing is not None:
        return f"the monitoring of {found_nothing} found no two month-ends to train and test on"
    first = None
    if wh.exists(ACTIVITY):
        first = wh.query(f"select min(activity_date) as day from {ACTIVITY}").column("day")[0].as_py()
    if first is None:
        return "there is no activity yet"
    if could_have_trained(first, as_of_date, windows):
        return None
    return (
        f"activity begins {first}: no two month-ends have {windows.observation_days} days before them, "
        f"{windows.embargo_days} days between them and {windows.embargo_days} days after them"
    )


def could_have_trained(first_activity: date, as_of_date: date, windows: Windows) -> bool:
    """Whether the training of the last month-end before `as_of_date` had snapshots to train and test on."""
    trained_on = as_of_date.replace(day=1) - timedelta(days=1)
    # (D-O, D] begins a day after D-O.
    month_end = first_activity + timedelta(days=windows.observation_days - 1)
    matured = []
    while (month_end := _month_end(month_end)) + timedelta(days=windows.embargo_days) <= trained_on:
        matured.append(month_end)
        month_end += timedelta(days=1)
    return bool(expanding_folds(matured, embargo_days=windows.embargo_days))


def _month_end(day: date) -> date:
    """The last day of the month of `day`."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
