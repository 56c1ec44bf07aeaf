"""The page "Runs and publications": one HTML file that opens offline, as the report does."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dashboards.history import FULL_DAYS, History
from dashboards.history_ops import MOST_ACTS
from dashboards.language import Language, words
from dashboards.plots import runs as plots
from dashboards.reading import Row

TEMPLATES = Path(__file__).with_name("templates")
# Units of health checks (warehouse.health) that are parts of one.
SHARES = ("share of rows", "of the median")


def render(history: History, say: Language, *, report: str | None = None) -> str:
    """The page; `report`: the address of the report, to link to. The same rows give the same bytes."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(say=say)
    environment.filters.update(
        count=say.count,
        percent=say.percent,
        decimal=say.decimal,
        words=words,
        moment=moment,
        measured=lambda row, column: measured(row, column, say),
    )
    return environment.get_template("history.html").render(
        history=history,
        title=title(history, say),
        style=Markup(  # noqa: S704 - our own files
            "\n".join(
                (TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "history.css")
            )
        ),
        figures={
            name: Markup(svg)  # noqa: S704 - drawn here
            for name, svg in figures(history, say).items()
        },
        tiles=tiles(history, say),
        model_colours=list(plots.drawn_models(history.builds)) if history.builds else [],
        full_days=FULL_DAYS,
        most_acts=MOST_ACTS,
        report=report,
    )


def title(history: History, say: Language) -> str:
    """The page's title, with the name of the bank where one is known."""
    if history.source is None:
        return say("runs.title")
    return say("runs.title_of", bank=say.named("bank", history.source))


def figures(history: History, say: Language) -> dict[str, str]:
    """Plots as SVG by name, of what there is."""
    drawn = {}
    if history.runs:
        drawn["timeline"] = plots.timeline(history, say)
    if history.builds:
        drawn["build_seconds"] = plots.build_seconds(history.builds, say)
        drawn["model_seconds"] = plots.model_seconds(history.builds, say)
    return drawn


def tiles(history: History, say: Language) -> list[Row]:
    """What readers see now, and how the full days went; value, and a line below it."""
    shown = history.shown
    found = []
    if shown is not None:
        withdrawn = say("runs.after_withdrawal") if shown["after_withdrawal"] else None
        found += [
            {"label": say("runs.shown_day"), "value": shown["as_of_date"], "below": shown["run_id"]},
            {"label": say("runs.shown_since"), "value": moment(shown["shown_since"]), "below": withdrawn},
            {
                "label": say("runs.shown_by"),
                "value": shown["published_by"] or say("runs.not_recorded"),
                "below": say("runs.shown_publication", number=shown["publication_no"]),
            },
        ]
    failed = len(history.failed())
    refused = sum(row["status"] == "refused" for row in history.deliveries)
    alerts = sum(row["status"] == "alert" for row in history.health or [])
    return [
        *({**tile, "is_bad": False} for tile in found),
        {
            "label": say("runs.count_runs", days=FULL_DAYS),
            "value": say.count(len(history.runs)),
            "below": say("runs.count_failed", count=failed),
            "is_bad": failed > 0,
        },
        {
            "label": say("runs.count_deliveries", days=FULL_DAYS),
            "value": say.count(len(history.deliveries)),
            "below": say("runs.count_refused", count=refused),
            "is_bad": refused > 0,
        },
        {
            "label": say("runs.health_alerts"),
            "value": say.count(alerts if history.health else None),
            "below": moment(history.health[0]["checked_at"]) if history.health else say("runs.never_watched"),
            "is_bad": alerts > 0,
        },
    ]


def moment(value: dt.datetime) -> str:
    """2026-11-01 00:12, as the warehouse has it: UTC."""
    return f"{value:%Y-%m-%d %H:%M}"


def measured(row: Row, column: str, say: Language) -> str:
    """A value of a health check with its unit; a share as per cents; nothing where there is none."""
    value: Any = row[column]
    if value is None:
        return ""
    if row["unit"] in SHARES:
        return say.percent(value)
    shown = f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}"
    return f"{shown} {say.named('health_unit', row['unit'])}"
