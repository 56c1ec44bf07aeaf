"""A headless browser for tests that open a page: driven through the DevTools protocol, no driver between."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--disable-dev-shm-usage", "--remote-debugging-port=0", "--remote-allow-origins=*",
)  # fmt: skip
PATIENCE_S = 60


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
