"""What every plot is drawn with: static SVG by Vega, coloured by the page's style sheet.

A plot is drawn in stand-in colours that are exchanged for CSS variables, so that one SVG serves light, dark
and print; every mark carries its numbers as a title, which browsers show on hover.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import altair as alt
import vl_convert

VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
FONT = (
    "system-ui, -apple-system, 'Segoe UI', 'Noto Sans CJK SC', 'Source Han Sans SC', 'PingFang SC', "
    "'Microsoft YaHei', 'WenQuanYi Zen Hei', sans-serif"
)
WIDTH = 340

# Stand-ins, and what the style sheet calls them.
INK, MUTED, LINE, PANEL = "#010101", "#020202", "#030303", "#030304"
ACCENT, ACCENT_2, ACCENT_3 = "#040404", "#050505", "#060606"
ALERT, GOOD = "#070707", "#080808"
# Five steps from little to much, and the ink that can be read on each.
RAMP = ("#090901", "#090902", "#090903", "#090904", "#090905")
ON_RAMP = ("#0a0a01", "#0a0a02", "#0a0a03", "#0a0a04", "#0a0a05")
VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    PANEL: "var(--panel)",
    ACCENT: "var(--accent)",
    ACCENT_2: "var(--accent-2)",
    ACCENT_3: "var(--accent-3)",
    ALERT: "var(--alert)",
    GOOD: "var(--good)",
    **{colour: f"var(--ramp-{step})" for step, colour in enumerate(RAMP, start=1)},
    **{colour: f"var(--on-ramp-{step})" for step, colour in enumerate(ON_RAMP, start=1)},
}
VALUE_TIER_COLOURS = {"high": ACCENT, "mid": ACCENT_2, "low": ACCENT_3}


def data(rows: Sequence[dict[str, Any]]) -> alt.InlineData:
    """Rows of plain values as the data of a chart."""
    return alt.InlineData(values=list(rows))


def width_of(text: str, size: float = 12) -> float:
    """Pixels that a text needs at most. Vega measures with a font that the reader's browser may not have."""
    return size * sum(0.66 if letter.isascii() else 1.08 for letter in text)


def names_axis(field: str, rows: Sequence[dict[str, Any]]) -> alt.Y:
    """A vertical axis of names in the order of the rows."""
    order = list(dict.fromkeys(row[field] for row in rows))
    room = max(map(width_of, order)) + 8
    axis = alt.Axis(domain=False, ticks=False, labelLimit=260, labelPadding=6, minExtent=room)
    return alt.Y(f"{field}:N", title=None, sort=order, axis=axis)


def room_for_words(field: str, rows: Sequence[dict[str, Any]]) -> alt.Scale:
    """A scale that leaves the end of the longest bar free for the words beside it."""
    return alt.Scale(domain=[0, max(row[field] for row in rows) * 1.3 or 1], nice=False)


def room_beside(rows: Sequence[dict[str, Any]], field: str, words: str, width: float) -> alt.Scale:
    """A scale of bars of `field` in a plot of so many pixels on which the `words` behind every bar fit."""
    room = min(max(width_of(row[words]) for row in rows) + 8, width * 0.6)
    return alt.Scale(domain=[0, max(row[field] for row in rows) * width / (width - room) or 1], nice=False)


def percent_axis(*, grid: bool = True) -> alt.Axis:
    """Ticks as whole per cents."""
    return alt.Axis(format="~%", tickCount=5, grid=grid)


def colours_of(field: str, colours: dict[str, str]) -> alt.Color:
    """The colour of each code of a field, without a legend."""
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    return alt.Color(f"{field}:N", scale=scale, legend=None)


def svg(chart: alt.LayerChart | alt.Chart, *, height: float, name: str, width: float = WIDTH) -> str:
    """The chart as an SVG element to put into HTML; `name` keeps its ids apart from other plots'."""
    specification = (
        chart.properties(width=width, height=height, background="transparent")
        .configure(font=FONT, padding=4)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=INK,
            titleColor=MUTED,
            titleFontWeight="normal",
            gridColor=LINE,
            domainColor=LINE,
            tickColor=LINE,
            labelFontSize=12,
            titleFontSize=12,
        )
        .configure_text(fontSize=12)
        .to_dict()
    )
    return for_page(vl_convert.vegalite_to_svg(specification, vl_version=VEGA_LITE), name)


def for_page(drawn: str, name: str) -> str:
    """An SVG of Vega's, made a guest in an HTML page: scaling, styled by it, its marks with titles."""
    for colour, variable in VARIABLES.items():
        drawn = drawn.replace(f'"{colour}"', f'"{variable}"')
    # Vega numbers its ids through the life of the process: counted anew, the same plot is the same text.
    for number, found in enumerate(dict.fromkeys(re.findall(r'\bid="([^"]+)"', drawn)), start=1):
        drawn = re.sub(rf'(\bid="|href="#|url\(#){re.escape(found)}\b', rf"\g<1>{name}-{number}", drawn)
    drawn = re.sub(
        r'<(path|line|rect) aria-label="([^"]*)" role="graphics-symbol"([^>]*?)/>',
        r'<\1 class="mark"\3><title>\2</title></\1>',
        drawn,
    )
    # The figure around it has the caption and, beside it, the numbers as a table.
    return re.sub(
        r'<svg ([^>]*?)width="(\d+)" height="\d+"',
        r'<svg \1style="max-width:\2px" aria-hidden="true"',
        drawn,
        count=1,
    )
