"""Publication: a run's marts become what readers see, in one transaction or not at all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from warehouse import audit, roles
from warehouse.door import Warehouse
from warehouse.errors import GateError, WarehouseError
from warehouse.masking import restricted_views
from warehouse.names import quoted
from warehouse.runs import Run, read_run, utc_now
from warehouse.settings import actor
from warehouse.spells import SPELLS_VIEW, TIERS, spells_sql

SCORES = "fct_churn_scores"
REASON_CODES = "fct_churn_reason_codes"
COMPARISONS = ("fct_tier_migration", "fct_tier_mobility", "fct_tier_long_run")
FAIRNESS = ("fct_score_fairness", "fct_action_fairness")
CHURN = ("fct_churn_spells", "fct_churn_rates", "fct_churn_reasons")
PUBLIC_MARTS = (
    "dim_customers",
    "fct_customer_activity",
    "fct_customer_behaviour",
    "fct_customer_profit",
    "fct_value_concentration",
    "fct_value_lorenz",
    "fct_customer_value_tiers",
    "fct_customer_asset_tiers",
    "fct_customer_pyramid_tiers",
    "fct_customer_savings_grades",
    "fct_customer_risk_appetites",
    "fct_customer_lifecycle_stages",
    "fct_customer_loyalty_classes",
    "fct_customer_rfm",
    "fct_customer_risk_index",
    TIERS,
    *COMPARISONS,
    "fct_tier_crosswalk",
    "fct_tier_summary",
    *CHURN,
    SCORES,
    REASON_CODES,
    *FAIRNESS,
    "fct_kpis",
)
# A day without scores, without an earlier snapshot to compare with, or before anybody churned has no rows in
# these. Where there is one, dbt tests hold that nobody is missing (assert_migration_adds_up_to_the_stock and
# its neighbours).
MAY_LACK_DATES = (SCORES, REASON_CODES, *FAIRNESS, *COMPARISONS, *CHURN)
# What has to have recorded a result before a run of a kind may be published: gate and tool.
HISTORY_GATES = (("arrival", "expectation"), ("facts", "dbt"), ("marts", "dbt"), ("marts", "expectation"))
REQUIRED_GATES = {
    "bootstrap": HISTORY_GATES,
    "daily": (*HISTORY_GATES, ("lists", "dbt"), ("scores", "expectation")),
}
# Archived so that training can read the features of every past date; not shown in marts.*.
ARCHIVED_MARTS = (*PUBLIC_MARTS, "fct_customer_features")


@dataclass(frozen=True)
class Publication:
    """One row of ops.publications, as far as the user wants to read it."""

    publication_no: int
    run_id: str
    kind: str
    as_of_date: dt.date
    scores_status: str
    model_version: str | None
    rows_published: int

    def __str__(self) -> str:
        scores = (
            f"scores of {self.model_version}" if self.model_version else f"no scores ({self.scores_status})"
        )
        return (
            f"publication {self.publication_no}: {self.run_id} ({self.kind}) as of {self.as_of_date}, "
            f"{self.rows_published:,} rows, {scores}"
        )


def publish(wh: Warehouse, run_id: str) -> Publication:
    """Archive the run's marts, let them stand in history and, when they are the newest, show them in marts.*.

    Publishing a published run changes nothing. Raises GateError when one of the run's tests failed, a gate
    has recorded nothing, or its marts are not whole; WarehouseError when the run is not `started` or its
    columns no longer fit the archive. Then nothing changes.
    """
    with wh.transaction():
        wh.lock("runs")
        run = read_run(wh, run_id)
        standing = _standing_publication(wh, run_id)
        if standing is not None:
            return standing
        if run.kind not in REQUIRED_GATES:
            raise WarehouseError(f"{run_id} is of kind {run.kind}: it makes nothing for readers to publish")
        if run.status != "started":
            raise WarehouseError(
                f"{run_id} is {run.status}: only a started run can be published; start it again"
            )
        _refuse_failed_tests(wh, run_id)
        _refuse_missing_gates(wh, run)
        rows = _count_rows(wh, run)
        # The long part first: readers notice nothing of it, and the views move at the very end.
        for mart in rows:
            _archive(wh, run_id, mart)
        publication = _register(wh, run, rows)
        views = _history_views(wh, list(rows))
        if TIERS in rows:
            views[SPELLS_VIEW] = spells_sql(wh.column_types(f"archive.{TIERS}"))
        if shown_runs(wh)[:1] == [run_id]:
            views |= _mart_views(wh, run_id) | restricted_views(wh, run_id)
        wh.replace_views(views)
        roles.withhold(wh, views)
        roles.seal_run(wh, run_id)
        audit.record(wh, "publish", run_id, str(publication))
    return publication


def rollback(wh: Warehouse) -> tuple[Publication, Publication]:
    """Withdraw the publication that marts.* show and show the one before it; (withdrawn, shown now).

    Copies nothing. Raises WarehouseError when there is none before it, or its run schema is gone.
    """
    with wh.transaction():
        wh.lock("runs")
        shown = shown_runs(wh)
        if not shown:
            raise WarehouseError("nothing is published: there is nothing to roll back")
        if len(shown) == 1:
            raise WarehouseError(
                f"{shown[0]} is the only daily publication: there is none before it to go back to"
            )
        newest, previous = shown[:2]
        if previous not in wh.schemas():
            raise WarehouseError(
                f"the publication before is {previous}, and retention has dropped its schema: "
                "build that date again instead"
            )
        withdrawn, now_shown = _standing_publication(wh, newest), _standing_publication(wh, previous)
        assert withdrawn is not None
        assert now_shown is not None
        wh.execute(
            "update ops.publications set withdrawn_at = $1 where publication_no = $2",
            [utc_now(), withdrawn.publication_no],
        )
        wh.execute("update ops.runs set status = 'withdrawn' where run_id = $1", [newest])
        wh.replace_views(_mart_views(wh, previous) | restricted_views(wh, previous))
        audit.record(wh, "rollback", newest, f"marts.* show {previous}")
    return withdrawn, now_shown


def shown_runs(wh: Warehouse) -> list[str]:
    """Runs of the daily publications not withdrawn: marts.* show the first, `rollback` goes to the next.

    The newest as-of date comes first, so publishing an older date again changes history, never what is shown.
    """
    rows = wh.query(
        """
        select run_id from ops.publications
        where kind = 'daily' and withdrawn_at is null
        order by as_of_date desc, publication_no desc
        """
    )
    found: list[str] = rows["run_id"].to_pylist()
    return found


def _standing_publication(wh: Warehouse, run_id: str) -> Publication | None:
    rows = wh.query(
        """
        select publication_no, run_id, kind, as_of_date, scores_status, model_version, rows_published
        from ops.publications
        where run_id = $1 and withdrawn_at is null
        """,
        [run_id],
    ).to_pylist()
    return Publication(**rows[0]) if rows else None


def _refuse_failed_tests(wh: Warehouse, run_id: str) -> None:
    failed = wh.query(
        """
        select gate, test_name from ops.test_results
        where run_id = $1 and severity = 'error' and status in ('fail', 'error')
        order by gate, test_name
        """,
        [run_id],
    ).to_pylist()
    if failed:
        first = ", ".join(f"{test['test_name']} ({test['gate']})" for test in failed[:5])
        raise GateError(
            f"{run_id} failed {len(failed)} of its tests: {first}{', ...' if len(failed) > 5 else ''}. "
            "Mend the data or the models and start the run again; details are in ops.test_results"
        )


def _refuse_missing_gates(wh: Warehouse, run: Run) -> None:
    """A gate that nobody asked has not let the run pass, whatever the order of the tasks promises."""
    recorded = {
        (row["gate"], row["tool"])
        for row in wh.query(
            "select distinct gate, tool from ops.test_results where run_id = $1 and status <> 'skipped'",
            [run.run_id],
        ).to_pylist()
    }
    missing = [f"{gate} ({tool})" for gate, tool in REQUIRED_GATES[run.kind] if (gate, tool) not in recorded]
    if missing:
        raise GateError(
            f"{run.run_id} has no result of the gates {', '.join(missing)}: run them, by "
            "`python -m expectations run` and `record-dbt` behind `dbt build`, then publish"
        )


def _count_rows(wh: Warehouse, run: Run) -> dict[str, int]:
    """Rows of each mart of the run; GateError when a mart is missing, lacks a date or has one too many."""
    dates = set(
        wh.query("select as_of_date from ops.run_dates where run_id = $1", [run.run_id])[
            "as_of_date"
        ].to_pylist()
    )
    rows: dict[str, int] = {}
    for mart in ARCHIVED_MARTS:
        if not wh.exists(f"{run.run_id}.{mart}"):
            # A bootstrap builds what training and history need, which may be less than a day's publication.
            if run.kind == "daily" and mart in PUBLIC_MARTS:
                raise GateError(f"{run.run_id}.{mart} is missing: build all marts before publishing")
            continue
        found = wh.query(f"select as_of_date, count(*) as rows from {run.run_id}.{mart} group by as_of_date")
        rows[mart] = sum(found["rows"].to_pylist())
        found_dates = set(found["as_of_date"].to_pylist())
        missing, foreign = dates - found_dates, found_dates - dates
        if foreign:
            raise GateError(f"{run.run_id}.{mart} holds {_listed(foreign)}, which the run was not to build")
        if missing and mart not in MAY_LACK_DATES:
            raise GateError(f"{run.run_id}.{mart} has no rows as of {_listed(missing)}")
    if not any(mart in PUBLIC_MARTS for mart in rows):
        raise GateError(f"{run.run_id} has no mart to publish: build them first")
    return rows


def _listed(dates: set[dt.date | None]) -> str:
    texts = sorted(str(date) for date in dates)
    return ", ".join(texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")


def _archive(wh: Warehouse, run_id: str, mart: str) -> None:
    columns = wh.column_types(f"{run_id}.{mart}")
    _fit_archive(wh, run_id, mart, columns)
    wh.execute(
        f"delete from archive.{mart} where run_id = $1"
        " and as_of_date in (select as_of_date from ops.run_dates where run_id = $2)",
        [run_id, run_id],
    )
    names = _column_list(columns)
    wh.execute(
        f"insert into archive.{mart} (run_id, {names}) select '{run_id}', {names} from {run_id}.{mart}"
    )
    # Which days an archive holds is asked every day, and the archive is long. A day on which the mart was
    # built and had nothing to tell counts: nobody in a spell is not the same as a day that knew of no spells.
    wh.execute("delete from ops.archived_days where mart = $1 and run_id = $2", [mart, run_id])
    wh.execute(
        "insert into ops.archived_days (mart, as_of_date, run_id)"
        f" select '{mart}', as_of_date, run_id from ops.run_dates where run_id = $1",
        [run_id],
    )


def _fit_archive(wh: Warehouse, run_id: str, mart: str, columns: Mapping[str, str]) -> None:
    """Create the archive of a mart, or add the columns that the mart has gained."""
    archived = wh.column_types(f"archive.{mart}")
    if not archived:
        definitions = ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items())
        wh.execute(f"create table archive.{mart} (run_id varchar not null, {definitions})")
        if wh.target == "postgres":
            # DuckDB skips row groups by their date ranges; PostgreSQL needs to be told.
            wh.execute(f"create index {mart}_by_date on archive.{mart} (as_of_date, run_id)")
            if mart == TIERS:
                wh.execute(f"create index {mart}_by_customer on archive.{mart} (customer_id)")
        return
    del archived["run_id"]
    vanished = [name for name in archived if name not in columns]
    changed = [
        f"{name} from {archived[name]} to {columns[name]}"
        for name in archived
        if name in columns and _plain_type(archived[name]) != _plain_type(columns[name])
    ]
    if vanished or changed:
        what = [f"lost {', '.join(vanished)}"] * bool(vanished) + [f"changed {', '.join(changed)}"] * bool(
            changed
        )
        raise WarehouseError(
            f"{run_id}.{mart} {' and '.join(what)} against archive.{mart}, and history keeps what was "
            "published: give the mart its old columns back and new ones new names, or drop view "
            f"history.{mart} and alter archive.{mart} by hand"
        )
    for name, kind in columns.items():
        if name not in archived:
            wh.execute(f"alter table archive.{mart} add column {quoted(name)} {kind}")


def _plain_type(kind: str) -> str:
    # Computed text is `text` in PostgreSQL and stored text `character varying`: the same to everybody.
    return "text" if kind == "character varying" else kind


def _column_list(columns: Mapping[str, str], prefix: str = "") -> str:
    return ", ".join(prefix + quoted(name) for name in columns)


def _register(wh: Warehouse, run: Run, rows: Mapping[str, int]) -> Publication:
    scores_status, model_version = _scores(wh, run, rows)
    number = wh.query("select coalesce(max(publication_no), 0) + 1 as number from ops.publications")[
        "number"
    ][0]
    publication = Publication(
        publication_no=int(number.as_py()),
        run_id=run.run_id,
        kind=run.kind,
        as_of_date=run.as_of_date,
        scores_status=scores_status,
        model_version=model_version,
        rows_published=sum(rows[mart] for mart in rows if mart in PUBLIC_MARTS),
    )
    wh.execute(
        """
        insert into ops.publications (
            publication_no, run_id, kind, as_of_date, scores_status, model_version, rows_published,
            published_at, note, published_by
        )
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        [
            publication.publication_no,
            publication.run_id,
            publication.kind,
            publication.as_of_date,
            publication.scores_status,
            publication.model_version,
            publication.rows_published,
            utc_now(),
            run.note,
            actor(),
        ],
    )
    wh.execute("update ops.runs set status = 'published' where run_id = $1", [run.run_id])
    return publication


def _scores(wh: Warehouse, run: Run, rows: Mapping[str, int]) -> tuple[str, str | None]:
    """Status and model version: `scored`, `too_young` for a day without scores, `none` for a bootstrap."""
    if rows.get(SCORES):
        versions = wh.query(f"select distinct model_version from {run.run_id}.{SCORES} order by 1")
        names = versions["model_version"].to_pylist()
        if len(names) != 1 or names[0] is None:
            raise GateError(f"{run.run_id}.{SCORES} needs one model version in every row and has {names}")
        return "scored", str(names[0])
    raw_scores = f"{run.run_id}.raw_churn_scores"
    if wh.exists(raw_scores) and wh.query(f"select 1 as one from {raw_scores} limit 1").num_rows:
        raise GateError(f"{raw_scores} holds scores and {run.run_id}.{SCORES} none: build the lists again")
    return ("too_young" if run.kind == "daily" else "none"), None


def _history_views(wh: Warehouse, marts: list[str]) -> dict[str, str | None]:
    """Views that are missing or lack columns of their archive; the others already follow what stands."""
    views: dict[str, str | None] = {}
    for mart in marts:
        columns = wh.column_types(f"archive.{mart}")
        if list(wh.column_types(f"history.{mart}")) != list(columns):
            views[f"history.{mart}"] = f"""
                select {_column_list(columns, "archived.")}
                from archive.{mart} as archived
                inner join ops.standing_snapshots as standing
                    on archived.as_of_date = standing.as_of_date and archived.run_id = standing.run_id
            """
    return views


def _mart_views(wh: Warehouse, run_id: str) -> dict[str, str | None]:
    """marts.* on this run; a mart that it does not have is not shown, never mixed in from another run."""
    views: dict[str, str | None] = {}
    for mart in PUBLIC_MARTS:
        columns = wh.column_types(f"{run_id}.{mart}")
        views[f"marts.{mart}"] = f"select {_column_list(columns)} from {run_id}.{mart}" if columns else None
    return views
