"""Horizontal bars with a name before and words behind them, plain or stacked."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from dashboards.plots.canvas import INK, WIDTH, colours_of, data, names_axis, room_beside, svg
from dashboards.reading import Row

BAR_HEIGHT = 24


def named_bars(rows: Sequence[Row], *, colours: dict[str, str], name: str, width: float = WIDTH - 90) -> str:
    """A bar a row of `what`, `key` (of its colour), `value` and `words`, in the order of the rows."""
    base = alt.Chart(data(rows)).encode(
        y=names_axis("what", rows),
        x=alt.X("value:Q", axis=None, scale=room_beside(rows, "value", "words", width)),
    )
    bars = base.mark_bar(cornerRadiusEnd=2).encode(color=colours_of("key", colours), description="words:N")
    words = base.mark_text(align="left", dx=4, color=INK).encode(text="words:N")
    return svg(bars + words, height=BAR_HEIGHT * len(rows), width=width, name=name)


def stacked_bars(
    rows: Sequence[Row],
    totals: Sequence[Row],
    *,
    colours: dict[str, str],
    name: str,
    width: float = WIDTH - 90,
    height: float = BAR_HEIGHT,
) -> str:
    """A bar a row of `totals` (`what`, `total`, `words` behind it), of parts that are rows of `what`, `key`,
    `value` and `words` (on hover); the parts lie in the order of `colours`.
    """
    order = {key: place for place, key in enumerate(colours)}
    parts = [{**row, "place": order[row["key"]]} for row in rows if row["value"]]
    scale = room_beside(totals, "total", "words", width)
    names = names_axis("what", totals)
    bars = (
        alt.Chart(data(parts))
        .mark_bar()
        .encode(
            y=names,
            x=alt.X("value:Q", axis=None, scale=scale, stack="zero"),
            color=colours_of("key", colours),
            order=alt.Order("place:Q"),
            description="words:N",
        )
    )
    words = (
        alt.Chart(data(totals))
        .mark_text(align="left", dx=4, color=INK)
        .encode(y=names, x=alt.X("total:Q", axis=None, scale=scale), text="words:N")
    )
    return svg(bars + words, height=height * len(totals), width=width, name=name)
