"""The plot of what was rejected on arrival."""

from __future__ import annotations

import altair as alt

from dashboards.language import Language
from dashboards.plots.canvas import ACCENT_3, INK, WIDTH, data, names_axis, room_for_words, svg
from dashboards.published import Published


def rejected_bars(published: Published, say: Language) -> str:
    """Rejected rows by entity and reason, the most frequent first; at most twelve."""
    rows = [
        {
            "what": say(
                "quality.entity_and_reason",
                entity=say.named("entity", row["entity"]),
                reason=say.named("reason", row["reason_code"]),
            ),
            "count": row["count_rows"],
            "words": say.count(row["count_rows"]),
        }
        for row in published.rejected[:12]
    ]
    base = alt.Chart(data(rows)).encode(
        y=names_axis("what", rows),
        x=alt.X("count:Q", axis=None, scale=room_for_words("count", rows)),
    )
    bars = base.mark_bar(color=ACCENT_3, cornerRadiusEnd=2).encode(description="words:N")
    words = base.mark_text(align="left", dx=4, color=INK).encode(text="words:N")
    return svg(bars + words, height=24 * len(rows), width=WIDTH - 90, name="rejected")
