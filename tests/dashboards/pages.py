"""An HTML page as its reader has it, for the tests of the report and of the page of runs."""

from __future__ import annotations

import re
from html.parser import HTMLParser


class Page(HTMLParser):
    """Text, addresses and labels of figures of an HTML page; AssertionError where tags do not match."""

    VOID = ("meta", "link", "br", "img", "input", "hr")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.addresses, self.figures, self._open = "", [], set(), []  # type: ignore[var-annotated]
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        self.addresses += [named[name] for name in ("src", "href", "xlink:href", "action") if named.get(name)]
        if tag == "figure":
            assert named["aria-label"]
            self.figures.add(named["data-figure"])
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.text += data + " "

    def says(self) -> str:
        return re.sub(r"\s+", " ", self.text)
