"""Plots of the tiers: pyramids, churn against the plan, movement, stability, one customer's history."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Literal

import altair as alt

from dashboards.language import Language
from dashboards.plots.canvas import (
    ACCENT,
    ALERT,
    GOOD,
    INK,
    LINE,
    MUTED,
    ON_RAMP,
    PANEL,
    RAMP,
    VALUE_TIER_COLOURS,
    WIDTH,
    colours_of,
    data,
    names_axis,
    percent_axis,
    room_for_words,
    svg,
    width_of,
)
from dashboards.published import Row
from dashboards.tiering import Tiering

Flow = tuple[str, str, int]  # from, to, customers

PYRAMID_COLOURS = {"vip": RAMP[4], "important": RAMP[3], "ordinary": RAMP[2], "potential": RAMP[1]}
FLOW_HEIGHT, FLOW_WIDTH, NODE_WIDTH, NODE_GAP, FLOW_STEPS = 270, 190, 12, 18, 24


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


def migration_flow(tiering: Tiering, say: Language) -> str:
    """Customers by value tier at the start, on the left, and at the end, on the right; ribbons say from
    where to where (a Sankey diagram). New and reactivated customers enter, churned ones leave.
    """
    flows = [(row["from_tier"], row["to_tier"], row["count_customers"]) for row in tiering.migration]
    order = [*(row["tier"] for row in tiering.tiers("value_tier")), "new", "reactivated", "churned"]
    left = _nodes(flows, 0, order)
    right = _nodes(flows, 1, order)
    called = {tier: tiering.tier_label("value_tier", tier, say) for tier in (*left, *right)}
    colours = {**VALUE_TIER_COLOURS, "new": GOOD, "reactivated": GOOD, "churned": ALERT}
    ribbons = [
        {
            "flow": f"{source} {target}",
            "x": NODE_WIDTH + (FLOW_WIDTH - 2 * NODE_WIDTH) * step / FLOW_STEPS,
            "top": _eased(tops[0], tops[1], step / FLOW_STEPS),
            "bottom": _eased(tops[0], tops[1], step / FLOW_STEPS) + height,
            "fill": colours.get(source, MUTED),
            "words": say(
                "movement.ribbon",
                source=called[source],
                target=called[target],
                count=say.count(count),
            ),
        }
        for source, target, count, tops, height in _ribbons(flows, left, right, order)
        for step in range(FLOW_STEPS + 1)
    ]
    total = sum(count for _, _, count in flows)
    nodes: list[dict[str, Any]] = []
    labels: list[dict[str, Any]] = []
    for at, column, is_left in ((0, left, True), (FLOW_WIDTH - NODE_WIDTH, right, False)):
        middles = _spread([(top + bottom) / 2 for top, bottom, _ in column.values()])
        for (tier, (top, bottom, count)), middle in zip(column.items(), middles, strict=True):
            words = say.words_of_share(count, total)
            nodes.append(
                {
                    "x": at, "x2": at + NODE_WIDTH, "top": top, "bottom": max(bottom, top + 1.5),
                    "fill": colours.get(tier, MUTED), "words": f"{called[tier]}: {words}",
                }
            )  # fmt: skip
            labels += [
                {"side": is_left, "y": middle - 7, "text": called[tier], "ink": INK},
                {"side": is_left, "y": middle + 8, "text": words, "ink": MUTED},
            ]
    margin = max(width_of(row["text"]) for row in labels) + 8
    x = alt.Scale(domain=[-margin, FLOW_WIDTH + margin], nice=False)
    y = alt.Scale(domain=[FLOW_HEIGHT + 4, -4], nice=False)
    drawn = alt.Chart(data(ribbons)).mark_area(opacity=0.45).encode(
        x=alt.X("x:Q", axis=None, scale=x),
        y=alt.Y("top:Q", axis=None, scale=y),
        y2="bottom:Q",
        detail="flow:N",
        color=alt.Color("fill:N", scale=None, legend=None),
        description="words:N",
    ) + alt.Chart(data(nodes)).mark_rect().encode(
        x=alt.X("x:Q", axis=None, scale=x),
        x2="x2:Q",
        y=alt.Y("top:Q", axis=None, scale=y),
        y2="bottom:Q",
        color=alt.Color("fill:N", scale=None, legend=None),
        description="words:N",
    )
    for is_left in (True, False):
        here = [{**row, "x": -6 if is_left else FLOW_WIDTH + 6} for row in labels if row["side"] == is_left]
        drawn += (
            alt.Chart(data(here))
            .mark_text(align="right" if is_left else "left")
            .encode(
                x=alt.X("x:Q", axis=None, scale=x),
                y=alt.Y("y:Q", axis=None, scale=y),
                text="text:N",
                color=alt.Color("ink:N", scale=None, legend=None),
            )
        )
    return svg(drawn, height=FLOW_HEIGHT + 8, width=FLOW_WIDTH + 2 * margin, name="migration-flow")


def _nodes(
    flows: Sequence[Flow], side: Literal[0, 1], order: Sequence[str]
) -> dict[str, tuple[float, float, int]]:
    """Top, bottom and customers of each tier of one side, in the order of the tiers."""
    counts: dict[str, int] = {}
    for flow in flows:
        counts[flow[side]] = counts.get(flow[side], 0) + flow[2]
    scale = _pixels_per_customer(flows)
    nodes, top = {}, 0.0
    for tier in sorted(counts, key=order.index):
        height = counts[tier] * scale
        nodes[tier] = (top, top + height, counts[tier])
        top += height + NODE_GAP
    return nodes


def _pixels_per_customer(flows: Sequence[Flow]) -> float:
    """One scale for both sides, such that the side with more gaps fits."""
    gaps = max(len({flow[side] for flow in flows}) for side in (0, 1)) - 1
    return (FLOW_HEIGHT - NODE_GAP * gaps) / (sum(flow[2] for flow in flows) or 1)


def _ribbons(
    flows: Sequence[Flow],
    left: dict[str, tuple[float, float, int]],
    right: dict[str, tuple[float, float, int]],
    order: Sequence[str],
) -> list[tuple[str, str, int, tuple[float, float], float]]:
    """From, to, customers, the ribbon's top on both sides, its height; stacked so that few of them cross."""
    scale = _pixels_per_customer(flows)
    leaving = {tier: top for tier, (top, _, _) in left.items()}
    arriving = {tier: top for tier, (top, _, _) in right.items()}
    ribbons = []
    for source, target, count in sorted(flows, key=lambda flow: (order.index(flow[0]), order.index(flow[1]))):
        height = count * scale
        ribbons.append((source, target, count, (leaving[source], arriving[target]), height))
        leaving[source] += height
        arriving[target] += height
    return ribbons


def _eased(start: float, end: float, share: float) -> float:
    """Between start and end, level at both."""
    return start + (end - start) * share * share * (3 - 2 * share)


def _spread(middles: list[float], gap: float = 32) -> list[float]:
    """The middles moved apart to at least `gap`, so that two lines of words fit, as little as this takes."""
    placed: list[float] = []
    for middle in middles:
        placed.append(max(middle, placed[-1] + gap) if placed else max(middle, gap / 2))
    limit = FLOW_HEIGHT - gap / 2
    for number in range(len(placed) - 1, -1, -1):
        placed[number] = min(placed[number], limit)
        limit = placed[number] - gap
    return placed


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


def customer_history(tiering: Tiering, say: Language, as_of: dt.date) -> str:
    """The tiers that one customer held: a lane a scheme, a bar a spell, the darker (in the dark: the
    brighter) the better. A label that does not fit its bar is left to the table beside.
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
