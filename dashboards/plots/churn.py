"""Plots of churn: by month and form, by value tier, by group against the bank, by reason."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from dashboards.churn import FORMS, ChurnAnalysis
from dashboards.language import Language
from dashboards.plots.bars import named_bars
from dashboards.plots.canvas import (
    ACCENT,
    ACCENT_2,
    ACCENT_3,
    ALERT,
    GOOD,
    INK,
    LINE,
    MUTED,
    WIDTH,
    colours_of,
    data,
    names_axis,
    percent_axis,
    room_for_words,
    svg,
)
from dashboards.plots.history import month_ticks
from dashboards.reading import Row

FORM_COLOURS = dict(zip(FORMS, (ACCENT, ACCENT_2, ACCENT_3, MUTED, LINE), strict=True))
CHOICE_COLOURS = {"voluntary": ACCENT_2, "passive": ACCENT_3}
MOST_REASONS = 12


def by_month(analysis: ChurnAnalysis, say: Language) -> str:
    """Share of the active customers who churned in each month, stacked by form; a line: of their balances."""
    active = {row["as_of_date"]: row["count_active_at_start"] for row in analysis.months}
    months = [f"{day:%Y-%m}" for day in active]
    parts = [
        {
            "month": f"{row['as_of_date']:%Y-%m}",
            "key": row["churn_form"],
            "place": FORMS.index(row["churn_form"]),
            "rate": row["count_churned"] / active[row["as_of_date"]],
            "words": say(
                "churn_rates.bar",
                month=f"{row['as_of_date']:%Y-%m}",
                form=say.named("churn_form", row["churn_form"]),
                count=say.count(row["count_churned"]),
                rate=say.percent(row["count_churned"] / active[row["as_of_date"]], 2),
            ),
        }
        for row in analysis.month_forms
        if row["count_churned"]
    ]
    weighted = [
        {
            "month": f"{row['as_of_date']:%Y-%m}",
            "rate": row["balance_churn_rate"],
            "words": say(
                "churn_rates.balance_point",
                month=f"{row['as_of_date']:%Y-%m}",
                rate=say.percent(row["balance_churn_rate"], 2),
            ),
        }
        for row in analysis.months
        if row["balance_churn_rate"] is not None
    ]
    ticks = [f"{day:%Y-%m}" for day in month_ticks(min(active).replace(day=1), max(active), most=5)]
    x = alt.X("month:O", title=None, sort=months, axis=alt.Axis(values=ticks, labelAngle=0, ticks=False),
              scale=alt.Scale(domain=months))  # fmt: skip
    bars = (
        alt.Chart(data(parts))
        .mark_bar()
        .encode(
            x=x,
            y=alt.Y("rate:Q", title=say("churn_rates.month_axis"), axis=alt.Axis(format="~%", tickCount=5)),
            color=colours_of("key", FORM_COLOURS),
            order=alt.Order("place:Q"),
            description="words:N",
        )
    )
    line = alt.Chart(data(weighted)).encode(x=x, y="rate:Q")
    return svg(
        bars
        + line.mark_line(aria=False, color=ALERT, strokeWidth=2)
        + line.mark_circle(color=ALERT, size=28, opacity=1).encode(description="words:N"),
        height=230,
        name="churn-months",
    )


def by_tier(rows: Sequence[Row], say: Language) -> str:
    """Annualised churn by value tier: of customers and of their balances, the plan's rate as a tick."""
    bases = {
        "churn_rate_annualised": say("churn_rates.of_customers"),
        "balance_churn_rate_annualised": say("churn_rates.of_balances"),
    }
    shown = [
        {
            "tier": row["label"],
            "basis": called,
            "key": basis,
            "rate": row[basis],
            "words": say.percent(row[basis]),
            "plan": row["plan_churn_rate"],
            "end": max(row[basis], row["plan_churn_rate"] or 0),
            "plan_words": say("churn.plan_mark", rate=say.percent(row["plan_churn_rate"], 0)),
        }
        for row in rows
        for basis, called in bases.items()
        if row[basis] is not None
    ]
    scale = room_for_words("end", shown)
    base = alt.Chart(data(shown)).encode(y=names_axis("tier", shown))
    offset = alt.YOffset("basis:N", sort=list(bases.values()))
    rate = alt.X("rate:Q", title=say("churn.rate_axis"), axis=percent_axis(), scale=scale)
    bars = base.mark_bar(cornerRadiusEnd=2).encode(
        x=rate, yOffset=offset, description="words:N",
        color=colours_of("key", dict(zip(bases, (ACCENT, ACCENT_3), strict=True))),
    )  # fmt: skip
    words = base.mark_text(align="left", dx=6, color=INK).encode(
        x=alt.X("end:Q", scale=scale), yOffset=offset, text="words:N"
    )
    plan = (
        alt.Chart(data([row for row in shown if row["key"] == "churn_rate_annualised" and row["plan"]]))
        .mark_tick(color=ALERT, opacity=1, thickness=3, height={"band": 0.9})
        .encode(y=names_axis("tier", shown), x=alt.X("plan:Q", scale=scale), description="plan_words:N")
    )
    return svg(bars + plan + words, height=58 * len(rows), name="churn-tiers", width=WIDTH - 60)


def index_to_bank(rows: Sequence[Row], say: Language) -> str:
    """How many times the bank's rate each group's is: bars that start at 1, the highest on top."""
    shown = [
        {
            "what": say("page.group", dimension=row["dimension_label"], member=row["label"]),
            "key": "above" if row["index_to_bank"] > 1 else "below",
            "one": 1,
            "index": row["index_to_bank"],
            "end": max(row["index_to_bank"], 1),
            "words": say.decimal(row["index_to_bank"]),
        }
        for row in rows
    ]
    scale = alt.Scale(domain=[0, max(row["end"] for row in shown) * 1.2], nice=False)
    base = alt.Chart(data(shown)).encode(y=names_axis("what", shown))
    bars = base.mark_bar(height={"band": 0.7}).encode(
        x=alt.X("one:Q", axis=None, scale=scale),
        x2="index:Q",
        color=colours_of("key", {"above": ALERT, "below": GOOD}),
        description="words:N",
    )
    words = base.mark_text(align="left", dx=6, color=INK).encode(
        x=alt.X("end:Q", axis=None, scale=scale), text="words:N"
    )
    return svg(bars + words, height=24 * len(shown), width=WIDTH - 140, name="churn-index")


def reason_bars(analysis: ChurnAnalysis, say: Language) -> str:
    """Churned customers by reason, the most frequent first, coloured by whose choice it was."""
    rows = [
        {
            "what": say.named("churn_reason", row["reason_code"]),
            "key": "voluntary" if row["is_voluntary"] else "passive",
            "value": row["count_churned"],
            "words": say.words_of_count(row["count_churned"], row["share"]),
        }
        for row in analysis.told_reasons()[:MOST_REASONS]
    ]
    return named_bars(rows, colours=CHOICE_COLOURS, name="churn-reasons")


def destination_bars(analysis: ChurnAnalysis, say: Language) -> str:
    """Churned customers of whom it is known by where they went."""
    rows = [
        {
            "what": say.named("destination", row["destination"]),
            "key": "known",
            "value": row["count_churned"],
            "words": say.words_of_count(row["count_churned"], row["share"]),
        }
        for row in analysis.told_destinations()
        if row["destination"] != "unknown"
    ]
    return named_bars(rows[:MOST_REASONS], colours={"known": ACCENT_2}, name="churn-destinations")
