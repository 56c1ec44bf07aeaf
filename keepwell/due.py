"""Which DAGs a bank still needs, by what stands in its warehouse."""

from collections.abc import Callable
from datetime import date, timedelta

# Bootstrap, training and monitoring have nothing to do when the last finished month is built, trained on and
# monitored already.
_IS_BUILT = "select count(*) as n from ops.standing_snapshots where as_of_date = $1"
_IS_TRAINED = "select count(*) as n from ops.training_runs where as_of_date between $1 and $2"
_IS_MONITORED = "select count(*) as n from ops.model_monitoring where as_of_date between $1 and $2"
_IS_PUBLISHED = (
    "select count(*) as n from ops.publications "
    "where kind = 'daily' and as_of_date >= $1 and withdrawn_at is null"
)

# Whether a count over these days is more than none.
Holds = Callable[..., bool]


def due_dags(holds: Holds, day: date, *, is_built: bool) -> list[str]:
    """The DAGs that have something to do up to the end of `day`, in their order; the day itself always has.

    `is_built` is what `is_history_built` says.
    """
    is_trained = holds(_IS_TRAINED, last_month_end(day), day)
    is_monitored = holds(_IS_MONITORED, last_month_end(day), day)
    is_due = {
        "customer_bootstrap": not is_built,
        # Here it is not asked for: without a champion there would be no scores to show.
        "churn_training": not is_trained,
        "customer_daily": True,
        "churn_monitoring": not is_monitored,
    }
    return [dag_id for dag_id, is_due_now in is_due.items() if is_due_now]


def is_history_built(holds: Holds, day: date) -> bool:
    """Whether the last month-end before `day` stands."""
    return holds(_IS_BUILT, last_month_end(day - timedelta(days=1)))


def is_published(holds: Holds, day: date) -> bool:
    """Whether readers see `day` or a later one."""
    return holds(_IS_PUBLISHED, day)


def last_month_end(day: date) -> date:
    """The last day of the last month that is over at the end of `day`."""
    tomorrow = day + timedelta(days=1)
    return tomorrow.replace(day=1) - timedelta(days=1)
