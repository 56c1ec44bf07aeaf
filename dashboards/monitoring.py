"""What the newest monitoring has found, and how scores whose outcomes are known have done."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from dashboards.reading import Reader, Row

STATUSES = ("alert", "unknown", "ok")
PERFORMANCE = ("auc", "calibration_slope", "calibration_intercept", "lift_top_decile")
# Features shown of those with a PSI, the furthest from their reference first.
MOST_FEATURES = 15
# Alerts told one by one, and figures of matured scores: some years of months.
MOST_ALERTS, MOST_MATURED = 20, 400


@dataclass(frozen=True)
class Monitoring:
    """Rows of plain values in a stable order; empty where nothing was monitored up to the day."""

    as_of_date: dt.date | None = None
    model_version: str | None = None
    # one row a check and subject: check_name, subject, reference_value, check_value, threshold_value, status,
    # message
    checks: list[Row] = field(default_factory=list)
    # one row a day of monitoring, model and measure: as_of_date, model_version, check_name and its values
    matured: list[Row] = field(default_factory=list)

    def by_check(self) -> list[Row]:
        """One row a check: check_name, status (the worst), count by status, and the most telling finding."""
        names = dict.fromkeys(row["check_name"] for row in self.checks)
        rows = []
        for name in names:
            found = sorted(
                (row for row in self.checks if row["check_name"] == name),
                key=lambda row: (STATUSES.index(row["status"]), -excess(row), row["subject"]),
            )
            counts = {status: sum(row["status"] == status for row in found) for status in STATUSES}
            rows.append({"check_name": name, "status": found[0]["status"], "finding": found[0], **counts})
        return sorted(rows, key=lambda row: (STATUSES.index(row["status"]), row["check_name"]))

    def alerts(self) -> list[Row]:
        """Checks that alert, the furthest beyond their bound first."""
        rows = [row for row in self.checks if row["status"] == "alert"]
        return sorted(rows, key=lambda row: (-excess(row), row["check_name"], row["subject"]))

    def drift(self) -> list[Row]:
        """The scores' PSI and those of the features that moved most, the largest first."""
        rows = [row for row in self.checks if row["check_name"] == "feature_psi" and known(row)]
        rows.sort(key=lambda row: (-row["check_value"], row["subject"]))
        score = [row for row in self.checks if row["check_name"] == "score_psi" and known(row)]
        return [*score, *rows[:MOST_FEATURES]]


def known(row: Row) -> bool:
    """Whether a check has a value and a bound."""
    return row["check_value"] is not None and row["threshold_value"] is not None


def excess(row: Row) -> float:
    """How many times its bound a value is; 0 where there is none to hold it against."""
    if not known(row) or not row["threshold_value"]:
        return 0.0
    return abs(row["check_value"] - (row["reference_value"] or 0.0)) / abs(row["threshold_value"])


def read_monitoring(reader: Reader) -> Monitoring:
    """Read the newest monitoring on or before the publication's day."""
    needs: dict[str, tuple[str, ...]] = {"ops.model_monitoring": ()}
    checks = reader.rows(NEWEST, needs)
    matured: dict[tuple[object, ...], Row] = {}
    # A day monitored twice is told by its newest run, which comes last.
    for row in reversed(reader.rows(MATURED, needs)):
        matured[row["as_of_date"], row["model_version"], row["check_name"]] = row
    if not checks:
        return Monitoring()
    return Monitoring(
        as_of_date=checks[0]["as_of_date"],
        model_version=checks[0]["standing_version"],
        checks=checks,
        matured=list(matured.values()),
    )


# The champion of the day is whose age was checked; matured scores may be of models before it.
NEWEST = """
select
    checks.*,
    max(case when check_name = 'champion_age' then model_version end) over () as standing_version
from ops.model_monitoring as checks
where
    run_id = (
        select run_id
        from ops.model_monitoring
        where as_of_date <= $1
        order by as_of_date desc, monitored_at desc, run_id desc
        limit 1
    )
order by check_name, subject, model_version
"""

MATURED = f"""
select as_of_date, model_version, check_name, reference_value, check_value, threshold_value, status
from ops.model_monitoring
where
    as_of_date <= $1
    and check_name in ({", ".join(f"'{name}'" for name in PERFORMANCE)})
    and check_value is not null
order by as_of_date desc, monitored_at desc, run_id desc, model_version desc, check_name desc
limit {MOST_MATURED}
"""
