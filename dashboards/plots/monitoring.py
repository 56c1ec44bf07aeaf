"""Plots of monitoring: drift of features and scores, and how matured scores have done over time."""

from __future__ import annotations

import altair as alt

from dashboards.language import Language
from dashboards.monitoring import Monitoring
from dashboards.plots.canvas import (
    ACCENT,
    ACCENT_3,
    ALERT,
    INK,
    MUTED,
    WIDTH,
    colours_of,
    data,
    names_axis,
    svg,
)
from dashboards.reading import Row

STATUS_COLOURS = {"alert": ALERT, "ok": ACCENT_3}


def drift(monitoring: Monitoring, say: Language) -> str:
    """Population stability index of the scores and of the features that moved most; an upright mark is the
    bound of each, noise included.
    """
    rows = [
        {
            "what": say("monitoring.scores") if row["check_name"] == "score_psi" else row["subject"],
            "key": row["status"],
            "psi": row["check_value"],
            "bound": row["threshold_value"],
            "end": max(row["check_value"], row["threshold_value"]),
            "shown": say.decimal(row["check_value"], 3),
            "words": say(
                "monitoring.psi_bar",
                psi=say.decimal(row["check_value"], 3),
                bound=say.decimal(row["threshold_value"], 3),
            ),
        }
        for row in monitoring.drift()
    ]
    scale = alt.Scale(domain=[0, max(row["end"] for row in rows) * 1.25], nice=False)
    base = alt.Chart(data(rows)).encode(y=names_axis("what", rows))
    bars = base.mark_bar(cornerRadiusEnd=2).encode(
        x=alt.X("psi:Q", title=say("monitoring.psi_axis"), scale=scale, axis=alt.Axis(tickCount=4)),
        color=colours_of("key", STATUS_COLOURS),
        description="words:N",
    )
    bounds = base.mark_tick(color=INK, opacity=1, thickness=2, height={"band": 0.9}).encode(
        x=alt.X("bound:Q", scale=scale), description="words:N"
    )
    words = base.mark_text(align="left", dx=6, color=INK, fontSize=11).encode(
        x=alt.X("end:Q", scale=scale), text="shown:N"
    )
    return svg(bars + bounds + words, height=22 * len(rows), width=WIDTH - 130, name="drift")


def matured(rows: list[Row], measure: str, say: Language) -> str:
    """A measure of scores whose outcomes are known, by day of monitoring; dashed: what was promised."""
    shown = [
        {
            "day": row["as_of_date"].isoformat(),
            "key": row["status"] if row["status"] == "alert" else "ok",
            "value": row["check_value"],
            "promised": row["reference_value"],
            "words": say(
                "monitoring.point",
                day=row["as_of_date"].isoformat(),
                model=row["model_version"],
                value=say.decimal(row["check_value"], 3),
            ),
        }
        for row in rows
    ]
    # By place and not by date: a scale of time would write its months in English.
    x = alt.X("day:O", title=None, axis=alt.Axis(labelAngle=0, labelOverlap="greedy", ticks=False))
    y = alt.Y("value:Q", title=say.named("metric", measure), scale=alt.Scale(zero=False, padding=12),
              axis=alt.Axis(tickCount=5))  # fmt: skip
    base = alt.Chart(data(shown)).encode(x=x)
    promised = (
        base.transform_filter("isValid(datum.promised)")
        .mark_tick(color=MUTED, thickness=2, opacity=1, width={"band": 0.8}, aria=False)
        .encode(y=alt.Y("promised:Q", scale=alt.Scale(zero=False, padding=12)))
    )
    points = base.mark_circle(size=80, opacity=1).encode(
        y=y, color=colours_of("key", {"alert": ALERT, "ok": ACCENT}), description="words:N"
    )
    return svg(promised + points, height=170, name=f"matured-{measure.replace('_', '-')}")
