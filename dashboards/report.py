"""The report: one HTML file that opens offline, prints, and follows the reader's light or dark setting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dashboards import tables
from dashboards.churn import LEAST_MEMBERS
from dashboards.figures import figures
from dashboards.language import Language, words
from dashboards.monitoring import MOST_ALERTS
from dashboards.published import Published
from dashboards.reading import Row
from dashboards.tiering import KINDS

TEMPLATES = Path(__file__).with_name("templates")

# Headline indicators, in the order a manager asks for them.
TILES = (
    "customers",
    "churn_rate_annualised",
    "balance",
    "satisfaction_share",
    "multi_product_share",
    "active_share",
)


def render(published: Published, say: Language, *, history: str | None = None) -> str:
    """The page; `history`: the address of the page of runs, to link to.

    The same publication gives the same bytes: nothing in it reads a clock.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(say=say)
    environment.filters.update(
        count=say.count, percent=say.percent, amount=say.amount, decimal=say.decimal, words=words
    )
    environment.filters.update(
        part_name=lambda code: say.named("part", code), metric_name=lambda code: say.named("metric", code)
    )
    return environment.get_template("report.html").render(
        published=published,
        history=history,
        tiering=published.tiering,
        bank=say.named("bank", published.source["source"]),
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        tiles=[tile(row, say) for code in TILES if (row := published.kpi(code))],
        figures={
            name: Markup(svg)  # noqa: S704 - drawn here
            for name, svg in figures(published, say).items()
        },
        value_tiers={kind: tables.tier_rows(published, "value_tier", kind) for kind in KINDS},
        pyramid={kind: tables.tier_rows(published, "pyramid_tier", kind) for kind in KINDS},
        kind_totals={kind: tables.kind_total(published, kind) for kind in KINDS},
        migration=tables.migration_table(published, say),
        stability=tables.stability_table(published),
        no_scores=why_no_scores(published, say),
        no_churn=why_no_churn(published, say),
        bands=published.band_labels(say),
        value_tier_labels=tables.value_tiers(published, say),
        least_members=LEAST_MEMBERS,
        most_alerts=MOST_ALERTS,
        churn_tiers=tables.churn_by_tier(published, say),
        churn_traits=tables.churn_traits(published, say),
        destination_known=published.churn.destination_known(),
        model_groups=tables.model_groups(published, say),
        fairness_groups=tables.fairness_groups(published, say),
        fairness_offers=tables.fairness_offers(published, say),
    )


def why_no_scores(published: Published, say: Language) -> str | None:
    """In words why a publication has no churn scores; None when it has some."""
    if published.score_bins:
        return None
    status = published.publication["scores_status"] or "unknown"
    reasons = {"too_young": say("scores.too_young"), "none": say("scores.not_scored")}
    return reasons.get(status) or say("scores.status", status=say.named("scores_status", status))


def why_no_churn(published: Published, say: Language) -> str:
    """In words why a publication that has no churn rates has none."""
    if not published.churn.is_built:
        return say("churn_rates.not_built")
    return say("churn.none_why", day=published.publication["as_of_date"].isoformat())


def tile(row: Row, say: Language) -> Row:
    """A headline number with its target."""
    formats: dict[str, Callable[[Any], str]] = {"amount": say.amount, "share": say.percent}
    shown = formats.get(row["unit"], say.count)
    currency = f" {row['currency_code']}" if row["unit"] == "amount" and row["currency_code"] else ""
    target = row["target_value"]
    return {
        "label": say.label(row, "kpi"),
        "value": shown(row["kpi_value"]) + (currency if row["kpi_value"] is not None else ""),
        "target": None if target is None else say("page.target", value=shown(target)),
        "is_on_target": row["is_on_target"],
    }
