"""The Lorenz curve: how much of the bank's value lies with how few customers."""

from __future__ import annotations

import altair as alt

from dashboards.language import Language
from dashboards.plots.canvas import ACCENT, ALERT, MUTED, data, percent_axis, svg
from dashboards.tiering import Tiering

COLOURS = {"profit": ALERT, "assets": ACCENT}


def lorenz(tiering: Tiering, say: Language) -> str:
    """Cumulative share of value over customers, the poorest first, by profit and by assets.

    Marked on each curve: a circle where the top fifth of customers begins, a diamond where the customers
    begin who together hold four fifths. Gini and both shares are written into the empty corner.
    """
    share = alt.Scale(domain=[0, 1])

    def axes(across: str, up: str) -> tuple[alt.X, alt.Y]:
        return (
            alt.X(
                f"{across}:Q", title=say("lorenz.customers_axis"), axis=percent_axis(grid=False), scale=share
            ),
            alt.Y(f"{up}:Q", title=say("lorenz.value_axis"), axis=percent_axis(grid=False), scale=share),
        )

    x, y = axes("share_customers", "share_value")
    equal = [{"share_customers": 0.0, "share_value": 0.0}, {"share_customers": 1.0, "share_value": 1.0}]
    drawn = alt.layer(
        alt.Chart(data(equal))
        .mark_line(aria=False, color=MUTED, strokeDash=[3, 4], strokeWidth=1.5)
        .encode(x=x, y=y)
    )
    for number, row in enumerate(tiering.concentration):
        basis, colour = row["basis"], COLOURS.get(row["basis"], MUTED)
        called = say.named("basis", basis)
        points = [
            {
                "share_customers": point["share_customers"],
                "share_value": point["share_value"],
                "words": say(
                    "lorenz.point",
                    basis=called,
                    share=say.percent(point["share_customers"], 0),
                    value=say.percent(point["share_value"]),
                ),
            }
            for point in tiering.lorenz
            if point["basis"] == basis
        ]
        drawn += alt.Chart(data(points)).mark_line(aria=False, color=colour, strokeWidth=2.5).encode(x=x, y=y)
        # Every tenth point can be asked; a hundred of them would be a thick line.
        drawn += (
            alt.Chart(data(points[::10]))
            .mark_circle(color=colour, size=16, opacity=1)
            .encode(x=x, y=y, description="words:N")
        )
        words = say(
            "lorenz.corner",
            basis=called,
            gini=say.decimal(row["gini"]),
            top=say.percent(row["top_20_share"], 0),
        )
        drawn += (
            alt.Chart(data([{"text": words}]))
            .mark_text(
                align="left", baseline="top", color=colour, fontWeight="bold", dx=8, dy=8 + 18 * number
            )
            .encode(x=alt.value(0), y=alt.value(0), text="text:N")
        )
        special = [
            ("circle", row["top_20_share"] and 0.8,
             say("lorenz.top_fifth", basis=called, share=say.percent(row["top_20_share"]))),
            ("diamond", row["share_customers_80"] and 1 - row["share_customers_80"],
             say("lorenz.four_fifths", basis=called, share=say.percent(row["share_customers_80"]))),
        ]  # fmt: skip
        for shape, across, words in special:
            if across is not None:
                point = {"share_customers": across, "share_value": on_curve(points, across), "words": words}
                drawn += (
                    alt.Chart(data([point]))
                    .mark_point(shape=shape, color=colour, fill=colour, size=110, opacity=1)
                    .encode(x=x, y=y, description="words:N")
                )
    return svg(drawn, height=300, name="lorenz")


def on_curve(points: list[dict[str, float]], across: float) -> float:
    """Height of the curve of evenly spaced points at a share of customers."""
    place = across * (len(points) - 1)
    before = min(int(place), len(points) - 2)
    start, end = points[before]["share_value"], points[before + 1]["share_value"]
    return start + (end - start) * (place - before)
