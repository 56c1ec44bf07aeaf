"""The tiers that one customer held."""

from __future__ import annotations

import datetime as dt
from typing import Any

import altair as alt

from dashboards.language import Language
from dashboards.plots.canvas import (
    INK,
    LINE,
    MUTED,
    ON_RAMP,
    PANEL,
    RAMP,
    WIDTH,
    data,
    names_axis,
    svg,
    width_of,
)
from dashboards.tiering import Tiering


def customer_history(tiering: Tiering, say: Language, as_of: dt.date) -> str:
    """The tiers that one customer held: a lane a scheme, a bar a spell, the darker (in the dark: the
    brighter) the better, or the bolder the appetite for risk. A label that does not fit its bar is left to
    the table beside.
    """
    begin = min(spell["started_on"] for spell in tiering.spells)
    days = max((as_of - begin).days + 1, 1)
    per_day = WIDTH / days
    bars: list[dict[str, Any]] = []
    for spell in tiering.spells:
        start = (spell["started_on"] - begin).days
        end = ((spell["ended_on"] or as_of + dt.timedelta(days=1)) - begin).days
        label = tiering.tier_label(spell["scheme"], spell["tier"], say)
        fill, ink = tier_colours(tiering, spell["scheme"], spell["tier"])
        bars.append(
            {
                "scheme": say.named("scheme", spell["scheme"]),
                "from": start,
                "to": end,
                "middle": (start + end) / 2,
                "fill": fill,
                "ink": ink,
                "label": label if width_of(label, 11) + 6 <= (end - start) * per_day else "",
                "words": say(
                    "history.bar",
                    tier=label,
                    start=spell["started_on"].isoformat(),
                    end=spell["ended_on"].isoformat() if spell["ended_on"] else say("history.today"),
                ),
            }
        )
    x = alt.Scale(domain=[0, days], nice=False)
    lanes = names_axis("scheme", bars)
    base = alt.Chart(data(bars)).encode(y=lanes)
    drawn = base.mark_bar(height={"band": 0.72}, stroke=LINE, strokeWidth=1, cornerRadius=2).encode(
        x=alt.X("from:Q", axis=None, scale=x),
        x2="to:Q",
        color=alt.Color("fill:N", scale=None, legend=None),
        description="words:N",
    )
    labels = (
        base.transform_filter("datum.label != ''")
        .mark_text(fontSize=11)
        .encode(
            x=alt.X("middle:Q", axis=None, scale=x),
            text="label:N",
            color=alt.Color("ink:N", scale=None, legend=None),
        )
    )
    height = 34 * len({bar["scheme"] for bar in bars})
    marks = [{"x": (day - begin).days, "text": f"{day:%Y-%m}"} for day in month_ticks(begin, as_of)]
    ticks = (
        alt.Chart(data(marks)).mark_rule(color=LINE, aria=False).encode(x=alt.X("x:Q", axis=None, scale=x))
    )
    months = (
        alt.Chart(data(marks))
        .mark_text(color=MUTED, fontSize=11, baseline="top", dy=4)
        .encode(x=alt.X("x:Q", axis=None, scale=x), y=alt.value(height), text="text:N")
    )
    return svg(ticks + drawn + labels + months, height=height, name="customer-history")


def tier_colours(tiering: Tiering, scheme: str, tier: str) -> tuple[str, str]:
    """Fill and ink by the tier's place among those of its scheme; `unknown` has no place."""
    codes = [row["tier"] for row in tiering.tiers(scheme) if row["tier"] != "unknown"]
    if tier not in codes:
        return PANEL, INK
    place = codes.index(tier) / max(len(codes) - 1, 1)
    step = round((1 - place) * (len(RAMP) - 1))
    return RAMP[step], ON_RAMP[step]


def month_ticks(begin: dt.date, end: dt.date, most: int = 6) -> list[dt.date]:
    """First days of months between two dates, every month, quarter, half-year or year(s): at most `most`."""
    months = [
        dt.date(number // 12, number % 12 + 1, 1)
        for number in range(begin.year * 12 + begin.month - 1, end.year * 12 + end.month)
    ]
    inside = [month for month in months if begin <= month <= end]
    for step in (1, 3, 6, 12, 24, 60, 120):
        chosen = [month for month in inside if (month.year * 12 + month.month - 1) % step == 0]
        if len(chosen) <= most:
            break
    return chosen
