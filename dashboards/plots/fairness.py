"""The plot of how often groups are selected, against the group that most customers are of."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from dashboards.language import Language
from dashboards.plots.canvas import ACCENT_2, ALERT, INK, MUTED, WIDTH, colours_of, data, names_axis, svg
from dashboards.reading import Row


def selection_ratios(rows: Sequence[Row], least: float, say: Language) -> str:
    """Rows of `label`, selection_ratio, selection_rate and is_flagged; lines at 1 and at the least ratio."""
    shown = [
        {
            "what": row["label"],
            "key": "flagged" if row["is_flagged"] else "fair",
            "ratio": row["selection_ratio"],
            "shown": say.decimal(row["selection_ratio"]),
            "words": say(
                "fairness.dot", group=row["label"], ratio=say.decimal(row["selection_ratio"]),
                rate=say.percent(row["selection_rate"]),
            ),
        }
        for row in rows
    ]  # fmt: skip
    most = max([1.0, *(row["ratio"] for row in shown)])
    scale = alt.Scale(domain=[0, most * 1.06], nice=False)
    width = WIDTH - 100
    x = alt.X("ratio:Q", title=say("fairness.ratio_axis"), scale=scale, axis=alt.Axis(tickCount=5))
    lines = (
        alt.Chart(data([{"at": 1.0, "colour": MUTED}, {"at": least, "colour": ALERT}]))
        .mark_rule(strokeDash=[3, 4], strokeWidth=1.5, aria=False)
        .encode(x=alt.X("at:Q", scale=scale), color=alt.Color("colour:N", scale=None, legend=None))
    )
    base = alt.Chart(data(shown)).encode(y=names_axis("what", shown), x=x)
    dots = base.mark_circle(size=80, opacity=1).encode(
        color=colours_of("key", {"flagged": ALERT, "fair": ACCENT_2}), description="words:N"
    )
    words = base.mark_text(align="left", dx=6, color=INK, fontSize=11).encode(
        x=alt.value(width), text="shown:N"
    )
    return svg(lines + dots + words, height=22 * len(shown), width=width, name="fairness")
