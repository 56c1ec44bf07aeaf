"""Monitor: every check of a run, its rows in ops.model_monitoring, and whether a training is asked for."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
from rich.progress import Progress

from ml.churn.errors import InputError
from ml.churn.monitor import drift, fairness, performance, scores
from ml.churn.monitor.findings import ALERT, OK, UNKNOWN, Alert, Finding, read_alerts, unknown, within
from ml.churn.params import Params
from ml.churn.registry import Registry
from ml.churn.runs import Run, get_run
from ml.churn.sample import MATURE
from ml.churn.splits import expanding_folds
from warehouse import Settings, Warehouse, open_warehouse
from warehouse.runs import utc_now

# Models whose scores matured longer ago tell of another bank.
LOOKBACK_DAYS = 365
NO_MODEL = "none"
Found = list[tuple[str, Finding]]


@dataclass(frozen=True)
class Verdict:
    """What monitoring came to: how many checks are ok, alert, unknown, and why a training is asked for, or
    not.
    """

    counts: dict[str, int]
    is_training_asked: bool
    reason: str


def run_monitoring(settings: Settings, params: Params, run_id: str, progress: Progress) -> Verdict:
    """Check the champion as of the run's date, by `<run_id>.churn_panel` and what is published, and replace
    the run's rows in ops.model_monitoring.

    Raises InputError for a run that is not of kind training, a missing panel, policy without thresholds, or
    a registry that is damaged.
    """
    registry = Registry(settings.models_dir)
    with open_warehouse(settings) as wh:
        run = get_run(wh, run_id)
        panel = _panel_of(wh, run)
        alerts = read_alerts(wh, run.as_of_date)
        why_not = _why_untrainable(wh, panel, params)
        found = _check_all(wh, run, panel, registry, alerts, why_not, progress)
        _record(wh, run, found)
        counts = {status: sum(one.status == status for _, one in found) for status in (OK, ALERT, UNKNOWN)}
        is_asked, reason = _ask(wh, run, registry, found, alerts, why_not)
    return Verdict(counts, is_asked, reason)


def _check_all(
    wh: Warehouse,
    run: Run,
    panel: str,
    registry: Registry,
    alerts: dict[str, Alert],
    why_not: str | None,
    progress: Progress,
) -> Found:
    """Every finding with the version of the model that it is of."""
    champion = registry.standing(run.as_of_date)
    if champion is None:
        told = f"no champion stands for {run.as_of_date}"
        status, message = (ALERT, told) if why_not is None else (UNKNOWN, f"{told}: {why_not}")
        return [(NO_MODEL, Finding("champion_age", "all", status, message))]
    version = champion.model_version
    task = progress.add_task(f"Monitor {version}", total=4)
    found: Found = [(version, _age(run, registry, version, alerts["champion_age"]))]
    found += _feature_drift(wh, run, registry, version, alerts)
    progress.advance(task)
    newest, earlier = scores.scored_days(wh, run.as_of_date)
    if newest is None:
        found.append((version, unknown("score_psi", "all", f"nothing is scored up to {run.as_of_date}")))
        progress.update(task, completed=4)
        return found
    scored_by = newest.model_version
    found.append((scored_by, _score_drift(wh, registry, newest, alerts)))
    progress.advance(task)
    found += [
        (scored_by, scores.volume(wh, newest, earlier, alerts["volume"])),
        (scored_by, scores.coverage(wh, newest, alerts["coverage"])),
        (scored_by, scores.mean_score(wh, newest, panel, alerts["mean_score"])),
        (scored_by, scores.reasons(wh, newest, earlier, alerts["reason_psi"])),
    ]
    progress.advance(task)
    is_matured = False
    for one in performance.matured(wh, panel, run.as_of_date - timedelta(days=LOOKBACK_DAYS)):
        is_matured = is_matured or one.model_version == version
        judged = performance.check(one, _promised(registry, one.model_version), alerts)
        judged += fairness.errors_by_group(wh, panel, one.model_version, one.as_of_date, alerts)
        found += [(one.model_version, finding) for finding in judged]
    if not is_matured:
        told = "no outcome of its scores is known yet"
        found += [(version, unknown(name, version, told)) for name in performance.CHECKS]
    progress.advance(task)
    return found


def _age(run: Run, registry: Registry, version: str, alert: Alert) -> Finding:
    trained_on = date.fromisoformat(registry.metadata(version)["as_of_date"])
    days = (run.as_of_date - trained_on).days
    message = f"{version} was trained as of {trained_on}, {days} days before {run.as_of_date}"
    return within("champion_age", "all", days, None, alert.threshold, message)


def _feature_drift(
    wh: Warehouse, run: Run, registry: Registry, version: str, alerts: dict[str, Alert]
) -> Found:
    reference = registry.reference(version)
    day = wh.query(
        "select max(as_of_date) as day from ops.standing_snapshots where as_of_date <= $1", [run.as_of_date]
    )["day"][0].as_py()
    lacking = None
    if day is None or not wh.exists(drift.FEATURES):
        lacking = f"nothing is published up to {run.as_of_date}"
    elif reference is None:
        lacking = f"{version} was registered without reference.json: the next training stores one"
    if lacking:
        return [(version, unknown("features_drifted", "all", lacking))]
    declared = registry.features(version)
    return [(version, one) for one in drift.features(wh, day, reference or {}, declared, alerts)]


def _score_drift(
    wh: Warehouse, registry: Registry, newest: scores.ScoredDay, alerts: dict[str, Alert]
) -> Finding:
    version = newest.model_version
    reference = registry.reference(version) if version in registry.versions() else None
    if reference is None:
        return unknown("score_psi", "all", f"the registry has no reference.json of {version}")
    return drift.scores(wh, newest.as_of_date, reference, alerts)


def _promised(registry: Registry, version: str) -> dict[str, performance.Promise]:
    """The figures of the model's own test out of time; none when it is not registered."""
    if version not in registry.versions():
        return {}
    return performance.promises(registry.metadata(version)["metrics"])


def _panel_of(wh: Warehouse, run: Run) -> str:
    if run.kind != "training":
        raise InputError(
            f"{run.run_id} is a {run.kind} run, which knows no outcomes; start one of kind training"
        )
    panel = f"{run.run_id}.churn_panel"
    if not wh.exists(panel):
        raise InputError(f"{panel} does not exist; build it first: dbt build --selector training")
    return panel


def _why_untrainable(wh: Warehouse, panel: str, params: Params) -> str | None:
    """Why a training would find nothing to train and test on; None when it would."""
    days = wh.query(f"select distinct as_of_date from {panel} where {MATURE}")["as_of_date"].to_pylist()
    embargo_days = params.windows.embargo_days
    if expanding_folds(days, embargo_days=embargo_days, test_snapshots=params.split.test_snapshots):
        return None
    return (
        f"the bank is too young: {len(days)} published month-ends have a whole observation and a known "
        f"outcome, and a model is trained and tested on two that are {embargo_days} days apart"
    )


def _ask(
    wh: Warehouse,
    run: Run,
    registry: Registry,
    found: Found,
    alerts: dict[str, Alert],
    why_not: str | None,
) -> tuple[bool, str]:
    """Whether a training is asked for, and why or why not."""
    if why_not is not None:
        return False, why_not
    champion = registry.standing(run.as_of_date)
    version = NO_MODEL if champion is None else champion.model_version
    reasons = [
        one.message
        for of_version, one in found
        if one.status == ALERT and alerts[one.check_name].is_retraining_reason and of_version == version
    ]
    if not reasons:
        return False, "no check that is a reason to train alerts"
    # A second training of one day would fit the same rows and come to the same end.
    trained = wh.query(
        "select outcome from ops.training_runs where as_of_date = $1 order by trained_at desc",
        [run.as_of_date],
    )["outcome"].to_pylist()
    if trained:
        return False, f"trained as of {run.as_of_date} already ({trained[0]}): {'; '.join(reasons)}"
    return True, "; ".join(reasons)


def _record(wh: Warehouse, run: Run, found: Found) -> None:
    def column(values: Iterable[object], kind: pa.DataType) -> pa.Array:
        return pa.array(list(values), kind)

    findings = [one for _, one in found]
    rows = len(found)
    table = pa.table(
        {
            "run_id": column([run.run_id] * rows, pa.string()),
            "as_of_date": column([run.as_of_date] * rows, pa.date32()),
            "model_version": column((version for version, _ in found), pa.string()),
            "check_name": column((one.check_name for one in findings), pa.string()),
            "subject": column((one.subject for one in findings), pa.string()),
            "reference_value": column((one.reference_value for one in findings), pa.float64()),
            "check_value": column((one.check_value for one in findings), pa.float64()),
            "threshold_value": column((one.threshold_value for one in findings), pa.float64()),
            "status": column((one.status for one in findings), pa.string()),
            "message": column((one.message for one in findings), pa.string()),
            "monitored_at": column([utc_now()] * rows, pa.timestamp("us")),
        }
    )
    with wh.transaction():
        wh.execute("delete from ops.model_monitoring where run_id = $1", [run.run_id])
        wh.append("ops.model_monitoring", table)
