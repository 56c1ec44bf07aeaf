"""Every plot of the report that a publication has the rows for."""

from __future__ import annotations

from dashboards import tables
from dashboards.language import Language
from dashboards.plots import (
    churn,
    concentration,
    customer,
    early_warning,
    fairness,
    history,
    migration,
    model,
    money,
    monitoring,
    quality,
    rfm,
    scores,
    tiers,
)
from dashboards.plots.canvas import VALUE_TIER_COLOURS
from dashboards.published import Published
from dashboards.tiering import KINDS


def figures(published: Published, say: Language) -> dict[str, str]:
    """Plots as SVG by name."""
    drawn = {
        **_tier_figures(published, say),
        **_churn_figures(published, say),
        **_index_figures(published, say),
        **_score_figures(published, say),
        **_customer_figures(published, say),
        **_model_figures(published, say),
        **_monitoring_figures(published, say),
    }
    if published.rfm_cells:
        drawn["rfm"] = rfm.segment_map(published, say)
        drawn["segments"] = rfm.segment_bars(published, say)
    least = published.fairness.least_ratio
    ratios = [
        row
        for row in tables.fairness_groups(published, say)
        if row["selection_ratio"] is not None and row["is_large_enough"]
    ]
    if ratios and least is not None:
        drawn["fairness"] = fairness.selection_ratios(ratios, least, say)
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
        measured = tables.ordered_mobility(published)
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


def _churn_figures(published: Published, say: Language) -> dict[str, str]:
    analysis, drawn = published.churn, {}
    if analysis.month_forms:
        drawn["churn_months"] = churn.by_month(analysis, say)
    by_tier = tables.churn_by_tier(published, say)
    if any(row["churn_rate_annualised"] is not None for row in by_tier):
        drawn["churn_tiers"] = churn.by_tier(by_tier, say)
    highest, lowest = tables.churn_traits(published, say)
    if highest or lowest:
        drawn["churn_index"] = churn.index_to_bank([*highest, *lowest], say)
    if analysis.reasons:
        drawn["churn_reasons"] = churn.reason_bars(analysis, say)
    if any(row["destination"] != "unknown" for row in analysis.reasons):
        drawn["churn_destinations"] = churn.destination_bars(analysis, say)
    return drawn


def _index_figures(published: Published, say: Language) -> dict[str, str]:
    warning, drawn = published.early_warning, {}
    if warning.bins:
        drawn["risk_index"] = early_warning.histogram(warning, say)
        drawn["risk_points"] = early_warning.points_map(warning, say)
    if warning.crosswalk:
        drawn["risk_bands"] = early_warning.bands_in_grades(warning, published.band_labels(say), say)
    return drawn


def _score_figures(published: Published, say: Language) -> dict[str, str]:
    scoring, bands, drawn = published.scoring, published.band_labels(say), {}
    if published.gains:
        drawn["gains"] = scores.cumulative_gains(published.gains, say)
        drawn["lift"] = scores.lift(published.gains, say)
    if published.score_bins:
        drawn["scores"] = scores.score_histogram(published, say)
    if scoring.reasons:
        drawn["reasons"] = money.reasons_by_band(scoring, bands, say)
    labels = tables.value_tiers(published, say)
    if scoring.top and labels:
        drawn["loss"] = money.loss_by_tier(scoring, labels, bands, say)
    return drawn


def _customer_figures(published: Published, say: Language) -> dict[str, str]:
    shown, drawn = published.scoring.customer, {}
    if shown is not None and shown.score is not None:
        drawn["waterfall"] = customer.waterfall(shown, shown.score, say)
    if shown is not None and shown.points:
        means = published.early_warning.mean_points()
        drawn["index_points"] = customer.index_points(shown, means, say)
    return drawn


def _model_figures(published: Published, say: Language) -> dict[str, str]:
    quality = published.model
    groups = tables.model_groups(published, say)
    drawn = {f"model_{metric}": model.against_baselines(quality, metric, say) for metric in ("auc", "empc")}
    drawn |= {f"groups_{metric}": model.by_group(groups, quality, metric, say) for metric in ("auc", "tpr")}
    return {name: svg for name, svg in drawn.items() if svg is not None}


def _monitoring_figures(published: Published, say: Language) -> dict[str, str]:
    found, drawn = published.monitoring, {}
    if found.drift():
        drawn["drift"] = monitoring.drift(found, say)
    for measure in ("auc", "calibration_slope"):
        rows = [row for row in found.matured if row["check_name"] == measure]
        if rows:
            drawn[f"matured_{measure}"] = monitoring.matured(rows, measure, say)
    return drawn
