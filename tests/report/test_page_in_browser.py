"""The HTML page in headless Chromium: sorting, filtering, copying, keyboard, narrow and dark, and hostile captures."""

import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pcapdiag.pipeline import Report, analyze
from tests import CAPTURES
from tests.browser import Browser, chromium, need_chromium
from tests.report.hostile import STRINGS, UNPRINTABLE, of_hostile_capture, of_hostile_words
from tests.report.reports import of_capture

WIDTHS = (360, 800, 1400)
FAILURES = ("mm5-udp-4500-blocked", "mm1-no-proposal-chosen", "ikev2-authentication-failed", "mm1-host-unreachable")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    need_chromium()
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


def shown(browser: Browser, folder: Path, report: Report, **how: Any) -> None:
    """Open the page of a report; it asks for nothing but itself, and has nothing to complain of."""
    page = folder / "page.html"
    page.write_text(report.to_html(), encoding="utf-8")
    browser.open(page, **how)
    calm(browser)


def calm(browser: Browser) -> None:
    browser.evaluate("0")
    assert [url for url in browser.requests if not url.endswith("/page.html")] == []
    assert browser.complaints == []


@pytest.fixture(scope="module")
def several() -> Report:
    names = ("mm1-no-reply", "completed-ipv6", "scan-main-mode", "ikev2-authentication-failed", "phase2-no-reply")
    return analyze([CAPTURES / f"{name}.pcap" for name in names])


def column(browser: Browser, number: int) -> list[str]:
    script = (
        f"Array.from(document.querySelectorAll('.rows tbody tr:not([hidden])'), r => r.cells[{number}].textContent)"
    )
    found: list[str] = browser.evaluate(script)
    return found


# --- the table -------------------------------------------------------------------------------------------------


def test_every_column_sorts_both_ways_by_mouse_and_keyboard(browser: Browser, folder: Path, several: Report) -> None:
    shown(browser, folder, several)
    count = browser.evaluate("document.querySelectorAll('.rows thead th').length")
    assert count == 10
    for number in range(count):
        head = f"document.querySelectorAll('.rows thead th')[{number}]"
        browser.evaluate(f"{head}.querySelector('button').click()")
        assert browser.evaluate(f"{head}.getAttribute('aria-sort')") == "ascending"
        up = column(browser, number)
        browser.evaluate(f"{head}.querySelector('button').focus()")
        browser.press("Enter")
        assert browser.evaluate(f"{head}.getAttribute('aria-sort')") == "descending"
        down = column(browser, number)
        keys = [int(text) if text.isdigit() else text for text in up]
        if all(isinstance(key, int) for key in keys):
            assert keys == sorted(keys, key=int)
        assert sorted(up) == sorted(down)
        assert down == up[::-1] or len(set(up)) < len(up)
        sorts = browser.evaluate("document.querySelectorAll('[aria-sort]:not([aria-sort=none])').length")
        assert sorts == 1
    calm(browser)


def test_rows_are_filtered_by_text_and_outcome(browser: Browser, folder: Path, several: Report) -> None:
    shown(browser, folder, several)
    total = len(column(browser, 0))
    assert total == browser.evaluate("document.querySelectorAll('article:not([hidden])').length") > 3

    def put(text: str) -> None:
        field = "document.querySelector('input[type=search]')"
        browser.evaluate(f"{field}.value = {json.dumps(text)}; {field}.dispatchEvent(new Event('input'))")

    put("ikev2")
    assert set(column(browser, 4)) == {"IKEv2"}
    assert browser.evaluate("document.querySelectorAll('article:not([hidden])').length") == len(column(browser, 0))
    assert browser.evaluate("document.querySelector('.shown').textContent") == f"1 of {total} rows shown"
    put("mm1 likely")
    assert all("MM1" in text for text in column(browser, 6))
    put("no such thing")
    assert column(browser, 0) == []
    put("")
    browser.evaluate("document.querySelector('input[value=completed]').click()")
    assert "completed" not in column(browser, 5)
    assert 0 < len(column(browser, 0)) < total
    browser.evaluate("document.querySelector('input[value=completed]').click()")
    assert len(column(browser, 0)) == total
    calm(browser)


def test_an_exchange_alone_has_nothing_to_sort(browser: Browser, folder: Path) -> None:
    shown(browser, folder, of_capture("mm5-udp-4500-blocked.pcap"))
    assert browser.evaluate("document.querySelectorAll('th button').length") == 0
    assert browser.evaluate("document.querySelector('form.filter').hidden")


# --- copying, marks, keyboard ----------------------------------------------------------------------------------


def test_commands_and_filters_are_copied(browser: Browser, folder: Path) -> None:
    report = of_capture("mm5-udp-4500-blocked.pcap")
    shown(browser, folder, report)
    browser.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    wanted = browser.evaluate("Array.from(document.querySelectorAll('.copied > code'), c => c.textContent)")
    assert "ike-scan -M --nat-t 10.2.0.2" in wanted
    assert {e.display_filter for e in report.diagnoses[0].evidence} <= set(wanted)
    for number, text in enumerate(wanted):
        browser.evaluate(f"document.querySelectorAll('button.copy')[{number}].click()")
        browser.wait(f"window.copied === {json.dumps(text)}")
    browser.wait("document.getElementById('said').textContent.startsWith('Copied: ')")
    browser.evaluate("navigator.clipboard.writeText = async () => { throw new Error('no'); }")
    browser.evaluate("document.execCommand = () => { window.copied = document.activeElement.value; return true; }")
    browser.evaluate("document.querySelector('button.copy').click()")
    browser.wait(f"window.copied === {json.dumps(wanted[0])}")
    calm(browser)


def test_evidence_lights_its_marks_on_hover_and_on_focus(browser: Browser, folder: Path) -> None:
    shown(browser, folder, of_capture("mm5-udp-4500-blocked.pcap"))
    lit = "Array.from(document.querySelectorAll('.ladder .on .name'), n => n.textContent)"
    assert browser.evaluate(lit) == []
    browser.point("#x1-E3 span")
    assert browser.evaluate(lit) == ["MM4"]
    browser.point("h1")
    assert browser.evaluate(lit) == []
    browser.evaluate("document.querySelector('#x1-E5 a').focus()")
    assert browser.evaluate(lit) == ["MM5"]
    browser.point(".ladder .rung:nth-of-type(4) .label")
    browser.evaluate("document.querySelector('.mark').dispatchEvent(new MouseEvent('click'))")
    assert browser.evaluate("document.activeElement.textContent") == "E3"


def test_everything_is_reached_by_keyboard(browser: Browser, folder: Path, several: Report) -> None:
    shown(browser, folder, several)
    browser.press("Tab")
    assert browser.evaluate("document.activeElement.textContent") == "Skip to the exchanges"
    assert browser.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    browser.press("Enter")
    browser.wait("document.activeElement.id === 'exchanges'")
    seen = []
    for _ in range(400):
        browser.press("Tab")
        name, outline = browser.evaluate(
            "[document.activeElement.className || document.activeElement.tagName,"
            " getComputedStyle(document.activeElement).outlineStyle]"
        )
        if name == "pcapdiag":
            break
        assert outline != "none", name
        seen.append(name)
    assert {"INPUT", "scroll", "BUTTON", "ref", "copy", "SUMMARY"} <= set(seen)


def test_a_screen_reader_finds_its_way(browser: Browser, folder: Path) -> None:
    shown(browser, folder, of_capture("mm5-udp-4500-blocked.pcap"))
    browser.call("Accessibility.enable")
    tree = browser.tree()
    browser.call("Accessibility.disable")
    roles = {role for role, _ in tree}
    assert {"main", "banner", "contentinfo", "article", "table", "caption", "columnheader", "heading"} <= {
        r.lower() for r in roles
    }
    (ladder,) = [name for role, name in tree if role == "image"]
    assert ladder.startswith("Ladder of exchange 1: Main Mode, initiator 10.1.0.2, responder 10.2.0.2")
    headings = [name for role, name in tree if role == "heading"]
    assert headings == [
        "mm5-udp-4500-blocked.pcap",
        "Exchange 1: Main Mode, 10.1.0.2 → 10.2.0.2",
        "The ladder",
        "What the wire shows",
        "What may be the cause",
        "What to check next",
        "What would decide",
    ]
    assert all(name for role, name in tree if role in ("button", "link", "region", "article", "table"))


def test_axe_finds_nothing(browser: Browser, folder: Path) -> None:
    where = find_spec("axe_core_python")
    if where is None or where.origin is None:
        pytest.skip("needs axe-core-python")
    axe = Path(where.origin).with_name("axe.min.js").read_text(encoding="utf-8")
    for name, width in (("phase2-no-reply", 1400), ("mm5-udp-4500-blocked", 390)):
        shown(browser, folder, of_capture(f"{name}.pcap"), width=width)
        browser.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        browser.evaluate(f"{axe}; 0")
        found = browser.evaluate(
            "axe.run().then(r => r.violations.map(v => [v.id, v.nodes[0].html, v.nodes[0].failureSummary]))"
        )
        assert found == [], width


# --- how it looks ----------------------------------------------------------------------------------------------

OVERFLOWS = """(() => {
  const wide = document.documentElement.scrollWidth > innerWidth;
  const out = Array.from(document.querySelectorAll('body *')).filter((e) => {
    const box = e.getBoundingClientRect();
    return box.right > innerWidth + 1 && !e.closest('.scroll') && box.width > 0;
  });
  return [wide, out.slice(0, 3).map((e) => e.outerHTML.slice(0, 200))];
})()"""

CONTRAST = """(() => {
  const channel = (v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const numbers = (c) => c.match(/[\\d.]+/g).map(Number);
  const light = (c) => { const [r, g, b] = numbers(c).map(channel); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if (numbers(c)[3] !== 0) return c;
    }
    return 'rgb(255, 255, 255)';
  };
  const poor = {};
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    if (e.closest('[hidden], script, title, desc')) continue;
    const style = getComputedStyle(e);
    const ink = e instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [light(ink), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor[`${e.tagName} ${e.getAttribute('class')} ${ink} on ${ground(e)}`] = ratio;
  }
  return poor;
})()"""


@pytest.mark.parametrize("name", FAILURES)
def test_it_fits_every_width_and_can_be_read_in_light_and_dark(browser: Browser, folder: Path, name: str) -> None:
    shown(browser, folder, of_capture(f"{name}.pcap"))
    browser.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    for width in WIDTHS:
        for dark in (False, True):
            browser.appear(width=width, dark=dark)
            assert browser.evaluate(OVERFLOWS) == [False, []], width
            assert browser.evaluate(CONTRAST) == {}, dark
    calm(browser)


def test_dark_is_dark(browser: Browser, folder: Path) -> None:
    shown(browser, folder, of_capture("mm5-lost.pcap"), dark=True)
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"
    browser.appear(dark=False)
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_several_exchanges_fit_every_width(browser: Browser, folder: Path, several: Report) -> None:
    shown(browser, folder, several)
    for width in WIDTHS:
        browser.appear(width=width)
        assert browser.evaluate(OVERFLOWS) == [False, []], width


def test_without_scripts_everything_is_there(browser: Browser, folder: Path, several: Report) -> None:
    shown(browser, folder, several, scripts=False)
    browser.call("DOM.enable")
    root = browser.call("DOM.getDocument")["root"]["nodeId"]
    words = browser.call("DOM.getOuterHTML", nodeId=root)["outerHTML"]
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert "What to check next" in words
    assert '<code data-what="command">' in words
    assert "<button" not in words
    assert '<form class="filter" role="search" aria-label="Filter the exchanges" hidden' in words


def test_it_prints_whole(browser: Browser, folder: Path) -> None:
    shown(browser, folder, of_capture("mm5-udp-4500-blocked.pcap"), dark=True)
    browser.call("Emulation.setEmulatedMedia", media="print", features=[])
    assert browser.evaluate("getComputedStyle(document.querySelector('button.copy')).display") == "none"
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    browser.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert browser.evaluate("document.querySelectorAll('details:not([open])').length") == 0
    browser.evaluate("dispatchEvent(new Event('afterprint'))")
    assert browser.evaluate("document.querySelectorAll('details[open]').length") == 0
    browser.call("Emulation.setEmulatedMedia", media="", features=[])
    file = folder / "page.pdf"
    browser.pdf(file)
    pages = len(re.findall(rb"/Type\s*/Page\b", file.read_bytes()))
    assert 2 <= pages <= 6


# --- nothing acts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [*STRINGS, *UNPRINTABLE])
def test_nothing_from_a_capture_acts(browser: Browser, folder: Path, text: str) -> None:
    for report in (of_hostile_capture(text), of_hostile_words(text)):
        page = folder / "page.html"
        # The canary is called by whatever gets through, were there no policy either.
        policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
        canary = "<script>window.sang = 0; function canary() { window.sang++; }</script>"
        page.write_text(policy.sub(canary, report.to_html(), count=1), encoding="utf-8")
        browser.open(page)
        browser.evaluate(
            "document.querySelectorAll('body *').forEach(e => e.dispatchEvent(new MouseEvent('mouseover')))"
        )
        browser.evaluate("new Promise(done => setTimeout(done, 0))")
        calm(browser)
        assert browser.evaluate("window.sang") == 0
        assert browser.evaluate("document.querySelectorAll('script').length") == 2
        assert browser.evaluate("document.querySelectorAll('img, iframe, object, link').length") == 0


def test_a_notebook_shows_it_in_the_theme_of_the_notebook(browser: Browser, folder: Path) -> None:
    report = of_capture("mm5-udp-4500-blocked.pcap")
    page = folder / "page.html"
    for theme, dark, ground in (
        ('data-jp-theme-light="true"', True, "rgb(255, 255, 255)"),
        ('data-jp-theme-light="false"', False, "rgb(20, 24, 29)"),
        ('data-vscode-theme-kind="vscode-dark"', False, "rgb(20, 24, 29)"),
        ("", True, "rgb(20, 24, 29)"),
        ("", False, "rgb(255, 255, 255)"),
    ):
        records = (report, report.diagnoses[0], report.diagnoses[0].exchange)
        parts = "".join(record._repr_html_() or "" for record in records)
        page.write_text(
            f"<!doctype html><meta charset=utf-8><title>t</title><body {theme}><p id=own>own</p>{parts}",
            encoding="utf-8",
        )
        browser.open(page, dark=dark)
        calm(browser)
        found = browser.evaluate("getComputedStyle(document.querySelector('.pcapdiag')).backgroundColor")
        assert found == ground, theme
        assert browser.evaluate("getComputedStyle(document.getElementById('own')).marginTop") == "16px"
        assert browser.evaluate("document.querySelectorAll('.pcapdiag [id]').length") == 0
        browser.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        assert browser.evaluate(CONTRAST) == {}, theme
