"""Everything the report and the summary show, read once, already aggregated: but for the customers of whom
the bank stands to lose most, and the tiers and the score of one, by internal id, no row is a customer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from dashboards.churn import ChurnAnalysis, read_churn
from dashboards.early_warning import EarlyWarning, read_early_warning
from dashboards.fairness import Fairness, read_fairness
from dashboards.language import Language
from dashboards.model import ModelQuality, read_model
from dashboards.monitoring import Monitoring, read_monitoring
from dashboards.reading import Reader, Row
from dashboards.scoring import Scoring, read_scoring
from dashboards.tiering import Tiering, read_tiering
from warehouse import Warehouse

# A histogram of probabilities in steps of a point: the cuts of the risk bands fall between two bars.
SCORE_BINS = 100


class NothingPublished(LookupError):  # noqa: N818 - it is a state of the warehouse, not a fault
    """No publication stands, so there is nothing to show."""


@dataclass(frozen=True)
class Published:
    """One publication, as rows of plain values in a stable order."""

    publication: (
        Row  # publication_no, run_id, kind, as_of_date, scores_status, model_version, rows_published, note
    )
    source: Row  # source, policy_set, reporting_currency_code, max_rejected_share
    kpis: list[
        Row
    ]  # kpi_code, kpi_en, kpi_zh, dimension, member, unit, kpi_value, target_value, is_on_target
    tiering: Tiering
    rfm_cells: list[Row]  # r_score, fm_score, segment, count_customers
    segments: list[Row]  # segment, segment_en, segment_zh, count_customers, mean_recency_days, mean_amount
    score_bins: list[Row]  # bin (0 to SCORE_BINS - 1), risk_band, count_customers
    risk_bands: list[Row]  # risk_band, risk_band_en, risk_band_zh, count_customers, mean_probability
    training: Row | None  # the row of ops.training_runs that made the model of the scores
    gains: list[Row]  # share, captured, lift, captured_by_tier: see gains_of
    batches: list[Row]  # batch_no, delivered_on, is_history, status, rows_*
    rejected: list[Row]  # entity, reason_code, count_rows
    tests: list[Row]  # gate, tool, and one count a status
    findings: list[
        Row
    ]  # gate, tool, test_name, relation, severity, status, failures, message: what did not pass
    churn: ChurnAnalysis
    early_warning: EarlyWarning
    scoring: Scoring
    model: ModelQuality
    monitoring: Monitoring
    fairness: Fairness

    def band_labels(self, say: Language) -> dict[str, str]:
        """Risk bands of the publication by code, the riskiest first."""
        return {row["risk_band"]: say.label(row, "risk_band") for row in self.risk_bands}

    def kpi(self, code: str, dimension: str = "all", member: str | None = None) -> Row | None:
        """The indicator's row, None when it was not published."""
        for row in self.kpis:
            if (row["kpi_code"], row["dimension"]) == (code, dimension) and member in (None, row["member"]):
                return row
        return None


def read(wh: Warehouse, customer_id: str | None = None) -> Published:
    """Read the newest standing publication. `customer_id`: whose tiers and score to show; None: the tiers of
    the liveliest, the score of whom the bank stands to lose most by.

    Raises NothingPublished when there is none, UnknownCustomer when no tiers are known of the customer.
    """
    if not wh.exists("marts.fct_kpis"):
        raise NothingPublished
    publication = _publication(wh, "daily")
    return _read(wh, "marts", publication, customer_id)


def read_history(wh: Warehouse) -> Published:
    """Read the newest month-end that the last bootstrap built, as `history` shows it. Raises NothingPublished
    when there is none.
    """
    publication = _publication(wh, "bootstrap")
    newest = _rows(
        wh,
        "select max(as_of_date) as day from ops.standing_snapshots where run_id = $1",
        [publication["run_id"]],
    )[0]["day"]
    if newest is None:
        raise NothingPublished
    return _read(wh, "history", {**publication, "as_of_date": newest})


def _read(wh: Warehouse, schema: str, publication: Row, customer_id: str | None = None) -> Published:
    day: list[Any] = [publication["as_of_date"]]
    training = _training(wh, publication["model_version"])
    has_scores = wh.exists(f"{schema}.fct_churn_scores")
    reader = Reader(wh, schema, publication["as_of_date"])

    def rows(sql: str) -> list[Row]:
        return _rows(wh, sql.format(schema=schema), day)

    return Published(
        publication=publication,
        source=_rows(wh, "select * from ops.sources")[0],
        kpis=rows(KPIS),
        tiering=read_tiering(reader, customer_id),
        rfm_cells=rows(RFM_CELLS),
        segments=rows(SEGMENTS),
        score_bins=rows(SCORE_HISTOGRAM) if has_scores else [],
        risk_bands=rows(RISK_BANDS) if has_scores else [],
        training=training,
        gains=gains_of(training),
        batches=_rows(wh, BATCHES),
        rejected=_rows(wh, REJECTED),
        tests=_rows(wh, TESTS, [publication["run_id"]]),
        findings=_rows(wh, FINDINGS, [publication["run_id"]]),
        churn=read_churn(reader),
        early_warning=read_early_warning(reader),
        scoring=read_scoring(reader, customer_id),
        model=read_model(reader, training),
        monitoring=read_monitoring(reader),
        fairness=read_fairness(reader),
    )


KPIS = "select * from {schema}.fct_kpis where as_of_date = $1 order by kpi_code, dimension, member"

# Customers who left stay in the marts (their rows are the history of churn); what a reader calls "our
# customers" are those with an open account, as in the KPI of that name.
RFM_CELLS = """
select
    rfm.r_score,
    cast(floor((rfm.f_score + rfm.m_score + 1) / 2.0) as integer) as fm_score,
    rfm.segment,
    count(*) as count_customers
from {schema}.fct_customer_rfm as rfm
inner join {schema}.dim_customers as customers
    on rfm.customer_id = customers.customer_id and rfm.as_of_date = customers.as_of_date
where rfm.as_of_date = $1 and customers.is_open
group by rfm.r_score, cast(floor((rfm.f_score + rfm.m_score + 1) / 2.0) as integer), rfm.segment
order by r_score, fm_score, segment
"""

SEGMENTS = """
select
    rfm.segment,
    rfm.segment_en,
    rfm.segment_zh,
    count(*) as count_customers,
    avg(cast(rfm.recency_days as double precision)) as mean_recency_days,
    avg(cast(rfm.monetary_amount as double precision)) as mean_amount
from {schema}.fct_customer_rfm as rfm
inner join {schema}.dim_customers as customers
    on rfm.customer_id = customers.customer_id and rfm.as_of_date = customers.as_of_date
where rfm.as_of_date = $1 and customers.is_open
group by rfm.segment, rfm.segment_en, rfm.segment_zh
order by count(*) desc, rfm.segment
"""

SCORE_HISTOGRAM = f"""
select bin, risk_band, count(*) as count_customers
from (
    select
        cast(least(floor(churn_probability * {SCORE_BINS}), {SCORE_BINS - 1}) as integer) as bin,
        risk_band
    from {{schema}}.fct_churn_scores
    where as_of_date = $1
) as binned
group by bin, risk_band
order by bin, risk_band
"""

RISK_BANDS = """
select
    risk_band,
    risk_band_en,
    risk_band_zh,
    count(*) as count_customers,
    avg(cast(churn_probability as double precision)) as mean_probability
from {schema}.fct_churn_scores
where as_of_date = $1
group by risk_band, risk_band_en, risk_band_zh
order by avg(cast(churn_probability as double precision)) desc
"""

BATCHES = """
select
    batch_no, delivered_on, is_history, status, rows_read, rows_loaded, rows_rejected, rows_duplicate
from ops.batches
order by batch_no
"""

REJECTED = """
select entity, reason_code, count(*) as count_rows
from ops.rejected_rows
group by entity, reason_code
order by count(*) desc, entity, reason_code
"""

TESTS = """
select
    gate,
    tool,
    count(*) as count_tests,
    count(case when status = 'pass' then 1 end) as count_pass,
    count(case when status = 'warn' then 1 end) as count_warn,
    count(case when status in ('fail', 'error') then 1 end) as count_fail,
    count(case when status = 'skipped' then 1 end) as count_skipped
from ops.test_results
where run_id = $1
group by gate, tool
order by
    case gate when 'arrival' then 1 when 'facts' then 2 when 'marts' then 3 when 'lists' then 4 else 5 end,
    tool
"""

FINDINGS = """
select gate, tool, test_name, relation, severity, status, failures, message
from ops.test_results
where run_id = $1 and status not in ('pass', 'skipped')
order by gate, tool, relation, test_name
"""


def _rows(wh: Warehouse, sql: str, params: list[Any] | None = None) -> list[Row]:
    return wh.query(sql, params or []).to_pylist()


def _publication(wh: Warehouse, kind: str) -> Row:
    """Of the publications of a kind, not withdrawn, the newest as-of date: of the daily ones, what `marts`
    shows.
    """
    if not wh.exists("ops.publications"):
        raise NothingPublished
    standing = _rows(
        wh,
        """
        select
            publication_no, run_id, kind, as_of_date, scores_status, model_version, rows_published,
            coalesce(note, '') as note
        from ops.publications
        where kind = $1 and withdrawn_at is null
        order by as_of_date desc, publication_no desc
        limit 1
        """,
        [kind],
    )
    if not standing:
        raise NothingPublished
    return standing[0]


def _training(wh: Warehouse, model_version: str | None) -> Row | None:
    if not model_version:
        return None
    rows = _rows(
        wh,
        "select * from ops.training_runs where model_version = $1 order by as_of_date desc, run_id limit 1",
        [model_version],
    )
    return rows[0] if rows else None


def gains_of(training: Row | None) -> list[Row]:
    """How many churners the riskiest tenth, two tenths ... held out of time; empty when not known.

    One row a tenth: share of customers, captured share of churners, lift of the two, and the share that the
    rates of the value tiers alone would have captured (None when not known).
    """
    try:
        metrics = json.loads((training or {}).get("metrics") or "{}")
        test = metrics.get("test", {}).get("gains") or []
        by_tier = metrics.get("tier_rate_baseline", {}).get("gains") or [{}] * len(test)
        return [
            {
                "share": float(row["share"]),
                "captured": float(row["captured"]),
                "lift": float(row["lift"]),
                "captured_by_tier": baseline.get("captured"),
            }
            for row, baseline in zip(test, by_tier, strict=True)
        ]
    except (TypeError, ValueError, KeyError, AttributeError):
        return []
