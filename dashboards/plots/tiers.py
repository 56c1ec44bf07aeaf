"""Plots of the tiers as they stand: pyramids, churn against the plan, stability."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from dashboards.language import Language
from dashboards.plots.canvas import (
    ACCENT,
    ALERT,
    INK,
    LINE,
    MUTED,
    RAMP,
    VALUE_TIER_COLOURS,
    WIDTH,
    colours_of,
    data,
    names_axis,
    percent_axis,
    room_for_words,
    svg,
)
from dashboards.tiering import Row

PYRAMID_COLOURS = {"vip": RAMP[4], "important": RAMP[3], "ordinary": RAMP[2], "potential": RAMP[1]}


def pyramid(rows: Sequence[Row], say: Language, *, name: str, colours: dict[str, str]) -> str:
    """Customers by tier, the best on top, each bar centred; count, share and assets in words beside it."""
    total = sum(row["count_customers"] for row in rows) or 1
    shown = [
        {
            "tier": say.label(row, "tier"),
            "key": row["tier"],
            "from": -row["count_customers"] / 2,
            "to": row["count_customers"] / 2,
            "words": say.words_of_share(row["count_customers"], total),
            "assets": say("pyramid.assets", amount=say.amount(row["sum_assets"])),
        }
        for row in rows
    ]
    widest = max(row["count_customers"] for row in rows) or 1
    base = alt.Chart(data(shown)).encode(y=names_axis("tier", shown))
    bars = base.mark_bar(height={"band": 0.94}, cornerRadius=2, stroke=LINE, strokeWidth=1).encode(
        x=alt.X("from:Q", axis=None, scale=alt.Scale(domain=[-widest / 2, widest * 1.1], nice=False)),
        x2="to:Q",
        color=colours_of("key", colours),
        description="words:N",
    )
    # Beside the bar, not on it: the top of a pyramid is too narrow for a number.
    words = base.mark_text(align="left", dx=6, dy=-7, color=INK, fontWeight="bold").encode(
        x="to:Q", text="words:N"
    )
    assets = base.mark_text(align="left", dx=6, dy=8, color=MUTED).encode(x="to:Q", text="assets:N")
    return svg(bars + words + assets, height=46 * len(rows), name=name)


def churn_by_tier(rows: Sequence[Row], say: Language) -> str:
    """Annualised churn rate by value tier, and the plan's rate as a tick."""
    shown = [
        {
            "tier": say.label(row, "tier"),
            "key": row["tier"],
            "rate": row["churn_rate"],
            "words": say.percent(row["churn_rate"]),
            "plan": row["plan_churn_rate"],
            "end": max(row["churn_rate"], row["plan_churn_rate"] or 0),
            "plan_words": say("churn.plan_mark", rate=say.percent(row["plan_churn_rate"], 0)),
        }
        for row in rows
        if row["churn_rate"] is not None
    ]
    base = alt.Chart(data(shown)).encode(y=names_axis("tier", shown))
    rate = alt.X(
        "rate:Q", title=say("churn.rate_axis"), axis=percent_axis(), scale=room_for_words("end", shown)
    )
    bars = base.mark_bar(height={"band": 0.6}, cornerRadiusEnd=2).encode(
        x=rate, color=colours_of("key", VALUE_TIER_COLOURS), description="words:N"
    )
    words = base.mark_text(align="left", dx=8, color=INK, fontWeight="bold").encode(x="end:Q", text="words:N")
    plan = (
        base.transform_filter("isValid(datum.plan)")
        .mark_tick(color=ALERT, opacity=1, thickness=3, height={"band": 0.9})
        .encode(x=alt.X("plan:Q"), description="plan_words:N")
    )
    return svg(bars + plan + words, height=170, name="churn-by-tier")


def stability_bars(rows: Sequence[Row], measure: str, say: Language, *, title: str, name: str) -> str:
    """A share by scheme, for the tier that the rule alone gives and for the stable one that is published."""
    bases = {"raw": say("stability.raw"), "effective": say("stability.effective")}
    shown = [
        {
            "scheme": say.named("scheme", row["scheme"]),
            "basis": bases[row["basis"]],
            "key": row["basis"],
            "share": row[measure],
            "words": say.percent(row[measure], 2),
        }
        for row in rows
        if row[measure] is not None
    ]
    base = alt.Chart(data(shown)).encode(
        y=names_axis("scheme", shown),
        yOffset=alt.YOffset("basis:N", sort=list(bases.values())),
    )
    bars = base.mark_bar(cornerRadiusEnd=2).encode(
        x=alt.X("share:Q", title=title, axis=percent_axis(), scale=room_for_words("share", shown)),
        color=colours_of("key", {"raw": ALERT, "effective": ACCENT}),
        description="words:N",
    )
    words = base.mark_text(align="left", dx=4, color=INK).encode(x="share:Q", text="words:N")
    schemes = len({row["scheme"] for row in shown})
    return svg(bars + words, height=46 * schemes, width=WIDTH - 60, name=name)
