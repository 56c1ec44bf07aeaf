"""Plots of one customer: from the model's base to the score, and the points of the risk index."""

from __future__ import annotations

import math
from itertools import pairwise

import altair as alt

from dashboards.language import Language
from dashboards.plots.canvas import (
    ACCENT,
    ACCENT_3,
    ALERT,
    INK,
    LINE,
    WIDTH,
    colours_of,
    data,
    names_axis,
    svg,
)
from dashboards.reading import Row
from dashboards.scoring import ScoredCustomer

STEP_COLOURS = {"whole": ACCENT, "reason": ALERT}
# Probabilities are published to eight digits: nobody is at 0 or 1.
LEAST_PROBABILITY = 1e-8


def steps(customer: ScoredCustomer, score: Row, say: Language) -> list[Row]:
    """From what the score would be without the reasons told, through them, to the score, in log-odds, in
    which they add up: what, key, from, to, shown.
    """
    probability = min(max(score["churn_probability"], LEAST_PROBABILITY), 1 - LEAST_PROBABILITY)
    end = math.log(probability / (1 - probability))
    at = end - sum(reason["contribution"] for reason in customer.reasons)
    rows = [_whole(say("customer.without"), at, say)] if customer.reasons else []
    for reason in customer.reasons:
        by = reason["contribution"]
        what = say.label(reason, "reason")
        rows.append({"what": what, "key": "reason", "from": at, "to": at + by, "shown": say.signed(by)})
        at += by
    return [*rows, _whole(say("customer.score"), end, say)]


def _whole(what: str, log_odds: float, say: Language) -> Row:
    shown = say.percent(1 / (1 + math.exp(-log_odds)))
    return {"what": what, "key": "whole", "from": log_odds, "to": log_odds, "shown": shown}


def waterfall(customer: ScoredCustomer, score: Row, say: Language) -> str:
    """The `steps` on the scale of log-odds; the two ends are marks with their probabilities."""
    rows = [
        {
            **row,
            "end": max(row["from"], row["to"]),
            "words": say("customer.step", what=row["what"], by=row["shown"]),
        }
        for row in steps(customer, score, say)
    ]
    least, most = min(min(row["from"], row["to"]) for row in rows), max(row["end"] for row in rows)
    span = (most - least) or 1.0
    scale = alt.Scale(domain=[least - span * 0.05, most + span * 0.28], nice=False, zero=False)
    names = names_axis("what", rows)
    x = alt.X("from:Q", title=say("customer.log_odds_axis"), scale=scale, axis=alt.Axis(tickCount=4))
    base = alt.Chart(data(rows)).encode(y=names)
    bars = (
        base.transform_filter("datum.key != 'whole'")
        .mark_bar(height={"band": 0.62})
        .encode(x=x, x2="to:Q", color=colours_of("key", STEP_COLOURS), description="words:N")
    )
    ends = (
        base.transform_filter("datum.key == 'whole'")
        .mark_tick(thickness=5, opacity=1, height={"band": 0.8})
        .encode(x=x, color=colours_of("key", STEP_COLOURS), description="words:N")
    )
    # From the end of each step down to the beginning of the next.
    joints = [
        {"x": before["to"], "what": before["what"], "next": after["what"]} for before, after in pairwise(rows)
    ]
    joined = (
        alt.Chart(data(joints))
        .mark_rule(color=LINE, aria=False)
        .encode(x=alt.X("x:Q", scale=scale), y=names, y2="next:N")
    )
    words = base.mark_text(align="left", dx=7, color=INK).encode(
        x=alt.X("end:Q", scale=scale), text="shown:N"
    )
    return svg(joined + bars + ends + words, height=28 * len(rows), width=WIDTH - 130, name="waterfall")


def index_points(customer: ScoredCustomer, means: dict[str, float], say: Language) -> str:
    """Points of the customer's risk index by indicator; an upright mark: the mean of all customers."""
    rows = [
        {
            "what": say.named("indicator", row["indicator"]),
            "points": row["points"],
            "mean": means[row["indicator"]],
            "end": max(row["points"], means[row["indicator"]]),
            "shown": say.decimal(row["points"], 1),
            "words": say(
                "customer.points",
                indicator=say.named("indicator", row["indicator"]),
                points=say.decimal(row["points"], 1),
                mean=say.decimal(means[row["indicator"]], 1),
            ),
        }
        for row in customer.points
    ]
    scale = alt.Scale(domain=[0, max(row["end"] for row in rows) * 1.25 or 1], nice=False)
    base = alt.Chart(data(rows)).encode(y=names_axis("what", rows))
    bars = base.mark_bar(color=ACCENT_3, cornerRadiusEnd=2).encode(
        x=alt.X("points:Q", title=say("customer.points_axis"), scale=scale, axis=alt.Axis(tickCount=4)),
        description="words:N",
    )
    means_drawn = base.mark_tick(color=ALERT, opacity=1, thickness=3, height={"band": 0.8}).encode(
        x=alt.X("mean:Q", scale=scale), description="words:N"
    )
    words = base.mark_text(align="left", dx=6, color=INK).encode(
        x=alt.X("end:Q", scale=scale), text="shown:N"
    )
    return svg(bars + means_drawn + words, height=24 * len(rows), width=WIDTH - 90, name="index-points")
