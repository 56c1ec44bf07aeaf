"""What was run, published, delivered and checked, read from `ops` once: nothing of a customer."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

from dashboards.history_builds import BuildTimes, read_build_times
from dashboards.history_ops import Ops
from dashboards.reading import Row
from warehouse import Warehouse

# Days told one by one, back from the newest thing that happened; what lies before is told by month.
FULL_DAYS = 60


@dataclass(frozen=True)
class History:
    """Rows of plain values, the newest first. None: not there, or not for this reader."""

    source: str | None
    shown: Row | None  # the publication that `marts` show, with shown_since and after_withdrawal (bool)
    full_from: dt.date | None  # the first day told in full
    newest_day: dt.date | None
    runs: list[
        Row
    ]  # of the full days: run_id, kind, as_of_date, state, note, started_at, gates, findings ...
    publications: list[Row]
    months: list[Row]  # what lies before the full days, a row a month
    deliveries: list[Row]  # of the full days, refused ones with `faults`
    trainings: list[Row]
    health: list[Row] | None  # the newest check of everything that is watched, alerts first
    builds: BuildTimes | None
    audit: list[Row] | None
    count_runs: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing ever happened in this warehouse."""
        return self.newest_day is None

    def failed(self) -> list[Row]:
        """The runs of the full days that failed."""
        return [run for run in self.runs if run["state"] == "failed"]


def read_runs_and_publications(wh: Warehouse) -> History:
    """Read the history of a warehouse, which may be empty."""
    ops = Ops(wh)
    runs, publications, batches = ops.runs(), ops.publications(), ops.batches()
    trainings = ops.trainings()
    gates = _by_run(ops.gates())
    happened = (
        [run["started_at"] for run in runs]
        + [batch["loaded_at"] for batch in batches]
        + [publication["published_at"] for publication in publications]
    )
    newest_day = max(happened).date() if happened else None
    full_from = newest_day - dt.timedelta(days=FULL_DAYS - 1) if newest_day else None
    states = _States(publications, trainings, ops.monitored())
    for run in runs:
        run["gates"] = gates.get(run["run_id"], [])
        run["state"], run["publication_no"] = states.of(run), states.publication_no(run)
        run["findings"], run["count_findings"] = [], 0
    if full_from is not None:
        findings = _by_run(ops.findings(full_from))
        for run in runs:
            found = findings.get(run["run_id"], [])
            run["findings"], run["count_findings"] = found, found[0]["count_findings"] if found else 0
    return History(
        source=ops.source(),
        shown=_shown(publications),
        full_from=full_from,
        newest_day=newest_day,
        runs=_since(runs, "started_at", full_from),
        publications=_since(publications, "published_at", full_from),
        months=_months(runs, publications, batches, full_from),
        deliveries=ops.with_faults(_since(batches, "loaded_at", full_from)),
        trainings=trainings,
        health=ops.health(),
        builds=read_build_times(ops, runs),
        audit=ops.audit(full_from),
        count_runs=len(runs),
    )


class _States:
    """What became of a run, in one word: its status, told further where that alone does not say."""

    def __init__(self, publications: list[Row], trainings: list[Row], monitored: set[str]) -> None:
        # The newest publication of a run comes last and stays.
        self._publications = {row["run_id"]: row for row in reversed(publications)}
        self._trainings = {row["run_id"] for row in trainings}
        self._monitored = monitored

    def of(self, run: Row) -> str:
        """published, withdrawn, failed, trained, monitored, opened, done, skipped or dropped."""
        publication = self._publications.get(run["run_id"])
        if publication is not None and publication["withdrawn_at"] is None:
            return "published"
        if run["status"] in ("failed", "withdrawn", "skipped"):
            return str(run["status"])
        # Retention writes over what became of a run whose schema it drops; its tests still tell.
        if run["status"] == "dropped" and any(gate["count_fail"] for gate in run["gates"]):
            return "failed"
        if run["run_id"] in self._trainings:
            return "trained"
        if run["run_id"] in self._monitored:
            return "monitored"
        return "opened" if run["status"] == "started" else str(run["status"])

    def publication_no(self, run: Row) -> int | None:
        """The number of the run's newest publication."""
        publication = self._publications.get(run["run_id"])
        return publication["publication_no"] if publication else None


def _by_run(rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["run_id"]].append(row)
    return found


def _since(rows: list[Row], column: str, day: dt.date | None) -> list[Row]:
    return [row for row in rows if day is not None and row[column].date() >= day]


def _shown(publications: list[Row]) -> Row | None:
    """The publication that `marts` show (as warehouse.publish.shown_runs has it), and since when.

    It is shown since it was published, or since the last of those that would come before it was withdrawn.
    """
    daily = sorted(
        (row for row in publications if row["kind"] == "daily"),
        key=lambda row: (row["as_of_date"], row["publication_no"]),
        reverse=True,
    )
    above: list[dt.datetime] = []
    for row in daily:
        if row["withdrawn_at"] is None:
            since = max([row["published_at"], *above])
            return {**row, "shown_since": since, "after_withdrawal": since > row["published_at"]}
        above.append(row["withdrawn_at"])
    return None


def _months(
    runs: list[Row], publications: list[Row], batches: list[Row], full_from: dt.date | None
) -> list[Row]:
    """What lies before the full days, by the month in which it happened."""
    if full_from is None:
        return []
    counts: dict[str, Row] = {}

    def month_of(moment: dt.datetime) -> Row | None:
        if moment.date() >= full_from:
            return None
        return counts.setdefault(
            f"{moment:%Y-%m}",
            dict.fromkeys(
                ("runs", "failed", "published", "withdrawn", "tests_failed", "deliveries", "refused",
                 "rows_loaded", "rows_rejected"),
                0,
            ),
        )  # fmt: skip

    for run in runs:
        if (month := month_of(run["started_at"])) is not None:
            month["runs"] += 1
            month["failed"] += run["state"] == "failed"
            month["tests_failed"] += sum(gate["count_fail"] for gate in run["gates"])
    for publication in publications:
        if (month := month_of(publication["published_at"])) is not None:
            month["published"] += 1
            month["withdrawn"] += publication["withdrawn_at"] is not None
    for batch in batches:
        if (month := month_of(batch["loaded_at"])) is not None:
            month["deliveries"] += 1
            month["refused"] += batch["status"] == "refused"
            month["rows_loaded"] += batch["rows_loaded"]
            month["rows_rejected"] += batch["rows_rejected"]
    return [{"month": month, **counts[month]} for month in sorted(counts, reverse=True)]
