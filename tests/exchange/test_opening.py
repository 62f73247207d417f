"""Which key and which initialization vector a message has: the lab's captures, and Wireshark's own test captures."""

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pcapdiag.capture.savefile import Savefile
from pcapdiag.exchange.model import Exchange, Step
from pcapdiag.exchange.opening import open_exchange
from pcapdiag.exchange.tracker import Tracker
from pcapdiag.ike.decryption_keys import KeyTable, KeyV1, parse_table
from pcapdiag.ike.message import Header, parse
from pcapdiag.ike.payloads_sealed import Authentication
from pcapdiag.key_tables import read_tables
from tests import CAPTURES, SHARED

LAB = SHARED / "lab"
WIRESHARK = SHARED / "third-party" / "wireshark-wireshark"
KEYED = sorted(path for folder in LAB.glob("*/keys") for path in folder.parent.glob("*.pcap*"))


def exchanges(path: Path) -> list[Exchange]:
    tracker = Tracker()
    for item in Savefile(path):
        tracker.feed(item)
    return list(tracker.exchanges())


def opened(path: Path, table: KeyTable) -> list[Exchange]:
    return [open_exchange(e, table) for e in exchanges(path)]


def sealed(found: list[Exchange]) -> list[Step]:
    return [s for e in found for s in e.steps if s.encrypted]


@pytest.mark.parametrize("name", [p.name for p in sorted(CAPTURES.glob("*.pcap*"))])
def test_the_projects_keys_open_the_projects_captures(name: str) -> None:
    table = read_tables([CAPTURES / "keys"])
    found = [s for s in sealed(opened(CAPTURES / name, table)) if s.opened or s.unopened]
    if name in ("completed-psk-snapped.pcap", "mm5-fragments-dropped.pcap"):
        return
    assert [s.unopened for s in found if s.unopened] == []
    assert all(s.opened.problem is None for s in found if s.opened)


@pytest.mark.skipif(not KEYED, reason="needs the lab captures beside the checkout")
@pytest.mark.parametrize("path", KEYED, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_every_lab_capture_opens_with_its_keys(path: Path) -> None:
    found = sealed(opened(path, read_tables([path.parent / "keys"])))
    if "snap96" in path.name:
        assert all(s.unopened for s in found)
        return
    assert [(s.name, s.unopened) for s in found if not s.opened] == []


# --- Wireshark's test captures, with the tables of its public test suite (test/config/*.tmpl) -------------------

TABLE_V1 = """
fafaeb49382a763c,735be0cb62f82675c4f7bf8fbab9b56834ba76d6ab4fa240
29f6006212625def,c26a81baec6070d289f0b4f13c2fb182e3d5406d11c29ebc2fc179502541325b
"""
TABLE_V2 = "\n".join(
    ",".join(row)
    for row in [
        (
            "19ab98963486359f,78f13157ccd3b3d8",
            "2e0e194070fc658c2bfbfdbf8b956be4b2eaa33d02a43cca,219f3080e631774b8d5836d3a675b099b1e271c9bdcf6e15",
            '"3DES [RFC2451]"',
            "c96f5bad08aebbff60509c7495f11c183818b916,e742ac415cdfdd709c9de92769a169e0a5224f79",
            '"HMAC_SHA1_160 [RFC4595]"',
        ),
        (
            "ea684d21597afd36,d9fe2ab22dac23ac",
            "be83fe15f6a9976941870830fe26c014b863b3,79e0f4476861a76e64329e787b1c4ff38d732f",
            '"AES-CCM-128 with 12 octet ICV [RFC5282]",,,"NONE [RFC4306]"',
        ),
        (
            "a2926ae833c6f138,5464c57d0dc5e272",
            "5daf82e6fd7e57d5fbf76cd5af73fd46035db0bc,68848f4a7602b20c7d033cc998b0c097032ac38a",
            '"AES-CTR-128 [RFC5930]",,,"ANY 96-bits of Authentication [No Checking]"',
        ),
        (
            "81f24c0acd8fa55c,192383172724c706",
            "aaa06839eaf0959d486eeecda7a48b23080963b5fd7217928e8fbf58",
            "92dc96ec87076caa84e26b3621c7c469427e2e4bcc1b962362a3dde3",
            '"AES-CTR-192 [RFC5930]"',
            "65777be31ee2137f31cf23fa0ee834dfede11cc0adc9a84541026642c09df2bf"
            "96056a2036e97a67ce7d3c5b6f37e17e8fe64f4ef23e14f5997fb7671df3adaf",
            "42abd4709f1b94fd8c2270c74aae3fbe61c0b9c109c55f3e3b9ed7e480bc75c3"
            "985c15234caa623c8ca0606c303921d7cfd44861df1e798370b2ee95fe712e52",
            '"HMAC_SHA2_512_256 [RFC4868]"',
        ),
        (
            "191ccd371a7a1f7b,bc123d15e4af593f",
            "9096ddd2933620e8f48122c53a3f562cb0222c1cf97ce41fcc874ea2582a89ac",
            "6718c6b2bbef2f234eac4c13832f885d87b574afd2af0111161e99b5dc61b4d4",
            '"AES-CBC-256 [RFC3602]"',
            "12d532c3e83c757906af548dfe1ccf223ca5507af77898454e2d55c8ace57a17",
            "30c4ead18c93024b58a86c1e3db60f550221801026853170b4cb0248d3a95329",
            '"HMAC_SHA2_256_128 [RFC4868]"',
        ),
        (
            "cd7ae76304b277e2,74f6080ed799d463",
            "daa0a85a81e6adda7b8c568f1c4cfaa6e9f9edb242e9895f012caaa642eacf4d004903",
            "e02281ba4bb8ed20321faff956b95ce7f841b3039984dad4ed4625e77743fce4a04f32",
            '"AES-CCM-256 with 16 octet ICV [RFC5282]",,,"NONE [RFC4306]"',
        ),
        (
            "5d48bfeeb7d574da,bbb73016c0503640",
            "91b817d036d97db3ace64475cd8d1cbeab186295020211a9cf0c16cec10b92b453ecd24e",
            "d04516586721974d970627d85f7d031433b6558c0ec6faecf9217e5445e17e7eeee6bc68",
            '"AES-GCM-256 with 8 octet ICV [RFC5282]",,,"NONE [RFC4306]"',
        ),
        (
            "0158b8fb90b7623d,13514610cea16160",
            "647075bf167447a1c8683e8dbe4794b4cfe73799cc6bec34905441159ce13705c8dfb3a9",
            "15c9eae6f94631d63068bf44bb69999abc07b3d15e915fd8f0ed99ad481efd75deb02a5e",
            '"AES-GCM-256 with 16 octet ICV [RFC5282]",,,"NONE [RFC4306]"',
        ),
    ]
)
PUBLIC = parse_table(TABLE_V1, "v1") + parse_table(TABLE_V2, "v2")
AUTH_DATA = {
    "ikev2-decrypt-aes256ccm16.pcapng": "fa2e74bdc01e30fb0b3ddc9723c9449095969da51f69e560209d2c2b7940210a",
    "ikev2-decrypt-aes256gcm16.pcap": "9ab71f14ab553cad873a1aa70b99df155dee77cdcf3694b3b7527acbb9712ded",
    "ikev2-decrypt-aes256gcm8.pcap": "4a66d822d0afbc22ad9a92a2cf4287c920ad8ac3b069a4a7e75fe0a5d499f914",
}
"""What Wireshark's test suite wants to see in them."""


@pytest.mark.skipif(not WIRESHARK.is_dir(), reason="needs the third-party captures beside the checkout")
@pytest.mark.parametrize(
    "name",
    [
        "ikev1-bug-12620.pcapng",
        "ikev1-certs.pcap",
        "ikev2-decrypt-3des-sha1_160.pcap",
        "ikev2-decrypt-aes128ccm12-2.pcap",
        "ikev2-decrypt-aes128ccm12.pcap",
        "ikev2-decrypt-aes192ctr.pcap",
        "ikev2-decrypt-aes256cbc.pcapng",
        "ikev2-decrypt-aes256ccm16.pcapng",
        "ikev2-decrypt-aes256gcm16.pcap",
        "ikev2-decrypt-aes256gcm8.pcap",
    ],
)
def test_wiresharks_test_captures_open(name: str) -> None:
    found = sealed(opened(WIRESHARK / name, PUBLIC))
    assert found
    assert [s.unopened for s in found if not s.opened] == []
    auth = [p.data.hex() for s in found if s.opened for p in s.opened.payloads if isinstance(p, Authentication)]
    assert name not in AUTH_DATA or AUTH_DATA[name] in auth


# --- what goes wrong --------------------------------------------------------------------------------------------


def test_without_a_key_the_exchange_is_the_same_object() -> None:
    (exchange,) = exchanges(CAPTURES / "completed-psk.pcap")
    assert open_exchange(exchange, KeyTable((KeyV1(bytes(8), bytes(32)),))) is exchange
    assert open_exchange(exchange, KeyTable()) is exchange


def test_a_lost_message_5_leaves_message_6_closed_and_does_not_call_the_key_wrong() -> None:
    (exchange,) = exchanges(CAPTURES / "completed-psk.pcap")
    without = replace(exchange, steps=tuple(s for s in exchange.steps if s.name != "MM5"))
    found = open_exchange(without, read_tables([CAPTURES / "keys"]))
    sixth = next(s for s in found.steps if s.name == "MM6")
    assert sixth.unopened is not None
    assert not sixth.unopened.wrong_key
    assert all(s.opened for s in found.steps if s.encrypted and s.name != "MM6")


def test_a_lost_quick_mode_message_leaves_the_next_closed() -> None:
    (exchange,) = exchanges(CAPTURES / "completed-psk.pcap")
    without = replace(exchange, steps=tuple(s for s in exchange.steps if s.name != "QM1"))
    found = {s.name: s for s in open_exchange(without, read_tables([CAPTURES / "keys"])).steps}
    assert found["QM2"].unopened is not None
    assert "the key fits" in found["QM2"].unopened.reason
    assert found["QM3"].opened


@pytest.mark.parametrize(("name", "why"), [("MM2", "message 2"), ("MM4", "KE payloads")])
def test_without_the_clear_messages_the_reason_is_said(name: str, why: str) -> None:
    (exchange,) = exchanges(CAPTURES / "completed-psk.pcap")
    without = replace(exchange, steps=tuple(s for s in exchange.steps if s.name != name))
    found = open_exchange(without, read_tables([CAPTURES / "keys"]))
    assert all(why in s.unopened.reason for s in found.steps if s.encrypted and s.unopened)
    assert not any(s.opened for s in found.steps)


@pytest.mark.parametrize("octets", [0, 4, 20])
def test_a_message_that_is_not_whole_blocks_does_not_stop_the_rest(octets: int) -> None:
    (exchange,) = exchanges(CAPTURES / "completed-psk.pcap")
    steps = []
    for step in exchange.steps:
        if step.name == "MM6":
            header = replace(step.message.header, length=28 + octets)
            step = replace(step, message=parse(pack(header) + bytes(octets)))
        steps.append(step)
    found = open_exchange(replace(exchange, steps=tuple(steps)), read_tables([CAPTURES / "keys"]))
    by_name = {s.name: s for s in found.steps}
    assert by_name["MM5"].opened
    assert by_name["MM6"].unopened
    assert "not whole blocks" in by_name["MM6"].unopened.reason
    assert by_name["QM1"].unopened
    assert not by_name["QM1"].unopened.wrong_key


def pack(header: Header) -> bytes:
    return struct.pack(
        "!8s8sBBBBII",
        header.initiator_spi,
        header.responder_spi,
        header.next_payload,
        header.version,
        header.exchange_type,
        header.flags,
        header.message_id,
        header.length,
    )


def test_retransmissions_are_opened_once() -> None:
    (exchange,) = opened(CAPTURES / "mm5-lost.pcap", read_tables([CAPTURES / "keys"]))
    (fifth,) = [s for s in exchange.steps if s.name == "MM5"]
    assert len(fifth.sent) > 1
    assert fifth.opened is not None


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_messages_missing_and_any_keys_give_an_exchange(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["completed-psk.pcap", "completed-xauth.pcap", "ikev2-completed.pcap"]))
    table = read_tables([CAPTURES / "keys"])
    for exchange in exchanges(CAPTURES / name):
        kept = data.draw(st.sets(st.integers(0, len(exchange.steps) - 1), min_size=1))
        part = replace(exchange, steps=tuple(s for n, s in enumerate(exchange.steps) if n in kept))
        wrong = KeyTable((KeyV1(exchange.initiator_spi, data.draw(st.binary(max_size=40))),))
        for keys in (table, wrong, wrong + table):
            found = open_exchange(part, keys)
            assert len(found.steps) == len(part.steps)
            assert all(s.opened is None or s.unopened is None for s in found.steps)
