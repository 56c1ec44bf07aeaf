"""Superset in a headless browser: sign in, open a dashboard, wait for its charts, say what went wrong."""

from __future__ import annotations

import base64
import json
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.browser import Tab

PATIENCE_S = 180
WIDTH = 1600
# Superset's own pages load what a bank's network may refuse; that is none of our charts' business.
NOT_OURS = ("favicon", "scarf.sh")

SIGN_IN = """
(() => {
    const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
    const fill = (name, value) => {
        const input = document.querySelector(`input[name="${name}"], #${name}`);
        if (!input) return false;
        set.call(input, value);
        input.dispatchEvent(new Event('input', {bubbles: true}));
        return true;
    };
    if (!fill('username', USER) || !fill('password', PASSWORD)) return false;
    document.querySelector('button[type="submit"], [data-test="login-button"]').click();
    return true;
})()
"""
STATE = """
(() => {
    const charts = [...document.querySelectorAll('.dashboard-component-chart-holder')];
    const seen = new Map();
    for (const chart of charts) {
        const heading = chart.querySelector('[data-test="editable-title"], .header-title');
        const title = heading ? heading.innerText : '';
        const text = chart.innerText || '';
        seen.set(chart, {
            title: title.trim(),
            loading: !!chart.querySelector('[data-test="loading-indicator"], .loading, .ant-spin-spinning'),
            drawn: !!chart.querySelector('canvas, svg, table, .header-line, [role="grid"]'),
            error: chart.querySelector('[data-test="alert"], .ant-alert-error, .error-container')
                ? text.slice(0, 400) : '',
            empty: /No results were returned|No data|没有数据|没有返回/.test(text),
        });
    }
    return JSON.stringify({charts: [...seen.values()],
        bottom: Math.max(0, ...charts.map(chart => chart.getBoundingClientRect().bottom + window.scrollY))});
})()
"""


@dataclass
class Opened:
    """A dashboard as the browser shows it."""

    titles: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)


def sign_in(tab: Tab, url: str, user: str, password: str) -> None:
    """Sign a user in. Raises AssertionError when Superset does not let the user in."""
    tab.send("Network.clearBrowserCookies")
    tab.open(f"{url}/login/")
    script = SIGN_IN.replace("USER", json.dumps(user)).replace("PASSWORD", json.dumps(password))
    _wait(lambda: tab.ask(script), "the form to sign in")
    _wait(lambda: "/login" not in tab.ask("location.pathname"), f"Superset to let {user} in")


def open_dashboard(tab: Tab, url: str, slug: str, count: int) -> Opened:
    """Open a dashboard of `count` charts and wait until each is drawn, empty or has failed."""
    # Charts below the window are not loaded: the window is as high as any dashboard.
    tab.resize(WIDTH, 7000)
    tab.open(f"{url}/superset/dashboard/{slug}/?standalone=1")
    deadline = time.monotonic() + PATIENCE_S
    while True:
        state = json.loads(tab.ask(STATE))
        charts = state["charts"]
        if len(charts) == count and not any(_pending(chart) for chart in charts):
            break
        if time.monotonic() > deadline:
            waiting = [chart["title"] for chart in charts if _pending(chart)]
            raise AssertionError(
                f"{slug}: {len(charts)} of {count} charts after {PATIENCE_S} s, not drawn: {waiting}"
            )
        time.sleep(0.5)
    time.sleep(1.5)  # bars and lines grow to their place
    return _found(tab, json.loads(tab.ask(STATE)))


def picture(tab: Tab) -> bytes:
    """The dashboard that is open as a PNG of its whole length."""
    state = json.loads(tab.ask(STATE))
    tab.resize(WIDTH, int(state["bottom"]) + 24)
    time.sleep(2)
    return base64.b64decode(tab.send("Page.captureScreenshot", format="png")["data"])


def _pending(chart: dict[str, object]) -> bool:
    return bool(chart["loading"]) or not (chart["drawn"] or chart["error"] or chart["empty"])


def _found(tab: Tab, state: dict[str, list[dict[str, str]]]) -> Opened:
    found = Opened()
    for chart in state["charts"]:
        found.titles.append(chart["title"])
        if chart["error"]:
            found.errors.append(f"{chart['title']}: {chart['error']}")
        if chart["empty"]:
            found.empty.append(chart["title"])
    for answer in tab.named("Network.responseReceived"):
        response = answer["response"]
        path = urllib.parse.urlsplit(response["url"])
        if path.path.startswith("/api/v1/chart/data"):
            if response["status"] != 200:
                found.errors.append(
                    f"{response['status']} of {urllib.parse.unquote(path.query)}: {_body(tab, answer)}"
                )
        elif response["status"] >= 400 and not any(part in response["url"] for part in NOT_OURS):
            found.errors.append(f"{response['status']} of {response['url']}")
    for thrown in tab.named("Runtime.exceptionThrown"):
        details = thrown["exceptionDetails"]
        found.errors.append(str(details.get("exception", {}).get("description", details["text"]))[:400])
    return found


def _body(tab: Tab, answer: dict[str, str]) -> str:
    return str(tab.send("Network.getResponseBody", requestId=answer["requestId"])["body"])[:600]


def _wait(is_done: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_done():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S} s for {what}"
        time.sleep(0.3)
