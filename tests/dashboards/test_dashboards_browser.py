"""The report in a real Chromium: every plot is drawn, nothing is asked of the network, nothing overflows."""

from __future__ import annotations

import base64
import json
import os
import shutil
import struct
import subprocess
import tempfile
import time
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from dashboards.published import read
from dashboards.report import render
from warehouse import Settings, open_warehouse, schema

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--disable-dev-shm-usage", "--remote-debugging-port=0", "--remote-allow-origins=*",
)  # fmt: skip
PATIENCE_S = 60
FIGURES = 8


class Tab:
    """A page of the browser, driven through the DevTools protocol; keeps every event it was told."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._last_id = 0
        self.events: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer. Raises AssertionError when the browser refuses it."""
        self._last_id += 1
        self._socket.send(json.dumps({"id": self._last_id, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=PATIENCE_S))
            if answer.get("id") == self._last_id:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def open(self, url: str) -> None:
        """Go to a page and wait until it is loaded."""
        self.events.clear()
        self.send("Page.navigate", url=url)
        while not self.named("Page.loadEventFired"):
            self.events.append(json.loads(self._socket.recv(timeout=PATIENCE_S)))

    def named(self, *methods: str) -> list[dict[str, Any]]:
        """The parameters of every event of these names since the page was asked for."""
        return [event["params"] for event in self.events if event["method"] in methods]

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"]["value"]

    def resize(self, width: int, height: int) -> None:
        """Show the page as a screen of this size does; below 500 pixels as a phone."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )

    def screenshot(self) -> bytes:
        """The window as a PNG."""
        return base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"])


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    """A tab of a new headless browser."""
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium or Chrome on the PATH, and CI may not go without: run `make browser`")
        pytest.skip("no Chromium or Chrome on the PATH: `make browser` installs one where it can")
    profile = Path(tempfile.mkdtemp(prefix="kw-browser-"))
    browser = subprocess.Popen(
        [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with connect(_page_address(browser, profile), max_size=None, open_timeout=PATIENCE_S) as socket:
            yield Tab(socket)
    finally:
        browser.terminate()
        browser.wait(timeout=PATIENCE_S)
        shutil.rmtree(profile, ignore_errors=True)


def _page_address(browser: subprocess.Popen[bytes], profile: Path) -> str:
    port_file = profile / "DevToolsActivePort"
    deadline = time.monotonic() + PATIENCE_S
    while not (port_file.exists() and port_file.read_text().count("\n")):
        assert browser.poll() is None, f"the browser ended with exit code {browser.returncode}"
        assert time.monotonic() < deadline, "the browser did not open its DevTools port"
        time.sleep(0.1)
    port = port_file.read_text().splitlines()[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=PATIENCE_S) as answer:
        pages = [target for target in json.load(answer) if target["type"] == "page"]
    address: str = pages[0]["webSocketDebuggerUrl"]
    return address


@pytest.fixture(scope="module")
def report(plant: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the planted bank."""
    folder = tmp_path_factory.mktemp("browser")
    settings = Settings(home=folder / "home", target="duckdb")
    with open_warehouse(settings) as wh:
        schema.init(wh)
    plant(settings)
    with open_warehouse(settings) as wh:
        published = read(wh)
    out = folder / "report.html"
    out.write_text(render(published), encoding="utf-8")
    return out


@pytest.fixture
def page(report: Path, tab: Tab) -> Path:
    """The report, freshly opened in the tab on a desktop's screen."""
    tab.resize(1280, 900)
    tab.open(report.as_uri())
    return report


DRAWN = """
[...document.querySelectorAll('figure')].map(figure => {
  const svg = figure.querySelector('svg');
  const box = svg.getBoundingClientRect();
  const marks = [...svg.querySelectorAll('.mark')].filter(mark => {
    const size = mark.getBoundingClientRect();
    return size.width > 0 && size.height > 0 && getComputedStyle(mark).fill !== 'none';
  });
  const cut = [...svg.querySelectorAll('text')].filter(text => {
    const at = text.getBoundingClientRect();
    return at.width > 0 && (at.left < box.left - 1 || at.right > box.right + 1 || at.top < box.top - 1
      || at.bottom > box.bottom + 1);
  });
  return {name: figure.getAttribute('aria-label'), width: box.width, height: box.height, marks: marks.length,
          titles: marks.filter(mark => mark.querySelector('title')).length,
          cut: cut.map(text => text.textContent)};
})
"""


def test_every_plot_is_drawn_with_marks_and_whole_labels(page: Path, tab: Tab) -> None:
    figures = tab.ask(DRAWN)
    assert len(figures) == FIGURES
    for figure in figures:
        assert figure["width"] > 250, figure
        assert figure["height"] > 50, figure
        assert figure["marks"] >= 3, figure
        assert figure["titles"] == figure["marks"], figure
        assert figure["cut"] == [], figure
    marks = {figure["name"]: figure["marks"] for figure in figures}
    assert marks["Heat map of customers by recency and frequency score"] == 26
    assert marks["Lift of the riskiest customers"] == 10
    assert marks["Cumulative gains curve"] == 22


def test_the_pyramid_is_a_pyramid(page: Path, tab: Tab) -> None:
    bars = tab.ask(
        "[...document.querySelectorAll('#tiers svg .mark')].map(mark => mark.getBoundingClientRect())"
        ".map(box => [box.top, box.width, box.left + box.width / 2])"
    )
    tops, widths, middles = zip(*sorted(bars), strict=True)
    assert len(bars) == 3
    assert widths[0] < widths[1] < widths[2]
    assert max(middles) - min(middles) < 1
    assert len(set(tops)) == 3


def test_nothing_is_asked_of_the_network_and_nothing_goes_wrong(page: Path, tab: Tab) -> None:
    tab.ask("document.body.scrollIntoView(false)")
    asked = {request["request"]["url"] for request in tab.named("Network.requestWillBeSent")}
    assert page.as_uri() in asked
    assert {url for url in asked if not url.startswith("data:")} == {page.as_uri()}
    assert tab.named("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded") == []


def test_a_request_and_an_error_would_be_seen(page: Path, tab: Tab) -> None:
    bad = page.with_name("bad.html")
    bad.write_text('<img src="http://127.0.0.1:9/x.png"><script>console.error("no")</script>')
    tab.open(bad.as_uri())
    asked = {request["request"]["url"] for request in tab.named("Network.requestWillBeSent")}
    assert "http://127.0.0.1:9/x.png" in asked
    assert tab.named("Runtime.consoleAPICalled")


@pytest.mark.parametrize("width", [1280, 768, 390, 320])
def test_nothing_overflows_on_a_desk_or_a_phone(page: Path, tab: Tab, width: int) -> None:
    tab.resize(width, 900)
    assert tab.ask("document.documentElement.scrollWidth") <= width
    assert (
        tab.ask("Math.min(...[...document.querySelectorAll('figure svg')].map(svg => svg.clientWidth))") > 200
    )


def test_the_window_is_not_blank_in_the_light_and_in_the_dark(page: Path, tab: Tab) -> None:
    backgrounds = set()
    for scheme in ("light", "dark"):
        tab.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        assert distinct_lines(tab.screenshot()) > 150
        backgrounds.add(tab.ask("getComputedStyle(document.body).backgroundColor"))
        # The plots follow: ink on paper, never ink on ink. Only the heat map has colours of its own.
        inks = tab.ask(
            "[...document.querySelectorAll('figure:not([aria-label^=Heat]) svg text')]"
            ".map(text => getComputedStyle(text).fill)"
        )
        assert not backgrounds & set(inks)
    assert len(backgrounds) == 2


def distinct_lines(png: bytes) -> int:
    """How many different lines of pixels a PNG has: one or two when it is blank."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, colour = struct.unpack(">IIBB", png[16:26])
    assert depth == 8
    data, position = b"", 8
    while position < len(png):
        (length,) = struct.unpack(">I", png[position : position + 4])
        if png[position + 4 : position + 8] == b"IDAT":
            data += png[position + 8 : position + 8 + length]
        position += 12 + length
    stride = 1 + width * {2: 3, 6: 4}[colour]
    lines = zlib.decompress(data)
    assert len(lines) == stride * height
    return len({lines[start : start + stride] for start in range(0, len(lines), stride)})
