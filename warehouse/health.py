"""Is the platform well? Checks of what is published, delivered, rejected, failed and recorded.

What a check is held against is policy (`policy_health`). All of them read small tables of `ops`, so that a
watch costs seconds whatever the size of the bank, and none needs a delivery or a run to be going on.
"""

from __future__ import annotations

import datetime as dt
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import pyarrow as pa

from warehouse.door import Warehouse

OK, ALERT, UNKNOWN = "ok", "alert", "unknown"
POLICY = "policy.policy_health"
DAY = dt.timedelta(days=1)
# Earlier deliveries that make a median.
MIN_EARLIER = 5
# A batch bears the moment at which its load began, and the task of a DAG loads for an hour at most: a check
# may not have seen what began in the hour before it.
LONGEST_LOAD = dt.timedelta(hours=1)
# A bank that delivers at longer intervals than this knows no weekends.
WEEK = 7
NAMED = 3


@dataclass(frozen=True)
class Rule:
    """A row of policy_health; what `min_count` and `lookback` count, docs/policy.md says for each check."""

    check_name: str
    subject: str
    lower_bound: float | None
    upper_bound: float
    min_count: int | None
    lookback: int | None
    grace_hours: int | None

    @property
    def grace(self) -> dt.timedelta:
        """How long something may take."""
        return dt.timedelta(hours=self.grace_hours or 0)


@dataclass(frozen=True)
class Finding:
    """A row of ops.health_checks: `check_value` against `threshold_value`, both in `unit`."""

    check_name: str
    subject: str
    status: str
    message: str
    check_value: float | None = None
    threshold_value: float | None = None
    unit: str = ""


@dataclass(frozen=True)
class Delivery:
    """The rows of one entity in one loaded delivery."""

    delivered_on: dt.date
    told_of_on: dt.date
    loaded_at: dt.datetime
    rows: int

    @property
    def expected_on(self) -> dt.date:
        """The day at whose beginning it is loaded: a day is asked for when it is over, not before."""
        return max(self.delivered_on, self.told_of_on + DAY)

    @property
    def is_weekend(self) -> bool:
        """Whether it tells of a Saturday or a Sunday."""
        return self.told_of_on.isoweekday() > 5


def check(wh: Warehouse, now: dt.datetime) -> list[Finding]:
    """Every check of the policy in force at `now` (UTC, without a zone), the most urgent first.

    A check without a rule is unknown: before the first build the warehouse has no policy.
    """
    rules = _rules(wh, now.date())
    findings = []
    for name, look in CHECKS.items():
        of_check = [rule for rule in rules if rule.check_name == name]
        if not of_check:
            reason = f"{POLICY} has no rule of it in force: the first build loads the policy"
            findings.append(Finding(name, "all", UNKNOWN, reason))
        for rule in of_check:
            findings += look(wh, rule, now)
    return findings


def record(wh: Warehouse, findings: Sequence[Finding], now: dt.datetime) -> None:
    """Add them to ops.health_checks as checked at `now`."""
    rows = [{"checked_at": now, **asdict(finding)} for finding in findings]
    columns = ("check_value", "threshold_value")
    schema = pa.schema(
        [
            pa.field(name, pa.timestamp("us") if name == "checked_at" else pa.string())
            if name not in columns
            else pa.field(name, pa.float64())
            for name in rows[0]
        ]
    )
    wh.append("ops.health_checks", pa.Table.from_pylist(rows, schema=schema))


def news(wh: Warehouse, findings: Sequence[Finding], now: dt.datetime) -> list[Finding]:
    """The alerts that the newest check before `now` did not have, and once a day those that go on.

    Call it before `record`.
    """
    rows = wh.query(
        """
        select
            alerts.check_name,
            alerts.subject,
            min(alerts.checked_at) as since,
            max(alerts.checked_at) as last_at
        from ops.health_checks as alerts
        left join (
            select check_name, subject, max(checked_at) as quiet_at
            from ops.health_checks
            where status <> 'alert' and checked_at < $1
            group by check_name, subject
        ) as quiet on alerts.check_name = quiet.check_name and alerts.subject = quiet.subject
        where
            alerts.status = 'alert'
            and alerts.checked_at < $1
            and (quiet.quiet_at is null or alerts.checked_at > quiet.quiet_at)
        group by alerts.check_name, alerts.subject
        """,
        [now],
    ).to_pylist()
    before = wh.query("select max(checked_at) as at from ops.health_checks where checked_at < $1", [now])
    previous = before["at"][0].as_py()
    standing = {
        (row["check_name"], row["subject"]): row["since"] for row in rows if row["last_at"] == previous
    }

    def is_news(finding: Finding) -> bool:
        since = standing.get((finding.check_name, finding.subject))
        return since is None or (now - since) // DAY > (previous - since) // DAY

    return [finding for finding in findings if finding.status == ALERT and is_news(finding)]


def table(findings: Sequence[Finding]) -> str:
    """The findings as aligned lines of text under a heading."""
    lines = [("check", "subject", "status", "value", "bound", "unit", "")]
    for one in findings:
        value, bound = (
            "" if number is None else f"{number:g}" for number in (one.check_value, one.threshold_value)
        )
        lines.append((one.check_name, one.subject, one.status, value, bound, one.unit, one.message))
    widths = [max(len(line[place]) for line in lines) for place in range(6)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[6]]).rstrip()
        for line in lines
    )


def _rules(wh: Warehouse, on: dt.date) -> list[Rule]:
    if not wh.exists(POLICY):
        return []
    rows = wh.query(
        f"""
        select
            check_name,
            subject,
            cast(lower_bound as double precision) as lower_bound,
            cast(upper_bound as double precision) as upper_bound,
            min_count,
            lookback,
            grace_hours
        from {POLICY}
        where
            policy_set = (select policy_set from ops.sources)
            and effective_from = (
                select max(effective_from) from {POLICY}
                where policy_set = (select policy_set from ops.sources) and effective_from <= $1
            )
        order by check_name, subject
        """,
        [on],
    )
    return [Rule(**row) for row in rows.to_pylist()]


def _publication_age(wh: Warehouse, rule: Rule, now: dt.datetime) -> Iterator[Finding]:
    """Days by which the newest published day is behind the newest one whose data were loaded.

    Not behind the calendar: a bank that delivers nothing at weekends publishes nothing new, and deliveries
    that stop are told by `delivery_age`.
    """
    due = wh.query(
        """
        select max(batches.delivered_on) as delivered_on, max(sources.landing_lag_days) as lag_days
        from ops.batches as batches
        cross join ops.sources as sources
        where batches.status = 'loaded' and batches.loaded_at <= $1
        """,
        [now - rule.grace],
    ).to_pylist()[0]
    # What marts.* show; a bootstrap goes to history alone.
    shown_on = wh.query(
        "select max(as_of_date) as day from ops.publications where kind = 'daily' and withdrawn_at is null"
    )["day"][0].as_py()
    if due["delivered_on"] is None:
        message = f"nothing was delivered more than {rule.grace_hours} hours ago"
        yield Finding(rule.check_name, "all", UNKNOWN, message)
        return
    due_on = due["delivered_on"] - due["lag_days"] * DAY
    if shown_on is None:
        message = f"nothing is published; the data of {due_on} are loaded"
        yield Finding(rule.check_name, "all", ALERT, message, None, rule.upper_bound, "days")
        return
    behind = max(0, (due_on - shown_on).days)
    message = f"readers see {shown_on}; the newest day that is loaded is {due_on}"
    yield _at_most(rule, "all", behind, "days", message)


def _delivery_age(wh: Warehouse, rule: Rule, now: dt.datetime) -> Iterator[Finding]:
    """Days since an entity's last delivery was to be loaded, against its longest gap times a factor.

    The bank's own gaps say what to expect: weekends, months, holidays within `lookback` deliveries.
    """
    deliveries = _deliveries(wh, now).get(rule.subject, [])[-(rule.lookback or 0) :]
    gaps = [(later.delivered_on - earlier.delivered_on).days for earlier, later in pairwise(deliveries)]
    if len(gaps) < (rule.min_count or 1):
        message = f"{len(deliveries)} deliveries after the first one: too few to say how often it comes"
        yield Finding(rule.check_name, rule.subject, UNKNOWN, message)
        return
    newest = deliveries[-1].delivered_on
    age = max(dt.timedelta(), now - dt.datetime.combine(deliveries[-1].expected_on, dt.time())) / DAY
    expected = max(gaps) * rule.upper_bound
    message = (
        f"last delivered on {newest}; the longest gap of {len(deliveries)} deliveries is {max(gaps)} days"
    )
    status = ALERT if age > expected else OK
    yield Finding(rule.check_name, rule.subject, status, message, round(age, 2), expected, "days")


def _delivery_volume(wh: Warehouse, rule: Rule, now: dt.datetime) -> Iterator[Finding]:
    """Rows of each entity in what was loaded last as a share of the median of earlier deliveries.

    Of deliveries that tell of the same kind of day, working days or weekend, where the bank delivers more
    often than weekly. The first delivery of a bank is its history, and never compared. Of several that are
    judged the newest that alerts is told, else the newest.
    """
    by_entity = _deliveries(wh, now)
    if not by_entity:
        message = "nothing was delivered after the first delivery"
        yield Finding(rule.check_name, "all", UNKNOWN, message)
        return
    newest_at = max(delivery.loaded_at for rows in by_entity.values() for delivery in rows)
    since = _judged_since(wh, rule, newest_at)
    for entity, deliveries in sorted(by_entity.items()):
        judged = [
            _volume(rule, entity, deliveries[: place + 1])
            for place, delivery in enumerate(deliveries)
            if delivery.loaded_at >= since
        ]
        if judged:
            yield next((one for one in reversed(judged) if one.status == ALERT), judged[-1])


def _volume(rule: Rule, entity: str, deliveries: Sequence[Delivery]) -> Finding:
    """The last of the deliveries against those before it."""
    newest = deliveries[-1]
    earlier = _alike(deliveries)[-(rule.lookback or 0) :]
    if len(earlier) < MIN_EARLIER:
        message = f"{newest.rows} rows; {len(earlier)} earlier deliveries of such a day: too few to compare"
        return Finding(rule.check_name, entity, UNKNOWN, message)
    median = statistics.median(delivery.rows for delivery in earlier)
    if median < (rule.min_count or 1):
        message = f"{newest.rows} rows; the median of {median:g} is too small to compare with"
        return Finding(rule.check_name, entity, UNKNOWN, message)
    share = newest.rows / median
    lower = rule.lower_bound or 0.0
    is_low = share < lower
    status = ALERT if is_low or share > rule.upper_bound else OK
    message = f"{newest.rows} rows on {newest.delivered_on}, a median of {median:g} in {len(earlier)} before"
    bound = lower if is_low else rule.upper_bound
    return Finding(rule.check_name, entity, status, message, round(share, 4), bound, "of the median")


def _rejected_share(wh: Warehouse, rule: Rule, now: dt.datetime) -> Iterator[Finding]:
    """The largest share of rows of one file that were rejected in what was loaded, or refused, last.

    A refused delivery is made good by one of the same day that is loaded after it.
    """
    newest = wh.query("select max(loaded_at) as at from ops.batches where loaded_at <= $1", [now])
    newest_at = newest["at"][0].as_py()
    files = (
        wh.query(
            """
            select batches.delivered_on, batches.status, files.entity, files.rows_read, files.rows_rejected
            from ops.batches as batches
            inner join ops.batch_files as files on batches.batch_id = files.batch_id
            where
                batches.loaded_at between $1 and $2
                and files.rows_read > 0
                and not exists (
                    select 1 from ops.batches as later
                    where
                        batches.status = 'refused'
                        and later.status = 'loaded'
                        and later.delivered_on = batches.delivered_on
                        and later.loaded_at > batches.loaded_at
                        and later.loaded_at <= $2
                )
            order by batches.loaded_at desc, files.entity
            """,
            [_judged_since(wh, rule, newest_at), now],
        ).to_pylist()
        if newest_at
        else []
    )
    if not files:
        yield Finding(rule.check_name, "all", UNKNOWN, "nothing was delivered yet")
        return
    judged = [file for file in files if file["rows_rejected"] >= (rule.min_count or 1)]
    worst = max(judged or files, key=lambda file: file["rows_rejected"] / file["rows_read"])
    share = worst["rows_rejected"] / worst["rows_read"] if judged else 0.0
    message = (
        f"{worst['rows_rejected']} of {worst['rows_read']} rows of {worst['entity']} in the {worst['status']}"
        f" delivery of {worst['delivered_on']}"
    )
    yield _at_most(rule, "all", round(share, 6), "share of rows", message)


def _failed_runs(wh: Warehouse, rule: Rule, now: dt.datetime) -> Iterator[Finding]:
    """Runs of the last `lookback` days that failed or hang, and that no later run of their day made good.

    A training or an audit that hangs keeps no day from its readers.
    """
    runs = wh.query(
        """
        select runs.run_id, runs.kind, runs.status
        from ops.runs as runs
        where
            runs.started_at > $1
            and runs.started_at <= $2
            and (
                runs.status = 'failed'
                or (
                    runs.status = 'started'
                    and runs.kind in ('daily', 'bootstrap')
                    and runs.started_at <= $3
                )
            )
            and not exists (
                select 1 from ops.runs as later
                where
                    later.kind = runs.kind
                    and later.as_of_date = runs.as_of_date
                    and later.started_at > runs.started_at
                    and later.status <> 'failed'
                    and (later.status <> 'started' or later.kind in ('training', 'audit'))
            )
        order by runs.run_id
        """,
        [now - (rule.lookback or 0) * DAY, now, now - rule.grace],
    ).to_pylist()
    named = ", ".join(f"{run['run_id']} ({run['kind']}, {run['status']})" for run in runs[:NAMED])
    more = f" and {len(runs) - NAMED} more" if len(runs) > NAMED else ""
    message = f"not made good: {named}{more}" if runs else f"none in {rule.lookback} days"
    yield _at_most(rule, "all", len(runs), "runs", message)


def _audit_gap(wh: Warehouse, rule: Rule, now: dt.datetime) -> Iterator[Finding]:
    """Publications and withdrawals that the audit log does not have.

    Of those made since publications keep who published them, which is since there is a log.
    """
    gaps = wh.query(
        """
        select publications.run_id, 'publish' as action
        from ops.publications as publications
        where
            publications.published_by is not null
            and publications.published_at <= $1
            and not exists (
                select 1 from ops.audit_log as entries
                where entries.action = 'publish' and entries.subject = publications.run_id
            )
        union all
        select publications.run_id, 'rollback' as action
        from ops.publications as publications
        where
            publications.published_by is not null
            and publications.withdrawn_at <= $1
            and not exists (
                select 1 from ops.audit_log as entries
                where entries.action = 'rollback' and entries.subject = publications.run_id
            )
        order by 1, 2
        """,
        [now],
    ).to_pylist()
    named = ", ".join(f"{gap['action']} of {gap['run_id']}" for gap in gaps[:NAMED])
    message = f"the audit log has no {named}" if gaps else "every publication stands in the audit log"
    yield _at_most(rule, "all", len(gaps), "acts", message)


# The most urgent first: an alert is sent under the first one's name.
CHECKS: dict[str, Callable[[Warehouse, Rule, dt.datetime], Iterator[Finding]]] = {
    "publication_age": _publication_age,
    "delivery_age": _delivery_age,
    "delivery_volume": _delivery_volume,
    "rejected_share": _rejected_share,
    "failed_runs": _failed_runs,
    "audit_gap": _audit_gap,
}


def _at_most(rule: Rule, subject: str, value: float, unit: str, message: str) -> Finding:
    status = ALERT if value > rule.upper_bound else OK
    return Finding(rule.check_name, subject, status, message, value, rule.upper_bound, unit)


def _judged_since(wh: Warehouse, rule: Rule, newest_at: dt.datetime) -> dt.datetime:
    """What was loaded from this moment on is judged: all that the last check before the newest delivery may
    not have seen, until a newer one comes. The newest alone where the check was never made before.
    """
    checks = wh.query(
        "select max(checked_at) as at from ops.health_checks where check_name = $1 and checked_at < $2",
        [rule.check_name, newest_at],
    )
    checked_at: dt.datetime | None = checks["at"][0].as_py()
    return newest_at if checked_at is None else checked_at - LONGEST_LOAD


def _deliveries(wh: Warehouse, now: dt.datetime) -> dict[str, list[Delivery]]:
    """By entity the loaded deliveries after the history, oldest first; those of one day count together."""
    rows = wh.query(
        """
        select
            files.entity,
            batches.delivered_on,
            max(sources.landing_lag_days) as lag_days,
            max(batches.loaded_at) as loaded_at,
            cast(sum(files.rows_read) as bigint) as count_rows
        from ops.batches as batches
        inner join ops.batch_files as files on batches.batch_id = files.batch_id
        cross join ops.sources as sources
        where batches.status = 'loaded' and not batches.is_history and batches.loaded_at <= $1
        group by files.entity, batches.delivered_on
        order by files.entity, batches.delivered_on
        """,
        [now],
    ).to_pylist()
    found: dict[str, list[Delivery]] = {}
    for row in rows:
        told_of_on = row["delivered_on"] - row["lag_days"] * DAY
        delivery = Delivery(row["delivered_on"], told_of_on, row["loaded_at"], row["count_rows"])
        found.setdefault(row["entity"], []).append(delivery)
    return found


def _alike(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Those before the newest one that may be compared with it."""
    *earlier, newest = deliveries
    gaps = [(later.delivered_on - before.delivered_on).days for before, later in pairwise(deliveries)]
    if not gaps or statistics.median(gaps) >= WEEK:
        return earlier
    return [delivery for delivery in earlier if delivery.is_weekend == newest.is_weekend]
