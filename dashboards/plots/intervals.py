"""Dots with their confidence intervals, one a row."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from dashboards.plots.canvas import INK, MUTED, WIDTH, colours_of, data, names_axis, svg
from dashboards.reading import Row


def dots(
    rows: Sequence[Row],
    *,
    colours: dict[str, str],
    name: str,
    title: str,
    line: tuple[float, str] | None = None,
    width: float = WIDTH - 100,
) -> str:
    """Rows of `what`, `key` (of the colour), `value`, `low` and `high` (None: no interval), `shown` (at
    the end of the row) and `words` (on hover). `line`: where an upright line stands, and its words.
    """
    rows = [
        {
            **row,
            "from": row["value"] if row["low"] is None else row["low"],
            "to": row["value"] if row["high"] is None else row["high"],
        }
        for row in rows
    ]
    ends = [end for row in rows for end in (row["from"], row["to"])] + ([line[0]] if line else [])
    least, most = min(ends), max(ends)
    span = (most - least) or 1.0
    scale = alt.Scale(domain=[least - span * 0.06, most + span * 0.06], nice=False, zero=False)
    names = names_axis("what", rows)
    x = alt.X("from:Q", title=title, scale=scale, axis=alt.Axis(tickCount=4, grid=True))
    base = alt.Chart(data(rows)).encode(y=names)
    intervals = base.mark_rule(strokeWidth=2, aria=False).encode(
        x=x, x2="to:Q", color=colours_of("key", colours)
    )
    points = base.mark_circle(size=70, opacity=1).encode(
        x=alt.X("value:Q", scale=scale), color=colours_of("key", colours), description="words:N"
    )
    # In a column of their own: beside the dots they would lie on the line.
    words = base.mark_text(align="left", dx=6, color=INK, fontSize=11).encode(
        x=alt.value(width), text="shown:N"
    )
    drawn = intervals + points + words
    if line is not None:
        rule = alt.Chart(data([{"at": line[0], "words": line[1]}]))
        drawn = (
            rule.mark_rule(color=MUTED, strokeDash=[3, 4], strokeWidth=1.5, aria=False).encode(
                x=alt.X("at:Q", scale=scale)
            )
            + drawn
        )
    return svg(drawn, height=24 * len(rows), width=width, name=name)
