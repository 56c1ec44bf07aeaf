"""The report: one HTML file that opens offline, prints, and follows the reader's light or dark setting."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dashboards import plots
from dashboards.published import Published, Row

TEMPLATES = Path(__file__).with_name("templates")
BANKS = {"demo": "Demo bank (synthetic)", "berka": "Berka bank (PKDD'99)", "canonical": "Bank"}

# Headline indicators, in the order a manager asks for them.
TILES = (
    "customers",
    "churn_rate_annualised",
    "balance",
    "satisfaction_share",
    "multi_product_share",
    "active_share",
)


def render(published: Published) -> str:
    """The page. The same publication gives the same bytes: nothing in it reads a clock."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(count=count, percent=percent, amount=amount, words=words)
    return environment.get_template("report.html").render(
        published=published,
        bank=BANKS.get(published.source["source"], published.source["source"]),
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        tiles=[tile(row) for code in TILES if (row := published.kpi(code))],
        figures={name: Markup(svg) for name, svg in figures(published).items()},  # noqa: S704 - drawn here
        tier_rows=tier_rows(published),
        plan=plots.PLAN_CHURN,
        no_scores=why_no_scores(published),
    )


def figures(published: Published) -> dict[str, str]:
    """Every plot that the publication has the rows for, as SVG by name."""
    drawn = {}
    if published.tiers:
        drawn["tiers"] = plots.tier_pyramid(published)
    if published.rfm_cells:
        drawn["rfm"] = plots.rfm_heat_map(published)
        drawn["segments"] = plots.segment_bars(published)
    if published.by_tier("churn_rate_annualised"):
        drawn["churn"] = plots.churn_by_tier(published)
    if published.gains:
        drawn["gains"] = plots.cumulative_gains(published.gains)
        drawn["lift"] = plots.lift(published.gains)
    if published.score_bins:
        drawn["scores"] = plots.score_histogram(published)
    if published.rejected:
        drawn["rejected"] = plots.rejected_bars(published)
    return drawn


def tier_rows(published: Published) -> list[Row]:
    """One row a value tier: customers, share, balance and churn, None where not known."""
    total = sum(row["count_customers"] for row in published.tiers)
    balances = published.by_tier("balance")
    rates = published.by_tier("churn_rate_annualised")
    return [
        {
            "key": row["value_tier"],
            "label": plots.bilingual(row["value_tier_en"], row["value_tier_zh"]),
            "count_customers": row["count_customers"],
            "share": row["count_customers"] / total,
            "mean_amount": row["mean_amount"],
            "balance": balances.get(row["value_tier"]),
            "churn_rate": rates.get(row["value_tier"]),
        }
        for row in published.tiers
    ]


def why_no_scores(published: Published) -> str | None:
    """In words why a publication has no churn scores; None when it has some."""
    if published.score_bins:
        return None
    reasons = {
        "too_young": (
            "The bank is too young: its data does not reach far enough back for a churn outcome to be known, "
            "so there is no model to score with. Scores appear by themselves once outcomes are known."
        ),
        "none": "This publication was made without scoring, as one that builds past month-ends is.",
    }
    status = published.publication["scores_status"]
    return reasons.get(status, f"The publication says: scores {words(status or 'unknown')}.")


def tile(row: Row) -> Row:
    """A headline number with its target."""
    shown = {"count": count, "amount": amount, "share": percent}.get(row["unit"], count)
    currency = f" {row['currency_code']}" if row["unit"] == "amount" and row["currency_code"] else ""
    target = row["target_value"]
    return {
        "label_en": row["kpi_en"],
        "label_zh": row["kpi_zh"],
        "value": shown(row["kpi_value"]) + currency if row["kpi_value"] is not None else "n/a",
        "target": None if target is None else f"target {shown(target)}",
        "is_on_target": row["is_on_target"],
    }


def count(value: Any) -> str:
    """12,345; n/a for None."""
    return "n/a" if value is None else f"{int(value):,}"


def percent(value: Any) -> str:
    """12.3 %; n/a for None."""
    return "n/a" if value is None else f"{float(value):.1%}".replace("%", "\u202f%")


def amount(value: Decimal | float | None) -> str:
    """An amount to three digits: 1.23 bn, 45.6 m, 789 k; n/a for None."""
    if value is None:
        return "n/a"
    number = float(value)
    for size, unit in ((1e9, "bn"), (1e6, "m"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:,.3g}\u202f{unit}"
    return f"{number:,.0f}"


def words(name: str) -> str:
    """A code as words: `conflicting_duplicate` is conflicting duplicate."""
    return name.replace("_", " ")
