"""What keys show, as evidence and in the ranking: the labelled captures with their keys, and what no capture shows."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.diagnosis.verdict import Diagnosis, diagnose
from pcapdiag.exchange.model import Unopened
from pcapdiag.ike.payloads import Payload
from pcapdiag.ike.registry import PayloadType
from pcapdiag.knowledge.records import Status
from tests import CAPTURES
from tests.diagnosis.opened import OPENED_SCENES, opened
from tests.diagnosis.scenarios import TRUTH, captured, diagnosed_until, kinds, statuses, with_keys

ONE_END = CAPTURES / "keys-of-one-end"


def texts(found: Diagnosis) -> str:
    return "\n".join(e.text for e in found.evidence)


@pytest.mark.parametrize("row", [r for r in TRUTH if "with_keys" in r], ids=lambda r: r["capture"])
def test_first_cause_with_keys(row: dict[str, Any]) -> None:
    found = with_keys(row["capture"])[0]
    wanted = row["with_keys"]
    assert next(iter(statuses(found).items())) == (wanted["first_cause"], wanted["status"])
    assert wanted["first_cause"] in row.get("first_cause", [wanted["first_cause"]])


@pytest.mark.parametrize("row", [r for r in TRUTH if "outcome" in r], ids=lambda r: r["capture"])
def test_keys_confirm_nothing_that_is_not_so(row: dict[str, Any]) -> None:
    for found in with_keys(row["capture"])[:1]:
        confirmed = {c.cause.id for c in found.causes if c.status is Status.CONFIRMED}
        assert confirmed <= set(row.get("first_cause", ()))
        assert found.stop.outcome.value in row["outcome"]


@pytest.mark.parametrize("row", TRUTH, ids=lambda r: r["capture"])
def test_reasons_exist(row: dict[str, Any]) -> None:
    for found in with_keys(row["capture"]):
        ids = {e.id for e in found.evidence}
        assert all(e.frames for e in found.evidence)
        for ranked in found.causes:
            assert set(ranked.because) | set(ranked.against) <= ids
            assert ranked.because or not ranked.leads, ranked.cause.id


def test_without_a_key_for_it_nothing_changes(tmp_path: Path) -> None:
    table = tmp_path / "ikev1_decryption_table"
    table.write_text("0123456789abcdef,00112233445566778899aabbccddeeff\n")
    for row in TRUTH:
        plain = diagnosed_until(*captured(row["capture"]))
        for found, before in zip(with_keys(row["capture"], table), plain, strict=True):
            assert statuses(found) == statuses(before)
            assert not any(s.opened or s.unopened for s in found.exchange.steps)


def test_the_key_of_one_end_says_so() -> None:
    found = with_keys("mm5-psk-mismatch.pcap", ONE_END)[0]
    assert "ends-keys-differ" in kinds(found)
    assert "it is the initiator's key" in texts(found)
    assert statuses(found)["psk-mismatch"] == Status.CONFIRMED


def test_the_key_of_the_other_end_says_so(tmp_path: Path) -> None:
    own = ONE_END.joinpath("ikev1_decryption_table").read_text()
    rows = (CAPTURES / "keys" / "ikev1_decryption_table").read_text().splitlines()
    other = [line for line in rows if line.startswith("8fcf66df839d99c5") and line not in own]
    assert len(other) == 1
    table = tmp_path / "ikev1_decryption_table"
    table.write_text(other[0])
    found = with_keys("mm5-psk-mismatch.pcap", table)[0]
    assert "it is the responder's key" in texts(found)
    assert statuses(found)["psk-mismatch"] == Status.CONFIRMED


@pytest.mark.parametrize(
    ("name", "cookie", "octets"),
    [("completed-psk.pcap", "01e21441b7f6b075", 32), ("mm5-lost.pcap", "a47fde799fc8904c", 32)],
)
def test_a_wrong_key_is_said_to_be_wrong(name: str, cookie: str, octets: int, tmp_path: Path) -> None:
    table = tmp_path / "ikev1_decryption_table"
    table.write_text(f"{cookie},{'5a' * octets}\n")
    found = with_keys(name, table)[0]
    assert "keys-wrong" in kinds(found)
    assert "made with another key" in texts(found)
    assert not any(s.opened for s in found.exchange.steps)
    before = diagnosed_until(*captured(name))[0]
    assert statuses(found) == statuses(before)
    assert found.stop == before.stop


def test_wrong_keys_of_ikev2_fail_the_integrity_check(tmp_path: Path) -> None:
    rows = (CAPTURES / "keys" / "ikev2_decryption_table").read_text().splitlines()
    row = next(r for r in rows if r.startswith("39a0d59430daefbf")).split(",")
    row[5] = row[6] = "11" * (len(row[5]) // 2)
    table = tmp_path / "ikev2_decryption_table"
    table.write_text(",".join(row))
    found = with_keys("ikev2-authentication-failed.pcap", table)[0]
    assert "keys-wrong" in kinds(found)
    assert "the integrity check fails" in texts(found)


def test_a_message_that_does_not_open_among_others_is_said() -> None:
    exchanges, end = opened("completed-psk.pcap")
    steps = list(exchanges[0].steps)
    place = next(n for n, s in enumerate(steps) if s.name == "Informational")
    steps[place] = replace(steps[place], opened=None, unopened=Unopened("it was made with another key", True))
    (found,) = diagnose([replace(exchanges[0], steps=tuple(steps))], end)
    assert {"ends-keys-agree", "keys-open-some"} <= kinds(found)
    assert found.causes == ()


def test_a_short_key_says_how_many_octets_are_due(tmp_path: Path) -> None:
    table = tmp_path / "ikev1_decryption_table"
    table.write_text("01e21441b7f6b075,880840146437b5aee607599512f19273\n")
    assert "16 octets, AES-CBC-256 takes 32" in texts(with_keys("completed-psk.pcap", table)[0])


def test_a_snapped_capture_says_what_is_missing() -> None:
    found = with_keys("completed-psk-snapped.pcap")[0]
    assert "keys-not-usable" in kinds(found)


# --- what the payloads say -------------------------------------------------------------------------------------


def test_identities_and_networks() -> None:
    found = with_keys("phase2-pfs-one-side.pcap")[0]
    said = texts(found)
    assert "The initiator calls itself IPV4_ADDR 10.1.0.2 (MM5, encrypted)." in said
    assert "PFS with modp1536 (group 5), for 192.168.1.0/24 ↔ 192.168.2.0/24" in said
    assert "answered QM1 with an encrypted NO_PROPOSAL_CHOSEN" in said
    assert found.exchange.initiator.identities == ("IPV4_ADDR 10.1.0.2",)
    assert statuses(found)["pfs-mismatch"] == Status.LIKELY


def test_certificates_say_what_is_wrong() -> None:
    expired = with_keys("mm5-certificate-expired.pcap")[0]
    assert "CN=left.example.com" in texts(expired)
    assert "it had expired when it was sent, on 2026-11-23" in texts(expired)
    usage = with_keys("mm6-certificate-refused.pcap")[0]
    assert "its key usage does not allow signatures (it has: crl sign)" in texts(usage)
    sound = with_keys("mm5-identity-refused-certificates.pcap")[0]
    assert {"certificate-sound-of-initiator", "ends-keys-agree"} <= kinds(sound)
    assert statuses(sound)["certificate-rejected"] == Status.POSSIBLE


def test_messages_in_ike_fragments_are_opened() -> None:
    found = with_keys("ikev2-certificates-fragments.pcap")[0]
    auth = [s for s in found.exchange.steps if s.name.startswith("IKE_AUTH")]
    assert [len(s.pieces) > 1 for s in auth] == [True, True]
    assert all(s.opened and s.opened.proven for s in auth)
    assert {"certificate-of-initiator", "certificate-of-responder"} <= kinds(found)


def test_rekeyed_ike_sa_is_opened_with_a_row_that_names_other_spis() -> None:
    found = with_keys("ikev2-completed.pcap")
    assert all(s.opened for d in found for s in d.exchange.steps if s.encrypted)


def test_passwords_are_not_shown() -> None:
    found = with_keys("xauth-wrong-password.pcap")[0]
    assert "user alice" in texts(found)
    assert "s3cret" not in repr(found)
    assert "s3cret" not in texts(found)


def test_what_ended_ikev2_is_named() -> None:
    by_responder = with_keys("ikev2-authentication-failed.pcap")[0]
    assert by_responder.stop.reason == "The responder answered IKE_AUTH with an encrypted AUTHENTICATION_FAILED."
    by_initiator = with_keys("ikev2-certificate-expired.pcap")[0]
    assert "with an encrypted AUTHENTICATION_FAILED at once" in by_initiator.stop.reason


def test_an_ikev2_answer_that_still_asks_is_not_the_last() -> None:
    """IDr, AUTH and EAP: without the next request only keys tell that phase 1 is not over (RFC 7296 §2.16)."""
    eap = Payload(type=PayloadType.EAP, body=b"\1\1\0\5\1")
    exchanges, end = opened("ikev2-certificates-fragments.pcap")
    steps = [s for s in exchanges[0].steps if not s.name.startswith(("INFORMATIONAL", "CREATE"))]
    answer = steps[-1]
    assert answer.opened is not None
    asking = replace(answer, opened=replace(answer.opened, payloads=(*answer.opened.payloads, eap)))
    done, not_yet = (
        diagnose([replace(exchanges[0], steps=(*steps[:-1], last))], end + 60 * 10**9)[0] for last in (answer, asking)
    )
    assert done.stop.outcome is Outcome.COMPLETED
    assert (not_yet.stop.outcome, not_yet.stop.missing) == (Outcome.STALLED, "IKE_AUTH request")


# --- what no capture shows -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cause", "status"),
    [
        ("networks_refused_v1", "phase2-selector-mismatch", Status.CONFIRMED),
        ("networks_refused_v1", "phase2-proposal-mismatch", Status.UNLIKELY),
        ("identity_refused_in_words", "identity-mismatch", Status.CONFIRMED),
        ("another_asked_for", "identity-mismatch", Status.LIKELY),
        ("pfs_makes_the_difference", "pfs-mismatch", Status.CONFIRMED),
        ("pfs_makes_the_difference", "phase2-proposal-mismatch", Status.UNLIKELY),
        ("initiator_certificate_unreadable", "certificate-rejected", Status.LIKELY),
    ],
)
def test_scenes(name: str, cause: str, status: Status) -> None:
    assert statuses(OPENED_SCENES[name]())[cause] == status


def test_user_authentication_that_succeeded_is_no_trouble() -> None:
    found = OPENED_SCENES["xauth_succeeds"]()
    assert statuses(found).get("xauth-failed") in (None, Status.RULED_OUT)


def test_an_informational_that_refuses_nothing_is_no_refusal() -> None:
    """Keys show that it is a keep-alive or an initial contact: phase 1 was not refused by it."""
    found = with_keys("completed-psk.pcap")[0]
    assert found.stop.outcome is Outcome.COMPLETED
    assert [q.outcome for q in found.phase2] == [Outcome.COMPLETED]
