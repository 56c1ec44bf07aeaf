"""Plots of the churn scores and of the model behind them."""

from __future__ import annotations

import altair as alt

from dashboards.language import Language
from dashboards.plots.canvas import (
    ACCENT,
    ACCENT_2,
    ACCENT_3,
    ALERT,
    MUTED,
    colours_of,
    data,
    percent_axis,
    svg,
)
from dashboards.published import SCORE_BINS, Published, Row

BAND_COLOURS = {"high": ALERT, "medium": ACCENT_2, "low": ACCENT_3}


def cumulative_gains(gains: list[Row], say: Language) -> str:
    """Share of churners found among the riskiest, out of time; by the value tiers alone; by chance."""
    x = alt.X("share:Q", title=say("gains.customers_axis"), axis=percent_axis())
    y = alt.Y(
        "found:Q", title=say("gains.churners_axis"), axis=percent_axis(), scale=alt.Scale(domain=[0, 1])
    )
    origin = {"share": 0.0, "found": 0.0, "words": say("gains.origin")}

    def curve(captured: str, who: str) -> alt.Chart:
        found = [
            {
                "share": row["share"],
                "found": row[captured],
                "words": say(
                    "gains.point",
                    who=who,
                    share=say.percent(row["share"], 0),
                    found=say.percent(row[captured], 0),
                ),
            }
            for row in gains
            if row[captured] is not None
        ]
        return alt.Chart(data([origin, *found])).encode(x=x, y=y)

    random = alt.Chart(data([origin, {"share": 1.0, "found": 1.0}])).encode(x=x, y=y)
    model = curve("captured", say("gains.by_model"))
    tiers = curve("captured_by_tier", say("gains.by_tiers"))
    return svg(
        random.mark_line(aria=False, color=MUTED, strokeDash=[3, 4], strokeWidth=1.5)
        + tiers.mark_line(aria=False, color=ALERT, strokeWidth=2)
        + model.mark_line(aria=False, color=ACCENT, strokeWidth=2.5)
        + tiers.mark_circle(color=ALERT, size=30, opacity=1).encode(description="words:N")
        + model.mark_circle(color=ACCENT, size=45, opacity=1).encode(description="words:N"),
        height=230,
        name="gains",
    )


def lift(gains: list[Row], say: Language) -> str:
    """Churn rate of the riskiest tenth, two tenths ... against the mean, out of time; 1 is chance."""
    rows = [
        {
            "share": f"{row['share']:.0%}",
            "lift": row["lift"],
            "words": say("lift.bar", share=say.percent(row["share"], 0), lift=say.decimal(row["lift"])),
        }
        for row in gains
    ]
    bars = (
        alt.Chart(data(rows))
        .mark_bar(color=ACCENT, cornerRadiusEnd=2)
        .encode(
            x=alt.X(
                "share:O",
                title=say("lift.customers_axis"),
                sort=[row["share"] for row in rows],
                axis=alt.Axis(labelAngle=0, labelOverlap=True),
            ),
            y=alt.Y("lift:Q", title=say("lift.axis")),
            description="words:N",
        )
    )
    chance = (
        alt.Chart(data([{"one": 1, "words": say("lift.chance")}]))
        .mark_rule(color=ALERT, strokeWidth=2)
        .encode(y=alt.Y("one:Q"), description="words:N")
    )
    return svg(bars + chance, height=230, name="lift")


def score_histogram(published: Published, say: Language) -> str:
    """Customers by churn probability, coloured by risk band."""
    labels = {row["risk_band"]: say.label(row, "risk_band") for row in published.risk_bands}
    rows = [
        {
            "from": row["bin"] / SCORE_BINS,
            "to": (row["bin"] + 1) / SCORE_BINS,
            "count": row["count_customers"],
            "key": row["risk_band"],
            "words": say(
                "scores.bar",
                low=say.percent(row["bin"] / SCORE_BINS, 0),
                high=say.percent((row["bin"] + 1) / SCORE_BINS, 0),
                band=labels[row["risk_band"]],
                count=say.count(row["count_customers"]),
            ),
        }
        for row in published.score_bins
    ]
    bars = (
        alt.Chart(data(rows))
        .mark_bar(binSpacing=0.5)
        .encode(
            x=alt.X("from:Q", title=say("scores.probability_axis"), axis=percent_axis(), bin="binned"),
            x2="to:Q",
            # Most customers are near zero; a square root lets the few at risk be seen too.
            y=alt.Y(
                "count:Q",
                title=say("scores.customers_axis"),
                stack=None,
                scale=alt.Scale(type="sqrt"),
                axis=alt.Axis(tickCount=5),
            ),
            color=colours_of("key", BAND_COLOURS),
            description="words:N",
        )
    )
    return svg(bars, height=230, name="scores")
