"""What strangers can put into a capture, or into its name, so that it would act in a page, a ticket or a terminal."""

from functools import cache

from msgspec.structs import replace

from pcapdiag.pipeline import Report
from tests.diagnosis.evidence.test_certificates import AT, DAY, certificate
from tests.diagnosis.scenarios import refusal
from tests.messages import COOKIE_I, ZERO, Wire, ke, message, notify, sa
from tests.report.reports import of_items

STRINGS = (
    "<script>canary()</script>",
    '"><img src=x onerror=canary()>',
    "</style></title></svg></code><script>canary()</script>",
    "]]><svg onload=canary()>",
    "' onmouseover='canary()' x='",
    "{{7*7}}{% raw %}${7*7}",
    "javascript:canary()",
    "[x](javascript:canary()) ![y](https://example.com/z.png) <https://example.com>",
    "@everyone #1 !2 :+1: GH-1 https://example.com www.example.com a@example.com",
    "` `` ``` ````",
    "~~~ *a* _b_ __c__ ~~d~~ $e$ ||f|| &lt; | g |",
    "# h",
    "1. i",
    "- j",
    "> k",
    "&#60;b&#62;\\",
)
"""Printable as they are: also an identity or a vendor ID shows them."""
UNPRINTABLE = ("\u202egnp.exe\u202c", "\x1b[2J\x1b]0;owned\x07", "\u009b31m", "a\nb\r\n\n# c", "\u200b\ufeff\x00")
"""Direction marks, terminal escapes, ends of lines, and what nobody sees."""


def identity(text: str) -> tuple[int, bytes]:
    """An ID payload with a name."""
    return 5, b"\x02\x00\x00\x00" + text.encode()


@cache
def of_hostile_capture(text: str) -> Report:
    """Of a capture in which the name of the file and all that can be said freely is that."""
    wire = Wire()
    octets = text.encode()
    vendors = [(13, octets), (13, b"OE-Libreswan-" + octets), (13, b"strongSwan " + octets)]
    cookies = (COOKIE_I, ZERO)
    first = message(4, [sa(), *ke(), identity(text), *vendors], cookies=cookies)
    second = message(4, [sa(), *ke(), identity(text), (8, bytes(20)), *vendors, notify(14, data=octets)])
    pem = certificate(AT, AT + DAY, issuer=text[:60].replace("\x00", "?") or "?")
    items = [
        wire.datagram(AT, first),
        wire.datagram(AT + 0.1, second, left=False),
        wire.datagram(AT + 0.2, message(4, [(8, bytes(20)), (6, b"\x04" + pem), *vendors])),
        wire.datagram(AT + 0.3, refusal(24), left=False),
        *(wire.datagram(AT + 40 + n, message(2, [sa(), *vendors], cookies=(bytes([n] * 8), ZERO))) for n in (1, 2)),
    ]
    return of_items(items, AT + 200, path=f"/tmp/{text}.pcap")


@cache
def of_hostile_words(text: str) -> Report:
    """Of the same, with that in the place of sentences, names and warnings too."""
    report = of_hostile_capture(STRINGS[0])
    found = []
    for d in report.diagnoses:
        peer = replace(d.exchange.responder, vendors=(text, text), identities=(text,), aliases=("192.0.2.7",))
        found.append(
            replace(
                d,
                exchange=replace(d.exchange, responder=peer),
                stop=replace(d.stop, reason=text),
                evidence=tuple(replace(e, text=text) for e in d.evidence),
                causes=tuple(
                    replace(c, says=text, cause=replace(c.cause, title=f"A {text}", decide=text)) for c in d.causes
                ),
            )
        )
    capture = replace(report.captures[0], summary=replace(report.captures[0].summary, path=text, warnings=(text,)))
    return replace(report, captures=(capture,), errors=(text,), diagnoses=tuple(found))
