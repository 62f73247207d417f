"""Every debug block of the source document, read to its state and cause; where the document is at hand."""

import io
from pathlib import Path

import pytest

from pcapdiag.logs.judging import LogDiagnosis
from pcapdiag.logs.log import read_log

DOCUMENT = Path(__file__).parents[2].parent / "shared" / "seeds"
pytestmark = pytest.mark.skipif(not DOCUMENT.is_dir(), reason="the source document is not here")


def document() -> str:
    return "".join(path.read_text() for path in sorted(DOCUMENT.iterdir()))


def block(begin: str, end: str) -> LogDiagnosis:
    text = document()
    at = text.index(begin)
    (found,) = read_log(io.BytesIO(text[at : text.index(end, at)].encode())).diagnoses
    return found


@pytest.mark.parametrize(
    ("begin", "end", "outcome", "tunnel", "states", "causes"),
    [
        ("EXAMPLE PHASE 1 POLICIES DONT MATCH", "MM_WAIT_MSG4", "rejected", "down", ("MM_WAIT_MSG2",),
         {"phase1-policy-mismatch": "likely"}),
        ("EXAMPLE PHASE 1 PRE SHARED KEYS DONT MATCH", "ISAKMP SA MESSAGE STATES (On the Resp", "rejected", "down",
         ("MM_WAIT_MSG6",), {"psk-mismatch": "likely"}),
        ("MESSAGE 1 (Leaving the Initiator)", "Note: You can debug", "completed", "unknown", ("MM_ACTIVE",), {}),
        ("Feb 29 11:49:08", "This was due to more", "completed", "no-child", ("MM_ACTIVE",),
         {"phase2-selector-mismatch": "confirmed", "phase2-proposal-mismatch": "possible"}),
        ("Apr 19 16:36:10", "The ASA did not like", "rejected", "down", ("MM_BLD_MSG6",),
         {"identity-mismatch": "confirmed"}),
        ("%ASA-3-717009", "The ASA did not like", "rejected", "down", (), {"certificate-rejected": "confirmed"}),
        ("Feb 17 12:25:17", "Amazingly", "stalled", "down", ("MM_WAIT_MSG5", "MM_WAIT_MSG6"),
         {"psk-mismatch": "likely", "pfs-mismatch": "possible"}),
    ],
)  # fmt: skip
def test_a_block(
    begin: str, end: str, outcome: str, tunnel: str, states: tuple[str, ...], causes: dict[str, str]
) -> None:
    d = block(begin, end)
    assert (d.outcome.value, d.tunnel, d.states) == (outcome, tunnel, states)
    found = {c.cause.id: c.status.value for c in d.causes if c.leads}
    assert causes.items() <= found.items()
    if causes:
        assert next(iter(found)) == next(iter(causes))


def test_message_by_message() -> None:
    d = block("MESSAGE 1 (Leaving the Initiator)", "Note: You can debug")
    assert [(m.name, m.direction, m.length) for m in d.exchange.messages] == [
        ("MM1", "sent", 168),
        ("MM2", "received", 117),
        ("MM3", "sent", 256),
        ("MM4", "received", 228),
        ("MM5", "sent", 84),
        ("MM6", "received", 64),
    ]
    assert d.exchange.role == "initiator"


def test_the_whole_page_is_seven_exchanges_or_less() -> None:
    report = read_log(io.BytesIO(document().encode()))
    assert len(report.diagnoses) == 6  # the lines about key usage have no time and no peer: they go with those before
    assert [d.outcome.value for d in report.diagnoses].count("completed") == 2
