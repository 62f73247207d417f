"""The Markdown report: read by a library for GitHub's flavour, its structure holds, and nothing from the wire acts."""

import re
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pcapdiag.pipeline import Report, analyze
from pcapdiag.report import markdown
from pcapdiag.report.markdown import code, fenced, inline
from tests import CAPTURES
from tests.diagnosis.scenarios import TRUTH
from tests.report.hostile import STRINGS, UNPRINTABLE, of_hostile_capture, of_hostile_words
from tests.report.pages import peers
from tests.report.reports import of_capture

NAMES = [r["capture"] for r in TRUTH]
ALLOWED = {
    "heading_open", "paragraph_open", "bullet_list_open", "ordered_list_open", "list_item_open", "strong_open",
    "code_inline", "fence", "text", "inline", "softbreak",
}  # fmt: skip
"""What the report is made of; nothing from the wire may add to it."""


@cache
def reader() -> MarkdownIt:
    """GitHub's flavour, with HTML and everything else that could act turned on."""
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def tokens(text: str) -> list[Any]:
    """All of them, those inside of lines too."""
    found = []
    for token in reader().parse(text):
        found.append(token)
        found += token.children or ()
    return found


def kinds(text: str) -> set[str]:
    return {t.type for t in tokens(text) if not t.type.endswith("_close")}


def read(text: str) -> str:
    """What somebody reads, without the markup."""
    return " ".join(" ".join(t.content for t in tokens(text) if t.type in ("text", "code_inline", "fence")).split())


def structure(text: str) -> list[str]:
    """The blocks, in order."""
    return [t.type for t in reader().parse(text)]


# --- what it says ----------------------------------------------------------------------------------------------


def test_a_stalled_exchange() -> None:
    report = of_capture("mm5-udp-4500-blocked.pcap")
    text = markdown.render(report)
    assert "### Exchange 1: Main Mode, 10.1.0.2 → 10.2.0.2\n" in text
    assert "**STALLED after MM5**: initiator MM_WAIT_MSG6, responder MM_WAIT_MSG5 or MM_ACTIVE\n" in text
    assert "MM5 was sent; MM6 was not seen. (E1: frames 7, 8, 11, 12, 14, 19)\n" in text
    assert "- **likely**: UDP 4500 is filtered on the path (`udp-4500-blocked`, MM_WAIT_MSG6 item 1" in text
    (ladder,) = [t.content for t in tokens(text) if t.type == "fence" and "MM1" in t.content]
    assert "✗ MM6 from the responder was not seen" in ladder
    commands = [t.content.strip() for t in tokens(text) if t.type == "fence"][1:]
    assert "ike-scan -M --nat-t 10.2.0.2" in commands
    assert text.startswith("`")
    assert text.endswith("\n")


def test_everything_that_a_report_says_is_read_back() -> None:
    for name in NAMES:
        report = of_capture(name)
        text = read(markdown.render(report))
        for d in report.diagnoses[:1]:
            assert " ".join(d.stop.reason.split()) in text
            for ranked in d.causes:
                assert ranked.cause.title in text
                assert all(i in text for i in (*ranked.because, *ranked.against))


def test_it_is_made_of_few_things() -> None:
    for name in NAMES:
        assert kinds(markdown.render(of_capture(name))) <= ALLOWED, name


def test_plain_sentences_stay_plain() -> None:
    for text in (
        "MM5 was sent 6 times; in the 150.0 s after the first no MM6 was seen. (frames 7, 8, 11–14, 19)",
        "likely: the initiator's MM_WAIT_MSG6 × 1.8ⁿ, at 09:02:01.219 UTC → 10.2.0.2",
        "(frames 2:3, 10:4–6) 1. (so)",
    ):
        assert inline(text) == text


def test_no_exchange_and_several() -> None:
    assert "12 ARP" in read(markdown.render(of_capture("no-ike-arp-only.pcap")))
    both = markdown.render(analyze([CAPTURES / "mm1-no-reply.pcap", CAPTURES / "completed-ipv6.pcap"]))
    assert "2 exchanges in 2 conversations: 1 stalled, 1 completed" in both
    assert both.count("\n### Exchange ") == 2
    assert "(E1: frames 1:3–7, 1:10)" in both


def test_it_fits_into_a_comment() -> None:
    text = markdown.render(peers(1200))
    assert len(text) <= 65_536
    assert "**More exchanges**" in text
    assert re.search(r"^- and \d+ more that ended otherwise or between others$", text, re.MULTILINE)
    told = len(re.findall(r"^### ", text, re.MULTILINE))
    listed = len(re.findall(r"^- 10\.", text, re.MULTILINE))
    (left,) = map(int, re.findall(r"^- and (\d+) more that", text, re.MULTILINE))
    assert told + listed + left == 1200


# --- nothing acts ----------------------------------------------------------------------------------------------


def _reports(text: str) -> tuple[Report, Report]:
    return of_hostile_capture(text), of_hostile_words(text)


@pytest.mark.parametrize("text", [*STRINGS, *UNPRINTABLE])
def test_hostile_octets_stay_text(text: str) -> None:
    for hostile, plain in zip(_reports(text), _reports("plain"), strict=True):
        made = markdown.render(hostile)
        assert kinds(made) <= ALLOWED
        assert structure(made) == structure(markdown.render(plain))
        assert all(c.isprintable() for c in made.replace("\n", ""))
        outside = " ".join(t.content for t in tokens(made) if t.type == "text")
        for acts in ("@", "#", "://", "www.", "$", "<", "[", "::", "GH-", "|", "!2"):
            assert acts not in outside, acts


@given(st.text())
def test_any_text_is_one_line_that_reads_as_it_is(text: str) -> None:
    made = inline(text)
    assert "\n" not in made
    found = tokens(f"- {made}\n")
    assert {t.type for t in found} <= {
        "bullet_list_open", "list_item_open", "paragraph_open", "inline", "text", "code_inline", "paragraph_close",
        "list_item_close", "bullet_list_close",
    }  # fmt: skip
    said = "".join(t.content for t in found if t.type in ("text", "code_inline"))
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
    assert said.replace(" ", "") == shown.replace(" ", "")


@given(st.lists(st.text(), min_size=1))
def test_a_code_block_ends_where_it_is_to_end(lines: list[str]) -> None:
    found = reader().parse("\n".join(fenced(lines)) + "\n")
    assert [t.type for t in found] == ["fence"]


@given(st.text(alphabet="` a", min_size=1))
def test_a_code_span_ends_where_it_is_to_end(text: str) -> None:
    found = [t for t in tokens(code(text)) if t.type == "code_inline"]
    if text.strip():
        assert [t.content.strip() for t in found] == [text.strip()]
