"""The flow of customers between tiers (a Sankey diagram)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import altair as alt

from dashboards.language import Language
from dashboards.plots.canvas import (
    ALERT,
    GOOD,
    INK,
    MUTED,
    VALUE_TIER_COLOURS,
    data,
    svg,
    width_of,
)
from dashboards.tiering import ENTERING, LEAVING, Tiering

Flow = tuple[str, str, int]  # from, to, customers

FLOW_HEIGHT, FLOW_WIDTH, NODE_WIDTH, NODE_GAP, FLOW_STEPS = 270, 190, 12, 18, 24


def migration_flow(tiering: Tiering, say: Language) -> str:
    """Customers by value tier at the start, on the left, and at the end, on the right; ribbons say from
    where to where (a Sankey diagram). New and reactivated customers enter, who closed the last account
    leaves. A share is of the stock of its side; who is not in it there has none.
    """
    flows = [(row["from_tier"], row["to_tier"], row["count_customers"]) for row in tiering.migration]
    order = [*tiering.migrating_tiers(), *ENTERING, LEAVING]
    left = _nodes(flows, 0, order)
    right = _nodes(flows, 1, order)
    called = {tier: tiering.tier_label("value_tier", tier, say) for tier in (*left, *right)}
    colours = {**VALUE_TIER_COLOURS, **dict.fromkeys(ENTERING, GOOD), LEAVING: ALERT}
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
    nodes: list[dict[str, Any]] = []
    labels: list[dict[str, Any]] = []
    for at, column, is_left in ((0, left, True), (FLOW_WIDTH - NODE_WIDTH, right, False)):
        stock = sum(count for tier, (_, _, count) in column.items() if tier not in (*ENTERING, LEAVING))
        middles = _spread([(top + bottom) / 2 for top, bottom, _ in column.values()])
        for (tier, (top, bottom, count)), middle in zip(column.items(), middles, strict=True):
            is_stock = tier not in (*ENTERING, LEAVING)
            words = say.words_of_share(count, stock) if is_stock else say.count(count)
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
