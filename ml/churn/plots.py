"""The plots of a model card: static SVG by Vega, in stand-ins for the colours of the page's style sheet, so
that one drawing serves light, dark and print. Points carry their numbers as a title, shown on hover.
"""

import re
from typing import Any

import altair as alt
import vl_convert

VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
INK, MUTED, LINE = "#010101", "#020202", "#030303"
# The model and what it is compared with, in the order in which they are drawn over each other.
SERIES = {"tier_rate_baseline": "#040401", "risk_index_baseline": "#040402", "test": "#040403"}
DASHES = {"tier_rate_baseline": [6, 3], "risk_index_baseline": [2, 2], "test": [1, 0]}
VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    SERIES["tier_rate_baseline"]: "var(--tiers)",
    SERIES["risk_index_baseline"]: "var(--index)",
    SERIES["test"]: "var(--model)",
}
LABELS = {"test": "model", "tier_rate_baseline": "tier rates", "risk_index_baseline": "risk index"}
Row = dict[str, Any]


def draw(metrics: dict[str, Any]) -> dict[str, str]:
    """Every plot that the metrics of a training have the figures for, as SVG elements by name."""
    drawn = {}
    curves = metrics.get("curves")
    if curves and metrics["test"]["auc"] is not None:
        drawn["roc"] = _curves(curves, "fpr", "tpr", "stayers on the list", "churners on the list")
        drawn["gains"] = _curves(curves, "share", "tpr", "customers on the list", "churners on the list")
        drawn["profit"] = _curves(curves, "share", "profit", "customers on the list", "profit a customer")
    if metrics.get("calibration"):
        drawn["calibration"] = _calibration(metrics["calibration"])
    return {name: for_page(svg, name) for name, svg in drawn.items()}


def _curves(curves: dict[str, Any], across: str, up: str, across_title: str, up_title: str) -> str:
    """One line for the model and each baseline, with points at every tenth of the customers."""
    is_money = up == "profit"
    x = alt.X("x:Q", title=across_title, axis=_percents(), scale=alt.Scale(domain=[0, 1]))
    axis = alt.Axis(tickCount=5, format="~s") if is_money else _percents()
    scale = alt.Undefined if is_money else alt.Scale(domain=[0, 1])
    y = alt.Y("y:Q", title=up_title, axis=axis, scale=scale)
    still = [{"x": 0, "y": 0}, {"x": 1, "y": 0 if is_money else 1}]
    layers = [_chart(still).mark_line(aria=False, color=MUTED, strokeDash=[1, 4]).encode(x=x, y=y)]
    for part in (name for name in SERIES if name in curves):
        found = {"share": curves["share"]} | curves[part]
        rows = [
            {"x": right, "y": high, "words": _words(LABELS[part], share, right, high, across, up)}
            for share, right, high in zip(curves["share"], found[across], found[up], strict=True)
        ]
        line = _chart(rows).mark_line(
            aria=False, color=SERIES[part], strokeWidth=2, strokeDash=DASHES[part], interpolate="linear"
        )
        points = _chart(rows[::10]).mark_circle(color=SERIES[part], size=36, opacity=1)
        layers += [
            line.encode(x=x, y=y, order="x:Q"),
            points.encode(x=x, y=y, description="words:N"),
        ]
    return _svg(alt.layer(*layers))


def _calibration(bins: list[Row]) -> str:
    """Churn rate against mean prediction by decile of the score, with its interval; a square root spreads the
    many safe customers.
    """
    rows = [
        one
        | {
            "words": f"predicted {one['predicted']:.2%}, seen {one['observed']:.2%} "
            f"({one['low']:.2%} to {one['high']:.2%}) of {one['customers']:,} customers"
        }
        for one in bins
    ]
    most = max(max(one["high"], one["predicted"]) for one in rows)
    scale = alt.Scale(type="sqrt", domain=[0, most])
    x = alt.X("predicted:Q", title="predicted", axis=_percents(), scale=scale)
    y = alt.Y("observed:Q", title="seen", axis=_percents(), scale=scale)
    right = [{"predicted": 0, "observed": 0}, {"predicted": most, "observed": most}]
    between = alt.Y("low:Q", title="seen", scale=scale)
    return _svg(
        alt.layer(
            _chart(right).mark_line(aria=False, color=MUTED, strokeDash=[1, 4]).encode(x=x, y=y),
            _chart(rows).mark_rule(aria=False, color=SERIES["test"]).encode(x=x, y=between, y2="high:Q"),
            _chart(rows)
            .mark_circle(color=SERIES["test"], size=50, opacity=1)
            .encode(x=x, y=y, description="words:N"),
        )
    )


def _words(who: str, share: float, right: float, high: float, across: str, up: str) -> str:
    if up == "profit":
        return f"{who}: an offer to {share:.0%} of the customers brings {high:.3f} a customer"
    found = f"{who}: {share:.0%} of the customers hold {high:.1%} of the churners"
    return f"{found} and {right:.1%} of the stayers" if across == "fpr" else found


def _chart(rows: list[Row]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=rows))


def _percents() -> alt.Axis:
    return alt.Axis(format="~%", tickCount=5)


def _svg(chart: alt.LayerChart) -> str:
    specification = (
        chart.properties(width=330, height=230, background="transparent")
        .configure(font="system-ui, sans-serif", padding=4)
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
        .to_dict()
    )
    return str(vl_convert.vegalite_to_svg(specification, vl_version=VEGA_LITE))


def for_page(drawn: str, name: str) -> str:
    """An SVG of Vega's made a guest of an HTML page: scaling, coloured by its style sheet, ids of its own."""
    for colour, variable in VARIABLES.items():
        drawn = drawn.replace(f'"{colour}"', f'"{variable}"')
    # Vega numbers its ids through the life of the process: counted anew, the same plot is the same text.
    for number, found in enumerate(dict.fromkeys(re.findall(r'\bid="([^"]+)"', drawn)), start=1):
        drawn = re.sub(rf'(\bid="|href="#|url\(#){re.escape(found)}\b', rf"\g<1>{name}-{number}", drawn)
    drawn = re.sub(
        r'<path aria-label="([^"]*)" role="graphics-symbol"([^>]*?)/>',
        r'<path class="mark"\2><title>\1</title></path>',
        drawn,
    )
    # The figure around it has the caption.
    return re.sub(
        r'<svg ([^>]*?)width="(\d+)" height="\d+"',
        r'<svg \1style="max-width:\2px" aria-hidden="true"',
        drawn,
        count=1,
    )
