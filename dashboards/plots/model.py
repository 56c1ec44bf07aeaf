"""Plots of the model's figures with their intervals: beside the baselines, and group by group."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.language import Language
from dashboards.model import TEST, ModelQuality
from dashboards.plots.canvas import ACCENT, ACCENT_2, ACCENT_3, ALERT
from dashboards.plots.intervals import dots
from dashboards.reading import Row

PART_COLOURS = {TEST: ACCENT, "tier_rate_baseline": ALERT, "risk_index_baseline": ACCENT_3}
GROUP_COLOURS = {"segment": ACCENT_2, "protected": ALERT}


def against_baselines(quality: ModelQuality, metric: str, say: Language) -> str | None:
    """One figure of the model and of the baselines; None where it is not known of two of them."""
    rows = []
    for part in quality.parts():
        figure = quality.overall(part).get(metric)
        if figure is not None and figure["metric_value"] is not None:
            rows.append(_dot(figure, say.named("part", part), part, say))
    if len(rows) < 2:
        return None
    return dots(rows, colours=PART_COLOURS, name=f"model-{metric}", title=say.named("metric", metric))


def by_group(groups: Sequence[Row], quality: ModelQuality, metric: str, say: Language) -> str | None:
    """One figure by group (rows of a `label` each, protected groups in another colour), the line: of all."""
    rows = [
        _dot(
            group["figures"][metric], group["label"], "protected" if group["is_protected"] else "segment", say
        )
        for group in groups
        if group["figures"].get(metric, {}).get("metric_value") is not None
    ]
    whole = quality.overall().get(metric)
    if not rows or whole is None or whole["metric_value"] is None:
        return None
    line = (whole["metric_value"], say("model_quality.of_all", value=say.decimal(whole["metric_value"], 3)))
    return dots(
        rows, colours=GROUP_COLOURS, name=f"groups-{metric}", title=say.named("metric", metric), line=line
    )


def _dot(figure: Row, what: str, key: str, say: Language) -> Row:
    value = say.decimal(figure["metric_value"], 3)
    between = say.between(figure["low_value"], figure["high_value"])
    return {
        "what": what,
        "key": key,
        "value": figure["metric_value"],
        "low": figure["low_value"],
        "high": figure["high_value"],
        "shown": value,
        "words": f"{what}: {value} {between}".rstrip(),
    }
