"""The report's plots: static SVG drawn by Vega, coloured by the page's style sheet.

A plot is drawn in stand-in colours that are exchanged for CSS variables, so that one SVG serves light, dark
and print; every mark carries its numbers as a title, which browsers show on hover.
"""

from __future__ import annotations

import re
from typing import Any

import altair as alt
import vl_convert

from dashboards.published import SCORE_BINS, Published, Row

VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
FONT = (
    "system-ui, -apple-system, 'Segoe UI', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"
)
WIDTH = 340

# Stand-ins, and what the style sheet calls them.
INK, MUTED, LINE = "#010101", "#020202", "#030303"
ACCENT, ACCENT_2, ACCENT_3, ALERT = "#040404", "#050505", "#060606", "#070707"
VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    ACCENT: "var(--accent)",
    ACCENT_2: "var(--accent-2)",
    ACCENT_3: "var(--accent-3)",
    ALERT: "var(--alert)",
}
TIER_COLOURS = {"high": ACCENT, "mid": ACCENT_2, "low": ACCENT_3}
BAND_COLOURS = {"high": ALERT, "medium": ACCENT_2, "low": ACCENT_3}
HEAT = ["#e8f1f2", "#b9dbe0", "#7fbac4", "#3f8f9f", "#14566a"]

# What the plan of the bank assumes of a year, by tier (definitions, section 7).
PLAN_CHURN = {"high": 0.02, "mid": 0.05, "low": 0.10}


def tier_pyramid(published: Published) -> str:
    """Customers by value tier, the best on top, each bar centred."""
    total = sum(row["count_customers"] for row in published.tiers)
    rows = [
        {
            "tier": bilingual(row["value_tier_en"], row["value_tier_zh"]),
            "key": row["value_tier"],
            "from": -row["count_customers"] / 2,
            "to": row["count_customers"] / 2,
            "words": f"{row['count_customers']:,} · {row['count_customers'] / total:.1%}",
        }
        for row in published.tiers
    ]
    widest = max(row["count_customers"] for row in published.tiers)
    base = alt.Chart(_data(rows)).encode(y=_names("tier", rows))
    bars = base.mark_bar(height={"band": 0.94}, cornerRadius=2).encode(
        x=alt.X("from:Q", axis=None, scale=alt.Scale(domain=[-widest / 2, widest], nice=False)),
        x2="to:Q",
        color=_colours("key", TIER_COLOURS),
        description="words:N",
    )
    # Beside the bar, not on it: the top of a pyramid is too narrow for a number.
    words = base.mark_text(align="left", dx=6, color=INK, fontWeight="bold").encode(x="to:Q", text="words:N")
    return _svg(bars + words, height=170, name="tier-pyramid")


def rfm_heat_map(published: Published) -> str:
    """Customers by recency and frequency score; the colour is their mean monetary score."""
    rows = [
        {
            "r": row["r_score"],
            "f": row["f_score"],
            "count": row["count_customers"],
            "m": row["mean_m_score"],
            "words": (
                f"R {row['r_score']}, F {row['f_score']}: {row['count_customers']:,} customers, "
                f"mean M {row['mean_m_score']:.1f}"
            ),
        }
        for row in published.rfm_cells
    ]
    base = alt.Chart(_data(rows)).encode(
        x=alt.X("f:O", title="Frequency score (5 = most days active)", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("r:O", title="Recency score (5 = most recent)", sort="descending"),
    )
    cells = base.mark_rect(stroke=LINE).encode(
        color=alt.Color(
            "m:Q",
            scale=alt.Scale(domain=[0, 5], range=HEAT),
            legend=alt.Legend(title="Mean M", gradientLength=150, tickCount=5),
        ),
        description="words:N",
    )
    # Fixed colours: the cells keep theirs in the dark too.
    counts = base.mark_text(fontSize=12).encode(
        text=alt.Text("count:Q", format=",d"),
        color=alt.condition("datum.m > 3.4", alt.value("#ffffff"), alt.value("#10242b")),
    )
    return _svg(cells + counts, height=250, width=WIDTH - 20, name="rfm-heat-map")


def segment_bars(published: Published) -> str:
    """Customers by RFM segment, the largest first."""
    rows = [
        {
            "segment": bilingual(row["segment_en"], row["segment_zh"]),
            "count": row["count_customers"],
            "words": f"{row['count_customers']:,}",
        }
        for row in published.segments
    ]
    base = alt.Chart(_data(rows)).encode(
        y=_names("segment", rows),
        x=alt.X("count:Q", axis=None, scale=_room_for_words("count", rows)),
    )
    bars = base.mark_bar(color=ACCENT_2, cornerRadiusEnd=2).encode(description="words:N")
    words = base.mark_text(align="left", dx=4, color=INK).encode(text="words:N")
    return _svg(bars + words, height=24 * len(rows), width=WIDTH - 70, name="segments")


def churn_by_tier(published: Published) -> str:
    """Annualised churn rate by value tier, and the plan's rate as a tick."""
    rates = published.by_tier("churn_rate_annualised")
    rows = [
        {
            "tier": bilingual(row["value_tier_en"], row["value_tier_zh"]),
            "key": row["value_tier"],
            "rate": rates[row["value_tier"]],
            "words": f"{rates[row['value_tier']]:.1%}",
            "plan": PLAN_CHURN.get(row["value_tier"]),
            "end": max(rates[row["value_tier"]], PLAN_CHURN.get(row["value_tier"], 0)),
            "plan_words": f"plan {PLAN_CHURN.get(row['value_tier'], 0):.0%}",
        }
        for row in published.tiers
        if row["value_tier"] in rates
    ]
    base = alt.Chart(_data(rows)).encode(y=_names("tier", rows))
    rate = alt.X(
        "rate:Q",
        title="Churn rate, annualised",
        axis=_percent_axis(),
        scale=_room_for_words("end", rows),
    )
    bars = base.mark_bar(height={"band": 0.6}, cornerRadiusEnd=2).encode(
        x=rate, color=_colours("key", TIER_COLOURS), description="words:N"
    )
    words = base.mark_text(align="left", dx=8, color=INK, fontWeight="bold").encode(x="end:Q", text="words:N")
    plan = base.mark_tick(color=ALERT, opacity=1, thickness=3, height={"band": 0.9}).encode(
        x=alt.X("plan:Q"), description="plan_words:N"
    )
    return _svg(bars + plan + words, height=170, name="churn-by-tier")


def cumulative_gains(gains: list[Row]) -> str:
    """Share of churners found among the riskiest, out of time; by the value tiers alone; by chance."""
    x = alt.X("share:Q", title="Customers, riskiest first", axis=_percent_axis())
    y = alt.Y("found:Q", title="Churners among them", axis=_percent_axis(), scale=alt.Scale(domain=[0, 1]))
    origin = {"share": 0.0, "found": 0.0, "words": "nobody looked at, nobody found"}

    def curve(captured: str, who: str) -> alt.Chart:
        found = [
            {
                "share": row["share"],
                "found": row[captured],
                "words": f"{who}: {row['share']:.0%} of customers hold {row[captured]:.0%} of churners",
            }
            for row in gains
            if row[captured] is not None
        ]
        return alt.Chart(_data([origin, *found])).encode(x=x, y=y)

    random = alt.Chart(_data([origin, {"share": 1.0, "found": 1.0}])).encode(x=x, y=y)
    model, tiers = curve("captured", "model"), curve("captured_by_tier", "value tiers")
    return _svg(
        random.mark_line(color=MUTED, strokeDash=[3, 4], strokeWidth=1.5)
        + tiers.mark_line(color=ALERT, strokeWidth=2)
        + model.mark_line(color=ACCENT, strokeWidth=2.5)
        + tiers.mark_circle(color=ALERT, size=30, opacity=1).encode(description="words:N")
        + model.mark_circle(color=ACCENT, size=45, opacity=1).encode(description="words:N"),
        height=230,
        name="gains",
    )


def lift(gains: list[Row]) -> str:
    """Churn rate of the riskiest tenth, two tenths ... against the mean, out of time; 1 is chance."""
    rows = [
        {
            "share": f"{row['share']:.0%}",
            "lift": row["lift"],
            "words": f"riskiest {row['share']:.0%}: lift {row['lift']:.2f}",
        }
        for row in gains
    ]
    bars = (
        alt.Chart(_data(rows))
        .mark_bar(color=ACCENT, cornerRadiusEnd=2)
        .encode(
            x=alt.X(
                "share:O",
                title="Riskiest customers",
                sort=[row["share"] for row in rows],
                axis=alt.Axis(labelAngle=0, labelOverlap=True),
            ),
            y=alt.Y("lift:Q", title="Lift"),
            description="words:N",
        )
    )
    chance = alt.Chart(_data([{"one": 1}])).mark_rule(color=ALERT, strokeWidth=2).encode(y=alt.Y("one:Q"))
    return _svg(bars + chance, height=230, name="lift")


def score_histogram(published: Published) -> str:
    """Customers by churn probability, coloured by risk band."""
    labels = {row["risk_band"]: row["risk_band_en"] for row in published.risk_bands}
    rows = [
        {
            "from": row["bin"] / SCORE_BINS,
            "to": (row["bin"] + 1) / SCORE_BINS,
            "count": row["count_customers"],
            "key": row["risk_band"],
            "words": (
                f"{row['bin'] / SCORE_BINS:.0%} to {(row['bin'] + 1) / SCORE_BINS:.0%}, "
                f"{labels.get(row['risk_band'], row['risk_band'])}: {row['count_customers']:,} customers"
            ),
        }
        for row in published.score_bins
    ]
    bars = (
        alt.Chart(_data(rows))
        .mark_bar(binSpacing=0.5)
        .encode(
            x=alt.X("from:Q", title="Churn probability", axis=_percent_axis(), bin="binned"),
            x2="to:Q",
            # Most customers are near zero; a square root lets the few at risk be seen too.
            y=alt.Y(
                "count:Q",
                title="Customers (square-root scale)",
                stack=None,
                scale=alt.Scale(type="sqrt"),
                axis=alt.Axis(tickCount=5),
            ),
            color=_colours("key", BAND_COLOURS),
            description="words:N",
        )
    )
    return _svg(bars, height=230, name="scores")


def rejected_bars(published: Published) -> str:
    """Rejected rows by entity and reason, the most frequent first; at most twelve."""
    rows = [
        {
            "what": f"{row['entity']}: {row['reason_code']}".replace("_", " "),
            "count": row["count_rows"],
            "words": f"{row['count_rows']:,}",
        }
        for row in published.rejected[:12]
    ]
    base = alt.Chart(_data(rows)).encode(
        y=_names("what", rows),
        x=alt.X("count:Q", axis=None, scale=_room_for_words("count", rows)),
    )
    bars = base.mark_bar(color=ACCENT_3, cornerRadiusEnd=2).encode(description="words:N")
    words = base.mark_text(align="left", dx=4, color=INK).encode(text="words:N")
    return _svg(bars + words, height=24 * len(rows), width=WIDTH - 90, name="rejected")


def bilingual(english: str, chinese: str) -> str:
    """An English label with the Chinese one beside it."""
    return f"{english} {chinese}".strip()


def _data(rows: list[dict[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=rows)


def _names(field: str, rows: list[dict[str, Any]]) -> alt.Y:
    """A vertical axis of names in the order of the rows."""
    order = [row[field] for row in rows]
    # Vega measures text with a font that the reader's browser may not have: leave room for a wider one.
    room = max(sum(8.2 if letter.isascii() else 13.5 for letter in name) for name in order) + 8
    axis = alt.Axis(domain=False, ticks=False, labelLimit=260, labelPadding=6, minExtent=room)
    return alt.Y(f"{field}:N", title=None, sort=order, axis=axis)


def _room_for_words(field: str, rows: list[dict[str, Any]]) -> alt.Scale:
    """A scale that leaves the end of the longest bar free for the words beside it."""
    return alt.Scale(domain=[0, max(row[field] for row in rows) * 1.3 or 1], nice=False)


def _percent_axis() -> alt.Axis:
    return alt.Axis(format="~%", tickCount=5)


def _colours(field: str, colours: dict[str, str]) -> alt.Color:
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    return alt.Color(f"{field}:N", scale=scale, legend=None)


def _svg(chart: alt.LayerChart | alt.Chart, *, height: int, name: str, width: int = WIDTH) -> str:
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
        .configure_legend(labelColor=INK, titleColor=MUTED, titleFontWeight="normal", labelFontSize=12)
        .configure_text(fontSize=12)
        .to_dict()
    )
    return for_page(vl_convert.vegalite_to_svg(specification, vl_version=VEGA_LITE), name)


def for_page(svg: str, name: str) -> str:
    """An SVG of Vega's, made a guest in an HTML page: scaling, styled by it, its marks with titles."""
    for colour, variable in VARIABLES.items():
        svg = svg.replace(f'"{colour}"', f'"{variable}"')
    # Vega numbers its ids through the life of the process: counted anew, the same plot is the same text.
    for number, found in enumerate(dict.fromkeys(re.findall(r'\bid="([^"]+)"', svg)), start=1):
        svg = re.sub(rf'(\bid="|href="#|url\(#){re.escape(found)}\b', rf"\g<1>{name}-{number}", svg)
    svg = re.sub(
        r'<(path|line|rect) aria-label="([^"]*)" role="graphics-symbol"([^>]*?)/>',
        r'<\1 class="mark"\3><title>\2</title></\1>',
        svg,
    )
    # The figure around it has the caption and, beside it, the numbers as a table.
    return re.sub(
        r'<svg ([^>]*?)width="(\d+)" height="\d+"',
        r'<svg \1style="max-width:\2px" aria-hidden="true"',
        svg,
        count=1,
    )
