"""Plots of recency, frequency and money."""

from __future__ import annotations

import altair as alt

from dashboards.language import Language
from dashboards.plots.canvas import INK, LINE, WIDTH, data, names_axis, room_for_words, svg
from dashboards.published import Published, Row

# Segments are kinds, not amounts: fixed colours, the same in the dark, each with the ink that can be read on
# it. Teal stays, green begins, amber cools off, orange is about to be lost, grey is gone.
DARK, PALE = "#10242b", "#ffffff"
SEGMENT_COLOURS = {
    "champions": ("#14566a", PALE),
    "loyal": ("#2a7a8c", PALE),
    "potential_loyal": ("#7fbac4", DARK),
    "new": ("#8fb56a", DARK),
    "promising": ("#c1d79f", DARK),
    "need_attention": ("#f1dc9a", DARK),
    "about_to_sleep": ("#e0b155", DARK),
    "cannot_lose": ("#b4451f", PALE),
    "at_risk": ("#e09468", DARK),
    "hibernating": ("#b3bec4", DARK),
    "lost": ("#8d9aa1", DARK),
    "inactive": ("#d9e0e3", DARK),
}
OTHER = ("#cdb9d8", DARK)


def segment_map(published: Published, say: Language) -> str:
    """Customers by recency score and the mean of frequency and money scores, coloured by segment."""
    labels = {row["segment"]: say.label(row, "segment") for row in published.segments}
    cells = [
        {
            "r": row["r_score"],
            "fm": row["fm_score"],
            "fill": segment_colours(row["segment"])[0],
            "ink": segment_colours(row["segment"])[1],
            "count": say.count(row["count_customers"]),
            "words": say(
                "rfm.cell",
                r=row["r_score"],
                fm=row["fm_score"],
                count=say.count(row["count_customers"]),
                segment=labels[row["segment"]],
            ),
        }
        for row in majority_cells(published.rfm_cells)
    ]
    base = alt.Chart(data(cells)).encode(
        x=alt.X("fm:O", title=say("rfm.fm_axis"), axis=alt.Axis(labelAngle=0)),
        y=alt.Y("r:O", title=say("rfm.r_axis"), sort="descending"),
    )
    squares = base.mark_rect(stroke=LINE).encode(
        color=alt.Color("fill:N", scale=None, legend=None), description="words:N"
    )
    counts = base.mark_text(fontSize=12).encode(
        text="count:N", color=alt.Color("ink:N", scale=None, legend=None)
    )
    return svg(squares + counts, height=260, width=WIDTH, name="rfm-map")


def majority_cells(rows: list[Row]) -> list[Row]:
    """One row a cell: all its customers, and the segment that most of them hold.

    A segment that is held on to, or set by hand, may differ from that of the cell: hence the majority.
    """
    cells: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        cells.setdefault((row["r_score"], row["fm_score"]), []).append(row)
    return [
        {
            "r_score": r,
            "fm_score": fm,
            "segment": min(found, key=lambda row: (-row["count_customers"], row["segment"]))["segment"],
            "count_customers": sum(row["count_customers"] for row in found),
        }
        for (r, fm), found in sorted(cells.items())
    ]


def segment_bars(published: Published, say: Language) -> str:
    """Customers by RFM segment, the largest first, in the colours of the map: its legend."""
    rows = [
        {
            "segment": say.label(row, "segment"),
            "count": row["count_customers"],
            "fill": segment_colours(row["segment"])[0],
            "words": say.count(row["count_customers"]),
        }
        for row in published.segments
    ]
    base = alt.Chart(data(rows)).encode(
        y=names_axis("segment", rows),
        x=alt.X("count:Q", axis=None, scale=room_for_words("count", rows)),
    )
    bars = base.mark_bar(cornerRadiusEnd=2, stroke=LINE, strokeWidth=1).encode(
        color=alt.Color("fill:N", scale=None, legend=None), description="words:N"
    )
    words = base.mark_text(align="left", dx=4, color=INK).encode(text="words:N")
    return svg(bars + words, height=24 * len(rows), width=WIDTH - 70, name="segments")


def segment_colours(segment: str) -> tuple[str, str]:
    """Fill and ink of a segment; one that a bank's own map adds gets a colour of its own."""
    return SEGMENT_COLOURS.get(segment, OTHER)
