"""Whether an IKE_AUTH response has room for a Child SA: captures of both kinds, and every size around the limit."""

import pytest

from pcapdiag.capture.datagram import EspFlow, Frame
from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.tunnel import TunnelState
from pcapdiag.diagnosis.verdict import Diagnosis, diagnose
from pcapdiag.knowledge.records import Status
from pcapdiag.pipeline import analyze
from tests import CAPTURES
from tests.diagnosis.scenarios import COOKIES, fact, ikev2, kinds, only
from tests.messages import LEFT, RIGHT, SECOND, Wire, message

INIT, AUTH, CREATE, INFORM = 34, 35, 36, 37
IDR, AUTHENTICATION, NOTIFY, EAP = 36, 39, 41, 48
KIND = "ike-auth-without-child"
SA = bytes.fromhex("0000002c010100040300000c0100000c800e0100030000080300000c0300000802000005000000080400000e")
"""One proposal: AES-CBC-256, HMAC-SHA2-256-128, HMAC-SHA2-256, modp2048."""
PROOF = 8 + 8 + 32
NEED = PROOF + 24 + 48
"""IDr, AUTH made with SHA2-256, SA, and two traffic selectors."""


def opening(*, request: bool) -> bytes:
    """IKE_SA_INIT with that proposal."""
    payloads = [(33, SA), (34, bytes(260)), (40, bytes(32))]
    spis = (COOKIES[0], bytes(8)) if request else COOKIES
    return message(INIT, payloads, version=0x20, flags=0x08 if request else 0x20, cookies=spis)


def with_answer(
    octets: int, inner: int = IDR, *after: tuple[float, bytes, bool], end: float = 60, asks: int = 200
) -> Diagnosis:
    """IKE_SA_INIT, and IKE_AUTH whose response has so many octets inside SK, vector and check value included."""
    wire = Wire()
    rows = [
        (0.0, opening(request=True), True),
        (0.1, opening(request=False), False),
        (0.2, ikev2(AUTH, request=True, number=1, octets=asks), True),
        (0.3, ikev2(AUTH, request=False, number=1, inner=inner, octets=octets), False),
        *after,
    ]
    return only([wire.datagram(at, octets, left=left) for at, octets, left in rows], end)


@pytest.mark.parametrize("name", ["ikev2-esp-proposal-refused.pcap", "ikev2-networks-refused.pcap"])
def test_a_child_that_was_refused_shows_by_the_size(name: str) -> None:
    found = analyze(CAPTURES / name).diagnoses[0]
    assert found.completed
    assert "room for 95 octets" in fact(found, KIND).text
    assert [c.cause.id for c in found.causes if c.leads] == ["phase2-proposal-mismatch", "phase2-selector-mismatch"]


@pytest.mark.parametrize("name", ["ikev2-completed.pcap", "ikev2-cookie.pcap", "ikev2-certificates-fragments.pcap"])
def test_a_child_that_was_made_has_room(name: str) -> None:
    for found in analyze(CAPTURES / name).diagnoses:
        assert KIND not in kinds(found)


@pytest.mark.parametrize("octets", range(PROOF + 20, NEED + 60))
def test_every_size(octets: int) -> None:
    """The vector of AES-CBC takes 16 octets, the check value 16, the padding one at least."""
    found = kinds(with_answer(octets))
    assert (KIND in found) == (PROOF <= octets - 33 < NEED)
    assert ("v2-auth-refused" in kinds(with_answer(octets, NOTIFY))) == (octets - 33 < PROOF + 8)
    assert ("eap-stops" in found) == (octets - 33 < PROOF)


def test_the_last_answer_of_eap_has_no_identity() -> None:
    assert KIND in kinds(with_answer(NEED - 8 + 32, AUTHENTICATION))
    assert KIND not in kinds(with_answer(NEED - 8 + 33, AUTHENTICATION))
    assert KIND not in kinds(with_answer(60, EAP))


def test_a_notify_that_comes_first_takes_its_own_room() -> None:
    """Behind it IDr and AUTH have to fit as well, so a refusal with a long text in it is none of those."""
    assert "v2-auth-refused" in kinds(with_answer(PROOF + 8 + 32, NOTIFY))
    assert "v2-auth-refused" not in kinds(with_answer(PROOF + 8 + 33, NOTIFY))
    assert KIND in kinds(with_answer(NEED + 8 + 32, NOTIFY))
    assert KIND not in kinds(with_answer(NEED + 8 + 33, NOTIFY))


def test_while_eap_may_go_on_nothing_is_said() -> None:
    """An initiator that wants EAP leaves AUTH out of its first request, which is small then (RFC 7296 §2.16)."""
    assert KIND not in kinds(with_answer(100, asks=40))
    assert KIND in kinds(with_answer(100))


def test_a_child_that_was_made_later_counts() -> None:
    later = [(1.0, ikev2(CREATE, request=True, number=2), True), (1.1, ikev2(CREATE, request=False, number=2), False)]
    assert KIND not in kinds(with_answer(100, IDR, *later))
    assert KIND in kinds(with_answer(100, IDR, *later[:1]))


@pytest.mark.parametrize(("after", "expected"), [(1, False), (-1, True)])
def test_esp_that_flows_shows_a_child(after: float, expected: bool) -> None:
    exchange = with_answer(100).exchange
    time = exchange.last_time + round(after * SECOND)
    flow = EspFlow(LEFT, RIGHT, 4500, 4500, 7, 3, Frame(0, 9), Frame(0, 12), time, time + 10)
    found = diagnose([exchange], exchange.last_time + 60 * SECOND, esp=[flow])
    assert (KIND in kinds(found[0])) == expected


def test_without_the_negotiated_algorithms_no_size_tells() -> None:
    """What is around the payloads is not known: a refusal can be as long as a proof without a Child SA."""
    for octets in (33 + 52, NEED - 16, NEED - 15):
        found = _of_unknown_algorithms(IDR, octets)
        assert KIND not in kinds(found)
        assert found.tunnel.state is TunnelState.UNKNOWN


def test_a_childless_request_is_refused_no_child() -> None:
    """RFC 6023 §3: without SA, TSi and TSr in the request none is due in the answer."""
    assert KIND in kinds(with_answer(100))
    assert KIND not in kinds(with_answer(100, asks=100))


def test_a_child_that_was_answered_counts_without_its_request() -> None:
    answered = (1.1, ikev2(CREATE, request=False, number=2), False)
    refused = (1.1, ikev2(CREATE, request=False, number=2, inner=41), False)
    asked = (1.0, ikev2(CREATE, request=True, number=2), True)
    assert KIND not in kinds(with_answer(100, IDR, answered))
    assert KIND in kinds(with_answer(100, IDR, asked, refused))


def _of_unknown_algorithms(inner: int, octets: int) -> Diagnosis:
    """A capture that was cut short does not hold the proposals; the size of the answer is known all the same."""
    wire = Wire()
    rows = [
        (0.0, ikev2(INIT, request=True), True),
        (0.1, ikev2(INIT, request=False), False),
        (0.2, ikev2(AUTH, request=True, number=1), True),
        (0.3, ikev2(AUTH, request=False, number=1, inner=inner, octets=octets), False),
    ]
    return only([wire.datagram(at, octets, left=left) for at, octets, left in rows], 60)


def test_a_small_answer_of_unknown_algorithms_may_refuse_all_of_it() -> None:
    """44 octets: a Notify with a vector and a check value around it, or IDr and AUTH with less around them."""
    found = _of_unknown_algorithms(NOTIFY, 44)
    assert found.stop.outcome is Outcome.INCONCLUSIVE
    assert KIND not in kinds(found)
    assert fact(found, "ike-auth-may-be-refused").frames == found.stop.frames
    leads = [(c.cause.id, c.status) for c in found.causes if c.leads]
    assert leads[0] == ("psk-mismatch", Status.POSSIBLE)
    assert {status for _, status in leads} == {Status.POSSIBLE}
    assert "phase2-proposal-mismatch" in dict(leads)


def test_an_answer_that_begins_with_an_identity_accepts() -> None:
    assert "ike-auth-may-be-refused" not in kinds(_of_unknown_algorithms(IDR, 44))
