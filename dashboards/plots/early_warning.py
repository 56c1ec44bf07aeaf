"""Plots of the risk index: how it is spread, what makes it, and the model's bands within its grades."""

from __future__ import annotations

import altair as alt

from dashboards.early_warning import BIN_POINTS, EarlyWarning
from dashboards.language import Language
from dashboards.plots.bars import stacked_bars
from dashboards.plots.canvas import ALERT, ON_RAMP, RAMP, colours_of, data, names_axis, svg
from dashboards.plots.scores import BAND_COLOURS

GRADE_COLOURS = {"A": RAMP[1], "B": RAMP[2], "C": RAMP[3], "D": RAMP[4], "E": ALERT}


def histogram(warning: EarlyWarning, say: Language) -> str:
    """Customers by index, coloured by grade."""
    labels = {row["risk_grade"]: say.label(row, "risk_grade") for row in warning.grades}
    rows = [
        {
            "from": row["bin"] * BIN_POINTS,
            "to": (row["bin"] + 1) * BIN_POINTS,
            "count": row["count_customers"],
            "key": row["risk_grade"],
            "words": say(
                "early_warning.bar",
                low=f"{row['bin'] * BIN_POINTS:g}",
                high=f"{(row['bin'] + 1) * BIN_POINTS:g}",
                grade=row["risk_grade"],
                label=labels[row["risk_grade"]],
                count=say.count(row["count_customers"]),
            ),
        }
        for row in warning.bins
    ]
    bars = (
        alt.Chart(data(rows))
        .mark_bar(binSpacing=0.5)
        .encode(
            x=alt.X("from:Q", title=say("early_warning.index_axis"), bin="binned",
                    axis=alt.Axis(tickCount=6, grid=False)),
            x2="to:Q",
            y=alt.Y("count:Q", title=say("column.customers"), axis=alt.Axis(tickCount=5)),
            color=colours_of("key", GRADE_COLOURS),
            description="words:N",
        )
    )  # fmt: skip
    return svg(bars, height=230, name="risk-index")


def points_map(warning: EarlyWarning, say: Language) -> str:
    """Mean points that each indicator adds to the index, by grade: the stronger, the more."""
    most = max(max(row["points"].values()) for row in warning.grades) or 1
    rows = []
    for indicator in warning.indicators:
        for grade in warning.grades:
            points = grade["points"][indicator]
            step = min(int(points / most * len(RAMP)), len(RAMP) - 1)
            rows.append(
                {
                    "what": say.named("indicator", indicator),
                    "grade": grade["risk_grade"],
                    "fill": RAMP[step],
                    "ink": ON_RAMP[step],
                    "shown": say.decimal(points, 1),
                    "words": say(
                        "early_warning.cell",
                        indicator=say.named("indicator", indicator),
                        grade=grade["risk_grade"],
                        points=say.decimal(points, 1),
                    ),
                }
            )
    base = alt.Chart(data(rows)).encode(
        x=alt.X("grade:N", title=say("early_warning.grade"),
                axis=alt.Axis(labelAngle=0, orient="top", domain=False, ticks=False)),
        y=names_axis("what", rows),
    )  # fmt: skip
    cells = base.mark_rect().encode(color=alt.Color("fill:N", scale=None, legend=None), description="words:N")
    words = base.mark_text(fontSize=11).encode(
        text="shown:N", color=alt.Color("ink:N", scale=None, legend=None)
    )
    return svg(cells + words, height=25 * len(warning.indicators), width=250, name="risk-points")


def bands_in_grades(warning: EarlyWarning, bands: dict[str, str], say: Language) -> str:
    """The share of each band of the model, by its label, among the scored customers of a grade, the safest
    grade on top.
    """
    parts, totals = [], []
    for grade in warning.grades:
        cells = warning.bands_of(grade["risk_grade"])
        if not cells:
            continue
        count = sum(cell["count_customers"] for cell in cells)
        what = say(
            "early_warning.grade_label", grade=grade["risk_grade"], label=say.label(grade, "risk_grade")
        )
        totals.append({"what": what, "total": 1, "words": say.count(count)})
        for cell in cells:
            words = say.words_of_count(cell["count_customers"], cell["count_customers"] / count)
            parts.append(
                {
                    "what": what,
                    "key": cell["risk_band"],
                    "value": cell["count_customers"] / count,
                    "words": f"{bands[cell['risk_band']]}: {words}",
                }
            )
    return stacked_bars(parts, totals, colours=BAND_COLOURS, name="risk-bands", height=32)
