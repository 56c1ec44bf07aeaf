"""Plots of the history page: runs by day, and how long builds took."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import altair as alt

from dashboards.history import History
from dashboards.history_builds import MODELS_DRAWN, BuildTimes
from dashboards.language import Language
from dashboards.plots.canvas import (
    ACCENT,
    ACCENT_2,
    ACCENT_3,
    ALERT,
    LINE,
    MUTED,
    ON_RAMP,
    RAMP,
    colours_of,
    data,
    names_axis,
    svg,
)

KINDS = ("daily", "bootstrap", "training", "audit")
# Fill and ink by state, the one that most asks for a look first: it colours a day on which several ran.
STATE_COLOURS = {
    "failed": (ALERT, ON_RAMP[4]),
    "withdrawn": (MUTED, ON_RAMP[4]),
    "published": (ACCENT, ON_RAMP[4]),
    "trained": (ACCENT_2, ON_RAMP[4]),
    "monitored": (ACCENT_2, ON_RAMP[4]),
    "opened": (RAMP[1], ON_RAMP[1]),
    "done": (RAMP[1], ON_RAMP[1]),
    "skipped": (RAMP[0], ON_RAMP[0]),
    "dropped": (RAMP[0], ON_RAMP[0]),
}
GATE_COLOURS = {"facts": ACCENT, "marts": ACCENT_2, "lists": ACCENT_3}
MODEL_COLOURS = (ACCENT, ALERT, ACCENT_3, MUTED, ACCENT_2)
# Pixels of a day and of a lane; days on the axis at most.
DAY_WIDTH, LEAST_DAYS, LANE, MOST_TICKS = (12, 30), 14, 30, 9
MOST_RUN_TICKS = 6


def timeline(history: History, say: Language) -> str:
    """A lane a kind of run and a mark a day on which one began, with their number where there are several."""
    last = history.newest_day
    assert last is not None
    first = min(
        [run["started_at"].date() for run in history.runs] + [last - dt.timedelta(days=LEAST_DAYS - 1)]
    )
    days = (last - first).days + 1
    width = days * max(DAY_WIDTH[0], min(DAY_WIDTH[1], 720 // days))
    found: dict[tuple[str, dt.date], Counter[str]] = {}
    for run in history.runs:
        found.setdefault((run["kind"], run["started_at"].date()), Counter())[run["state"]] += 1
    marks = []
    for kind, day in sorted(found, key=lambda key: (lane_of(key[0]), key[1])):
        states = found[kind, day]
        worst = min(states, key=list(STATE_COLOURS).index)
        fill, ink = STATE_COLOURS[worst]
        place, count = (day - first).days, sum(states.values())
        told = say("runs.list_comma").join(
            say("runs.state_count", state=say.named("run_state", state), count=states[state])
            for state in STATE_COLOURS
            if state in states
        )
        marks.append(
            {
                "kind": say.named("run_kind", kind),
                "from": place + 0.08,
                "to": place + 0.92,
                "middle": place + 0.5,
                "fill": fill,
                "ink": ink,
                "count": str(count) if 1 < count < 100 else "99+" if count > 1 else "",
                "words": say("runs.day", day=day.isoformat(), kind=say.named("run_kind", kind), states=told),
            }
        )
    x = alt.Scale(domain=[0, days], nice=False)
    base = alt.Chart(data(marks)).encode(y=names_axis("kind", marks))
    drawn = base.mark_bar(height={"band": 0.72}, cornerRadius=2).encode(
        x=alt.X("from:Q", axis=None, scale=x),
        x2="to:Q",
        color=alt.Color("fill:N", scale=None, legend=None),
        description="words:N",
    )
    counts = (
        base.transform_filter("datum.count != ''")
        .mark_text(fontSize=9)
        .encode(
            x=alt.X("middle:Q", axis=None, scale=x),
            text="count:N",
            color=alt.Color("ink:N", scale=None, legend=None),
        )
    )
    height = LANE * len({mark["kind"] for mark in marks})
    step = -(-days // MOST_TICKS)
    ticks = [
        {"x": place + 0.5, "text": f"{first + dt.timedelta(days=place):%m-%d}"}
        for place in range(days - 1, -1, -1)
        if (days - 1 - place) % max(step, -(-44 * days // width)) == 0
    ]
    lines = (
        alt.Chart(data(ticks)).mark_rule(color=LINE, aria=False).encode(x=alt.X("x:Q", axis=None, scale=x))
    )
    labels = (
        alt.Chart(data(ticks))
        .mark_text(color=MUTED, fontSize=11, baseline="top", dy=4)
        .encode(x=alt.X("x:Q", axis=None, scale=x), y=alt.value(height), text="text:N")
    )
    return svg(lines + drawn + counts + labels, height=height, width=width, name="timeline")


def lane_of(kind: str) -> tuple[int, str]:
    """The place of a kind's lane; one that is not known here comes last."""
    return (KINDS.index(kind) if kind in KINDS else len(KINDS), kind)


def build_seconds(builds: BuildTimes, say: Language) -> str:
    """A bar a run, of the seconds of its gates one on the other, the oldest run on the left."""
    order = {gate: place for place, gate in enumerate(GATE_COLOURS)}
    bars = [
        {
            "run": place,
            "key": gate if gate in order else "marts",
            "place": order.get(gate, len(order)),
            "seconds": seconds,
            "words": say(
                "runs.gate_seconds",
                run=run["run_id"],
                gate=say.named("gate", gate),
                seconds=say.decimal(seconds, 1),
            ),
        }
        for place, run in enumerate(builds.runs)
        for gate, seconds in sorted(run["gates"].items())
    ]
    drawn = (
        alt.Chart(data(bars))
        .mark_bar()
        .encode(
            x=run_axis(builds),
            y=alt.Y("seconds:Q", title=say("runs.seconds_axis"), axis=alt.Axis(tickCount=5), stack="zero"),
            color=colours_of("key", GATE_COLOURS),
            order=alt.Order("place:Q"),
            description="words:N",
        )
    )
    return svg(drawn, height=190, name="build-seconds")


def model_seconds(builds: BuildTimes, say: Language) -> str:
    """Seconds of the slowest models in each run, a line a model."""
    points = [
        {
            "run": place,
            "key": name,
            "seconds": seconds,
            "words": say(
                "runs.model_seconds",
                run=builds.runs[place]["run_id"],
                model=name,
                seconds=say.decimal(seconds, 2),
            ),
        }
        for name in drawn_models(builds)
        for place, seconds in enumerate(builds.by_run[name])
        if seconds is not None
    ]
    base = alt.Chart(data(points)).encode(
        x=run_axis(builds),
        y=alt.Y("seconds:Q", title=say("runs.seconds_axis"), axis=alt.Axis(tickCount=5)),
        color=colours_of("key", drawn_models(builds)),
    )
    # A line over a run that lacks the model would tell of a time that nobody measured; few do.
    lines = base.mark_line(strokeWidth=1.5, aria=False)
    dots = base.mark_circle(size=34, opacity=1).encode(description="words:N")
    return svg(lines + dots, height=190, name="model-seconds")


def drawn_models(builds: BuildTimes) -> dict[str, str]:
    """The models that have a line, the slowest first, with its colour."""
    names = [row["node_name"] for row in builds.slowest[:MODELS_DRAWN]]
    return dict(zip(names, MODEL_COLOURS, strict=False))


def run_axis(builds: BuildTimes) -> alt.X:
    """Runs by their place; the newest, and some before it, with their as-of date."""
    labels = [run["as_of_date"].strftime("%m-%d") for run in builds.runs]
    last = len(labels) - 1
    step = -(-len(labels) // MOST_RUN_TICKS)
    shown = alt.Axis(
        values=list(range(last % step, last + 1, step)),
        labelAngle=0,
        ticks=False,
        labelExpr=f"{labels}[datum.value]",
    )
    return alt.X("run:O", title=None, axis=shown, scale=alt.Scale(paddingInner=0.25))
