"""Keys out of logs: what a table holds, written as devices log it, is read as from the table."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import pcapdiag
from pcapdiag.cli.main import main
from pcapdiag.ike.decryption_keys import KeysV2, KeyTableError, KeyV1, parse_table
from pcapdiag.key_tables import read_tables, write_profile
from pcapdiag.logs.keys import encryption, rows_in
from pcapdiag.logs.reader import masked
from tests import CAPTURES

TABLE = read_tables([CAPTURES / "keys"])
MACS = {"sha1": "AUTH_HMAC_SHA_96", "sha256": "AUTH_HMAC_SHA2_256_128", "sha384": "AUTH_HMAC_SHA2_384_192"}
KNOWN = tuple(
    keys for keys in TABLE.v2 if keys.encryption.cipher == "AES" and (keys.encryption.icv or keys.integrity.digest)
)


def fortigate(key: KeyV1 | KeysV2, columns: int = 0) -> str:
    """The lines of one SA, wrapped as by a console of so many columns."""
    head = "2025-01-15 08:26:08.623804 ike V=root:0:branch:7:"
    if isinstance(key, KeyV1):
        rows = [
            f"{head} ISAKMP SA {key.initiator_cookie.hex()}/62fd422db30e4d88 key {len(key.key)}:{key.key.hex().upper()}"
        ]
    else:
        spis = f"{key.initiator_spi.hex()}/{key.responder_spi.hex()}"
        algorithm, bits = key.encryption, 8 * key.encryption.key
        name = f"AES_GCM_{algorithm.icv}" if algorithm.mode == "GCM" else f"AES_{algorithm.mode}"
        rows = [f"{head} incoming proposal:", f"{head} proposal id = 1:", f"{head}   protocol = IKEv2:",
                f"{head}         type=ENCR, val=AES_CBC (key_len = 192)", f"{head} matched proposal id 1",
                f"{head} proposal id = 1:", f"{head}   protocol = IKEv2:", f"{head}      encapsulation = IKEv2/none",
                f"{head}         type=ENCR, val={name} (key_len = {bits})"]  # fmt: skip
        if not algorithm.icv:
            rows.append(f"{head}         type=INTEGR, val={MACS[str(key.integrity.digest)]}")
        for which, value in zip(("ei", "er", "ai", "ar"), (key.sk_ei, key.sk_er, key.sk_ai, key.sk_ar), strict=True):
            if value:
                rows.append(f"{head} IKE SA {spis} SK_{which} {len(value)}:{value.hex().upper()}")
        rows += [f"{head}   protocol = ESP:", f"{head}         type=ENCR, val=AES_CBC (key_len = 128)"]
    if columns:
        rows = [row[at : at + columns] for row in rows for at in range(0, len(row), columns)]
    return "".join(f"{row}\n" for row in rows)


def dump(thread: str, what: str, value: bytes) -> list[str]:
    rows = [f"{thread}[IKE] <vpn|3> {what} => {len(value)} bytes @ 0x7f5a8c003b20"]
    for at in range(0, len(value), 16):
        piece = value[at : at + 16]
        rows.append(f"{thread}[IKE] <vpn|3> {at:4d}: {piece.hex(' ').upper():<48} ................")
    return rows


def charon(key: KeyV1 | KeysV2, ending: str = "", exchange: str = "IKE_SA_INIT") -> str:
    """The lines of one SA at level 4; another thread talks between them."""
    if isinstance(key, KeyV1):
        spis = f"{key.initiator_cookie.hex()}_i 62fd422db30e4d88_r"
        rows = dump("13", "encryption key Ka", key.key)
    else:
        spis = f"{key.initiator_spi.hex()}_i {key.responder_spi.hex()}_r"
        algorithm = key.encryption
        bits = 8 * algorithm.key
        names = f"AES_GCM_{algorithm.icv}_{bits}" if algorithm.icv else f"AES_{algorithm.mode}_{bits}"
        if not algorithm.icv:
            names += "/" + MACS[str(key.integrity.digest)].removeprefix("AUTH_").replace("SHA_96", "SHA1_96")
        rows = [f"13[ENC] <vpn|3> parsed {exchange} request 0 [ SA KE No ]",
                f"13[CFG] <vpn|3> selected proposal: IKE:{names}/PRF_HMAC_SHA2_256/MODP_2048"]  # fmt: skip
        rows += dump("13", "Sk_d secret", bytes(32))
        for which, value in zip(("ai", "ar", "ei", "er"), (key.sk_ai, key.sk_ar, key.sk_ei, key.sk_er), strict=True):
            rows += dump("13", f"Sk_{which} secret", value) if value else []
    rows = [
        part
        for row in rows
        for part in (row, "07[IKE]    0: 00 11 22 33 44 55 66 77                          ........")
    ]
    rows.insert(0, f"13[MGR] checkout IKEv2 SA by message with SPIs {spis[:18]} 0000000000000000_r")
    rows.append(f"13[MGR] <vpn|3> checkin IKEv2 SA vpn[3] with SPIs {spis}")
    return "".join(f"2026-11-27T12:27:29.767 {row}\n" for row in rows) + ending


@pytest.mark.parametrize("columns", [0, 80, 120])
def test_a_fortigate(columns: int, tmp_path: Path) -> None:
    log = tmp_path / "ike.log"
    log.write_text("".join(fortigate(key, columns if isinstance(key, KeyV1) else 0) for key in (*TABLE.v1, *KNOWN)))
    found = read_tables([log])
    assert set(found.v1) == set(TABLE.v1)
    assert found.v2 == KNOWN
    assert len(KNOWN) >= 3


def test_charon(tmp_path: Path) -> None:
    log = tmp_path / "charon.log"
    log.write_bytes(b"\xff\x00\n" + "".join(charon(key) for key in (*TABLE.v1, *KNOWN)).encode())
    found = read_tables([log])
    assert set(found.v1) == set(TABLE.v1)
    assert found.v2 == KNOWN


def test_a_capture_is_opened_by_a_log(tmp_path: Path) -> None:
    (tmp_path / "ike.log").write_text("".join(map(fortigate, (*TABLE.v1, *KNOWN))))
    for name in ("mm5-psk-mismatch.pcap", "completed-psk.pcap", "ikev2-completed.pcap"):
        by_table = pcapdiag.analyze(CAPTURES / name, keys=[CAPTURES / "keys"])
        by_log = pcapdiag.analyze(CAPTURES / name, keys=[tmp_path / "ike.log"])
        assert by_log.to_markdown() == by_table.to_markdown()
        assert by_log.to_markdown() != pcapdiag.analyze(CAPTURES / name).to_markdown()
    write_profile([tmp_path / "ike.log"], tmp_path)
    assert set(read_tables([tmp_path]).v2) == set(KNOWN)


def test_what_the_log_leaves_open_is_left_out(tmp_path: Path) -> None:
    # The proposal of another SA, none, and the keys of a rekeyed SA, whose SPIs charon does not log.
    cut = [row for row in fortigate(KNOWN[0]).splitlines() if "matched" not in row]
    assert list(rows_in(cut)) == []
    assert list(rows_in(row.replace("AES_", "DES_") for row in fortigate(KNOWN[0]).splitlines())) == []
    assert list(rows_in(charon(KNOWN[0], exchange="CREATE_CHILD_SA").splitlines())) == []
    (tmp_path / "a.log").write_text("\n".join(cut))
    with pytest.raises(KeyTableError, match="names no algorithms or SPIs") as caught:
        read_tables([tmp_path / "a.log"])
    assert KNOWN[0].sk_ei.hex() not in str(caught.value).lower()


@pytest.mark.parametrize(
    ("name", "bits", "wireshark"),
    [
        ("AES_CBC", "128", "AES-CBC-128 [RFC3602]"),
        ("AES_CTR_256", None, "AES-CTR-256 [RFC5930]"),
        ("AES_GCM_16", "256", "AES-GCM-256 with 16 octet ICV [RFC5282]"),
        ("AES_GCM_8_128", None, "AES-GCM-128 with 8 octet ICV [RFC5282]"),
        ("3DES_CBC", None, "3DES [RFC2451]"),
        ("CHACHA20_POLY1305", "256", None),
        ("AES_CBC", None, None),
        ("DES_CBC", None, None),
    ],
)
def test_names(name: str, bits: str | None, wireshark: str | None) -> None:
    assert encryption(name, bits) == wireshark


@given(st.lists(st.text(max_size=80), max_size=30), st.data())
def test_any_log_gives_rows_that_a_table_takes(noise: list[str], data: st.DataObject) -> None:
    rows = "".join(make(key) for make in (fortigate, charon) for key in (*TABLE.v1[:2], *KNOWN[:2])).splitlines()
    kept = data.draw(st.lists(st.sampled_from(rows), max_size=60))
    found = list(rows_in([*noise, *kept, *rows[: data.draw(st.integers(0, len(rows)))]]))
    parse_table("\n".join(found), "rows")


@pytest.mark.parametrize("make", [fortigate, charon])
def test_no_key_of_a_log_is_in_a_report(make: Callable[[KeyV1 | KeysV2], str], tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("".join(make(key) for key in (*TABLE.v1, *KNOWN)))
    for options in ([], ["-v"], ["--json"]):
        output = CliRunner().invoke(main, ["log", *options, str(log)]).output.lower()
        dense = "".join(c for c in output if c in "0123456789abcdef")
        for key in (*TABLE.v1, *KNOWN):
            parts = [key.key] if isinstance(key, KeyV1) else [key.sk_ei, key.sk_er, key.sk_ai, key.sk_ar]
            for part in filter(None, parts):
                assert part.hex()[:12] not in dense


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("   0: 2A 08 57 C0 59 2F 98 76 4A 68 93 54 E0 1F 0C 11  *.W.Y/.vJh.T....", "   …"),
        ("  32: 2A                                                *", "  …"),
        ("|   2a 08 57 c0  59 2f 98 76   *.W.", "|   …"),
        ("encryption(aes) 01234567 89abcdef 01234567 89abcdef", "encryption(aes) …"),
        ("IKE SA 0449616efd84884c/567f0801f493a4f8 SK_ei 8:9CDC6A6649F22541",
         "IKE SA 0449616efd84884c/567f0801f493a4f8 SK_ei 8:…"),
        ("spi:60e4660a4071c32a", "spi:…"),
        ("no proposal chosen (14), lifetime 86400", "no proposal chosen (14), lifetime 86400"),
        ("IP = 192.0.2.1, mess id 0xc02b7a5d", "IP = 192.0.2.1, mess id 0xc02b7a5d"),
    ],
)  # fmt: skip
def test_octets_are_masked(text: str, shown: str) -> None:
    assert masked(text) == shown
