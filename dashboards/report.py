"""The report: one HTML file that opens offline, prints, and follows the reader's light or dark setting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dashboards.language import Language, words
from dashboards.plots import concentration, history, migration, quality, rfm, scores, tiers
from dashboards.plots.canvas import VALUE_TIER_COLOURS
from dashboards.published import Published, Row
from dashboards.tiering import ENTERING, KINDS, LEAVING, SCHEMES

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


def render(published: Published, say: Language) -> str:
    """The page. The same publication gives the same bytes: nothing in it reads a clock."""
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
    return environment.get_template("report.html").render(
        published=published,
        tiering=published.tiering,
        bank=say.named("bank", published.source["source"]),
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        tiles=[tile(row, say) for code in TILES if (row := published.kpi(code))],
        figures={
            name: Markup(svg)  # noqa: S704 - drawn here
            for name, svg in figures(published, say).items()
        },
        value_tiers={kind: tier_rows(published, "value_tier", kind) for kind in KINDS},
        pyramid={kind: tier_rows(published, "pyramid_tier", kind) for kind in KINDS},
        kind_totals={kind: kind_total(published, kind) for kind in KINDS},
        migration=migration_table(published, say),
        stability=stability_table(published),
        no_scores=why_no_scores(published, say),
    )


def figures(published: Published, say: Language) -> dict[str, str]:
    """Every plot that the publication has the rows for, as SVG by name."""
    drawn = {**_tier_figures(published, say)}
    if published.rfm_cells:
        drawn["rfm"] = rfm.segment_map(published, say)
        drawn["segments"] = rfm.segment_bars(published, say)
    if published.gains:
        drawn["gains"] = scores.cumulative_gains(published.gains, say)
        drawn["lift"] = scores.lift(published.gains, say)
    if published.score_bins:
        drawn["scores"] = scores.score_histogram(published, say)
    if published.rejected:
        drawn["rejected"] = quality.rejected_bars(published, say)
    return drawn


def _tier_figures(published: Published, say: Language) -> dict[str, str]:
    tiering, drawn = published.tiering, {}
    personal = tiering.summary_of("value_tier", "personal")
    if personal:
        drawn["value_tiers"] = tiers.pyramid(personal, say, name="value-tiers", colours=VALUE_TIER_COLOURS)
    if any(row["churn_rate"] is not None for row in personal):
        drawn["churn"] = tiers.churn_by_tier(personal, say)
    for kind in KINDS:
        rows = tiering.summary_of("pyramid_tier", kind)
        if any(row["count_customers"] for row in rows):
            drawn[f"pyramid_{kind}"] = tiers.pyramid(
                rows, say, name=f"pyramid-{kind}", colours=tiers.PYRAMID_COLOURS
            )
    # The names and the order of the tiers are those of the summary.
    if tiering.migration and tiering.policy:
        drawn["migration"] = migration.migration_flow(tiering, say)
    for measure, title in (
        ("moved_share", say("stability.moved_axis")),
        ("flip_back_rate", say("stability.flip_axis")),
    ):
        # Only a scheme that is measured both ways says what holding on to a tier is worth.
        measured = _stability(published)
        both_ways = {row["scheme"] for row in measured if row["basis"] == "raw"}
        rows = [row for row in measured if row["scheme"] in both_ways and row[measure] is not None]
        if rows:
            drawn[measure] = tiers.stability_bars(
                rows, measure, say, title=title, name=measure.replace("_", "-")
            )
    if tiering.spells and tiering.policy:
        drawn["history"] = history.customer_history(tiering, say, published.publication["as_of_date"])
    if tiering.concentration and tiering.lorenz:
        drawn["lorenz"] = concentration.lorenz(tiering, say)
    return drawn


def _stability(published: Published) -> list[Row]:
    """Rows of mobility scheme by scheme, the rule alone before what was published."""
    rows = [row for row in published.tiering.mobility if row["scheme"] in SCHEMES]
    return sorted(rows, key=lambda row: (SCHEMES.index(row["scheme"]), row["basis"] != "raw"))


def tier_rows(published: Published, scheme: str, kind: str) -> list[Row]:
    """The tiers of a scheme with their shares, of the bank's customers and of the plan's."""
    rows = published.tiering.summary_of(scheme, kind)
    total = sum(row["count_customers"] for row in rows) or 1
    planned = sum(row["plan_count_customers"] or 0 for row in rows)
    return [
        {
            **row,
            "share": row["count_customers"] / total,
            "plan_share": (row["plan_count_customers"] or 0) / planned if planned else None,
        }
        for row in rows
    ]


def kind_total(published: Published, kind: str) -> Row:
    """All customers of a kind: what the tiers add up to, rates by the KPIs, the plan's churn of the kind."""
    rows = published.tiering.summary_of("value_tier", kind)
    assets = [row["sum_assets"] for row in rows]
    rates = {
        measure: (published.kpi(code, "customer_kind", kind) or {}).get("kpi_value")
        for measure, code in (
            ("churn_rate", "churn_rate_annualised"),
            ("satisfaction_share", "satisfaction_share"),
            ("multi_product_share", "multi_product_share"),
        )
    }
    return {
        "count_customers": sum(row["count_customers"] for row in rows),
        "sum_assets": None if None in assets else sum(assets),
        "plan_churn_rate": rows[0]["plan_kind_churn_rate"] if rows else None,
        **rates,
    }


def migration_table(published: Published, say: Language) -> Row | None:
    """Columns, and one row a tier with its customers by the tier they moved to; None without a period."""
    tiering = published.tiering
    if not tiering.migration or not tiering.policy:
        return None
    counts = {(row["from_tier"], row["to_tier"]): row["count_customers"] for row in tiering.migration}
    codes = tiering.migrating_tiers()
    columns = [*codes, LEAVING]
    rows: list[Row] = []
    for source in (*codes, *ENTERING):
        cells = [counts.get((source, target), 0) for target in columns]
        if not sum(cells):
            continue
        rows.append(
            {
                "label": tiering.tier_label("value_tier", source, say),
                "cells": cells,
                "total": sum(cells),
                "stayed": counts.get((source, source), 0) / sum(cells) if source in codes else None,
            }
        )
    first = tiering.migration[0]
    return {
        "period": first["period"],
        "from_date": first["from_date"],
        "columns": [tiering.tier_label("value_tier", code, say) for code in columns],
        "rows": rows,
    }


def stability_table(published: Published) -> list[Row]:
    """One row a scheme with what was published; `raw` is None where the rule alone is not measured."""
    rows: dict[str, Row] = {}
    for row in _stability(published):
        measures = {name: row[name] for name in ("moved_share", "flip_back_rate", "mobility")}
        rows.setdefault(row["scheme"], {"scheme": row["scheme"], "raw": None})[row["basis"]] = measures
    return list(rows.values())


def why_no_scores(published: Published, say: Language) -> str | None:
    """In words why a publication has no churn scores; None when it has some."""
    if published.score_bins:
        return None
    status = published.publication["scores_status"] or "unknown"
    reasons = {"too_young": say("scores.too_young"), "none": say("scores.not_scored")}
    return reasons.get(status) or say("scores.status", status=say.named("scores_status", status))


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
