"""The report in a real Chromium: every plot is drawn, nothing is asked of the network, nothing overflows."""

from __future__ import annotations

import itertools
import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboards.language import LANGUAGES, Language
from dashboards.plots.rfm import SEGMENT_COLOURS
from dashboards.published import read
from dashboards.report import render
from tests.browser import Tab
from warehouse import Settings, open_warehouse, schema

# Marks that can be pointed at in the figures whose number the planted bank fixes.
MARKS = {
    "value_tiers": 3,
    "churn": 6,  # three bars, three marks of the plan
    "pyramid_personal": 4,
    "pyramid_small_business": 3,  # nobody is important
    "migration": 24,  # fifteen ribbons, five nodes on the left, four on the right
    "moved_share": 8,
    "flip_back_rate": 8,
    "history": 15,
    "lorenz": 26,  # eleven points and two marks a curve
    "rfm": 26,  # twenty-five cells and the inactive
    "segments": 3,
    "gains": 22,
    "lift": 10,
    "churn_months": 84,  # sixty parts of 24 months, a point a month
    "churn_tiers": 9,
    "churn_index": 12,
    "churn_reasons": 5,
    "churn_destinations": 3,
    "risk_index": 40,
    "risk_points": 50,
    "risk_bands": 15,
    "reasons": 18,
    "loss": 9,
    "waterfall": 7,  # five reasons between two ends
    "index_points": 19,  # ten means; sex has no points, and a bar without length is no mark
    "model_auc": 3,
    "model_empc": 3,
    "groups_auc": 8,
    "groups_tpr": 8,
    "drift": 32,
    "matured_auc": 3,
    "matured_calibration_slope": 3,
    "fairness": 8,
}


@pytest.fixture(scope="module")
def reports(plant: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The report of the planted bank, a file a language."""
    folder = tmp_path_factory.mktemp("browser")
    settings = Settings(home=folder / "home", target="duckdb")
    with open_warehouse(settings) as wh:
        schema.init(wh)
    plant(settings)
    with open_warehouse(settings) as wh:
        published = read(wh)
    pages = {code: folder / f"report-{code}.html" for code in LANGUAGES}
    for code, out in pages.items():
        out.write_text(render(published, Language(code)), encoding="utf-8")
    return pages


@pytest.fixture(params=LANGUAGES)
def page(request: pytest.FixtureRequest, reports: dict[str, Path], tab: Tab) -> Path:
    """The report in each language, freshly opened in the tab on a desktop's screen."""
    tab.resize(1280, 900)
    tab.open(reports[request.param].as_uri())
    return reports[request.param]


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
  // Letters of two labels may not lie on each other. A line's box is higher than its letters: trimmed.
  const boxes = [...svg.querySelectorAll('text')].map(text => {
    const at = text.getBoundingClientRect(), trim = Math.min(at.height, at.width) / 5;
    return {text: text.textContent, left: at.left + trim, right: at.right - trim, top: at.top + trim,
            bottom: at.bottom - trim};
  }).filter(at => at.right > at.left && at.bottom > at.top);
  const overlapping = boxes.flatMap((a, i) => boxes.slice(i + 1)
    .filter(b => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
    .map(b => a.text + ' | ' + b.text));
  return {name: figure.dataset.figure, label: figure.getAttribute('aria-label'),
          overlapping, texts: boxes.length,
          caption: figure.querySelector('figcaption').textContent,
          width: box.width, height: box.height, marks: marks.length,
          titles: marks.filter(mark => mark.querySelector('title')).length,
          cut: cut.map(text => text.textContent)};
})
"""


@pytest.mark.parametrize("width", [1280, 390])
def test_every_plot_is_drawn_with_marks_and_whole_labels(page: Path, tab: Tab, width: int) -> None:
    tab.resize(width, 900)
    figures = tab.ask(DRAWN)
    assert len(figures) == len(MARKS) + 2
    for figure in figures:
        assert figure["width"] > 250, figure
        assert figure["height"] > 50, figure
        assert figure["marks"] >= 3, figure
        assert figure["titles"] == figure["marks"], figure
        assert figure["cut"] == [], figure
        assert figure["overlapping"] == [], figure
        assert figure["texts"] >= 3, figure
        assert figure["label"], figure
        assert figure["caption"].strip(), figure
    marks = {figure["name"]: figure["marks"] for figure in figures}
    assert {name: marks[name] for name in MARKS} == MARKS


def test_labels_on_each_other_and_cut_off_would_be_seen(page: Path, tab: Tab) -> None:
    tab.ask(
        "(() => {const [first, second] = document.querySelectorAll('[data-figure=value_tiers] text');"
        " second.parentNode.appendChild(first.cloneNode(true)); first.setAttribute('transform',"
        " 'translate(-400, 0)'); return true;})()"
    )
    figure = next(figure for figure in tab.ask(DRAWN) if figure["name"] == "value_tiers")
    assert figure["cut"]
    tab.ask(
        "(() => {const text = document.querySelector('[data-figure=churn] text');"
        " text.parentNode.appendChild(text.cloneNode(true)); return true;})()"
    )
    figure = next(figure for figure in tab.ask(DRAWN) if figure["name"] == "churn")
    assert figure["overlapping"]


# Draws letters one by one in the page's font; how many different pictures come out. A font that lacks letters
# draws the same box for each of them.
PICTURES = """
(letters => {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 40;
  const context = canvas.getContext('2d', {willReadFrequently: true});
  context.font = '32px ' + getComputedStyle(document.body).fontFamily;
  return new Set([...letters].map(letter => {
    context.clearRect(0, 0, 40, 40);
    context.fillText(letter, 2, 32);
    return context.getImageData(0, 0, 40, 40).data.join();
  })).size;
})
"""


def test_every_chinese_letter_has_a_glyph(reports: dict[str, Path], tab: Tab) -> None:
    tab.open(reports["zh"].as_uri())
    letters = tab.ask("[...new Set(document.body.textContent.match(/[\\u4e00-\\u9fff]/g))].join('')")
    assert len(letters) > 200
    if tab.ask(f"{PICTURES}('客户价值')") == 1 and not os.environ.get("CI"):
        pytest.skip("no font with Chinese letters is installed: `make browser` installs one where it can")
    assert tab.ask(f"{PICTURES}({json.dumps(letters)})") == len(letters)
    # Code points that no font has a letter for: all one box.
    assert tab.ask(f"{PICTURES}('\\ufdd0\\ufdd1\\ufdd2')") == 1


def test_the_pyramid_is_a_pyramid(page: Path, tab: Tab) -> None:
    bars = tab.ask(
        "[...document.querySelectorAll('[data-figure=value_tiers] .mark')]"
        ".map(mark => mark.getBoundingClientRect())"
        ".map(box => [box.top, box.width, box.left + box.width / 2])"
    )
    tops, widths, middles = zip(*sorted(bars), strict=True)
    assert len(bars) == 3
    assert widths[0] < widths[1] < widths[2]
    assert max(middles) - min(middles) < 1
    assert len(set(tops)) == 3


def test_the_flow_leaves_no_customer_out(page: Path, tab: Tab) -> None:
    heights = tab.ask(
        "[...document.querySelectorAll('[data-figure=migration] .mark')]"
        ".map(mark => [mark.textContent, mark.getBoundingClientRect()])"
        ".map(([text, box]) => [text, box.height, box.left])"
    )
    nodes = [(left, height) for text, height, left in heights if "→" not in text]
    columns = [[height for at, height in nodes if at == left] for left in sorted({left for left, _ in nodes})]
    assert [len(column) for column in columns] == [5, 4]
    assert sum(columns[0]) == pytest.approx(sum(columns[1]), abs=3)


def test_each_scheme_has_one_lane_and_its_bars_follow_each_other(page: Path, tab: Tab) -> None:
    bars = tab.ask(
        "[...document.querySelectorAll('[data-figure=history] .mark')]"
        ".map(mark => mark.getBoundingClientRect())"
        ".map(box => [Math.round(box.top), box.left, box.right])"
    )
    lanes = {top: sorted(bar[1:] for bar in bars if bar[0] == top) for top in {bar[0] for bar in bars}}
    assert sorted(len(lane) for lane in lanes.values()) == [1, 2, 2, 3, 3, 4]
    for lane in lanes.values():
        for (_, right), (left, _) in itertools.pairwise(lane):
            assert abs(left - right) < 2
        assert lane[0][0] == pytest.approx(min(lane[0][0] for lane in lanes.values()), abs=2)
        assert lane[-1][1] == pytest.approx(max(lane[-1][1] for lane in lanes.values()), abs=2)


def test_each_reason_of_a_score_starts_where_the_one_before_ends(page: Path, tab: Tab) -> None:
    bars = tab.ask(
        "[...document.querySelectorAll('[data-figure=waterfall] .mark')]"
        ".map(mark => mark.getBoundingClientRect())"
        ".map(box => [box.top, box.left, box.right])"
    )
    first, *reasons, last = [bar[1:] for bar in sorted(bars)]
    ends = [sum(first) / 2, *(right for _, right in reasons), sum(last) / 2]
    for (left, _), before in zip(reasons, ends, strict=False):
        assert left == pytest.approx(before, abs=2)
    assert ends[-1] == pytest.approx(ends[-2], abs=2)
    lengths = [right - left for left, right in reasons]
    assert lengths == sorted(lengths, reverse=True)


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
        # The plots follow: ink on paper, never ink on ink. Only words on filled cells have inks of their own.
        inks = tab.ask(
            "[...document.querySelectorAll('figure svg text')]"
            ".filter(text => !text.closest('[data-figure=rfm], [data-figure=history]'))"
            ".filter(text => !text.closest('[data-figure=risk_points]'))"
            ".map(text => getComputedStyle(text).fill)"
        )
        assert not backgrounds & set(inks)
    assert len(backgrounds) == 2


# For words that lie on a filled mark: the contrast of both colours by the rule of WCAG 2.
CONTRASTS = """
(name => {
  const light = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(part => part / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
  const figure = document.querySelector(`[data-figure=${name}]`);
  const marks = [...figure.querySelectorAll('.mark')].map(mark => [mark, mark.getBoundingClientRect()]);
  return [...figure.querySelectorAll('text')].flatMap(text => {
    const at = text.getBoundingClientRect(), x = (at.left + at.right) / 2, y = (at.top + at.bottom) / 2;
    return marks.filter(([, box]) => box.left < x && x < box.right && box.top < y && y < box.bottom)
      .map(([mark]) => [light(getComputedStyle(text).fill), light(getComputedStyle(mark).fill)])
      .map(([a, b]) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
  });
})
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("figure", "words"), [("rfm", 26), ("history", 8), ("risk_points", 50)])
def test_words_on_filled_cells_can_be_read(
    page: Path, tab: Tab, scheme: str, figure: str, words: int
) -> None:
    tab.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    contrasts = tab.ask(f"{CONTRASTS}({figure!r})")
    assert len(contrasts) >= words
    assert min(contrasts) >= 4.5


def test_the_colours_of_all_segments_carry_their_ink() -> None:
    assert len(SEGMENT_COLOURS) == 12
    assert len({fill for fill, _ in SEGMENT_COLOURS.values()}) == 12
    for segment, (fill, ink) in SEGMENT_COLOURS.items():
        light, dark = sorted(map(luminance, (fill, ink)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, segment


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb by WCAG 2."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


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
