"""Targets of the readers of logs: each format by itself, all of them, and the table of lines."""

import io
import re
from collections.abc import Callable, Sequence
from functools import cache

from fuzz.report_targets import is_json, shows_nothing_hostile
from pcapdiag.capture.savefile import Savefile
from pcapdiag.knowledge import log_lines
from pcapdiag.logs import packets
from pcapdiag.logs.explaining import decode, distinctive
from pcapdiag.logs.lines import READERS, Lines, read
from pcapdiag.logs.log import read_log
from pcapdiag.logs.marks import MAX_LINE
from pcapdiag.report import log_json
from pcapdiag.report.terminal import log_text
from pcapdiag.report.terminal.layout import Layout

FORMATS = tuple(reader.platform for reader in READERS)

_HEADS = {
    "asa": ("Apr 01 11:38:51 [IKEv1]: Group = 192.0.2.1, IP = 192.0.2.1, ", "Jun 10 2010 17:36:05: %ASA-7-713906: "),
    "ios": ("*Mar  1 00:13:31.891: ISAKMP:(1002): ", "ISAKMP (0:2): ", "%CRYPTO-4-"),
    "strongswan": ("2026-11-27T12:27:29.767 16[IKE] <vpn|3> ", "Oct 27 17:23:20 edge charon: 05[ENC] "),
    "libreswan": ('Nov 27 12:18:45.066855: "vpn" #1: ', '002 "vpn"[1] 192.0.2.1 #2: ', "Jun 18 04:06:51.183785: | "),
    "fortigate": ("2025-01-15 08:59:24.142098 ike V=root:0:branch:7: ", "ike 0:branch:7:p2:9: "),
    "racoon": ("2015-03-07 17:41:06: ERROR: ", "Mar  7 17:41:06 gw racoon: INFO: "),
    "openiked": ("spi=0x60e4660a4071c32a: ", "2026-11-27T12:15:24.106 "),
    "azure": (
        "Remote 192.0.2.1:500: Local 192.0.2.2:500: ",
        "SESSION_ID :{8cb5875d-4c80-434b-8702-d78ac5b3d154} Remote 192.0.2.1:500: Local 192.0.2.2:500: ",
        "[0]0368.03A4::02/02/2017-17:36:01.496 [ikeext] 3038|192.0.2.1|",
    ),
    "aws": ('{"event_timestamp": 1662045131, "ike_phase1_state": "down", "ike_phase2_state": "down", "details": "',),
    "juniper": ("Aug  3 10:18:44  srx1 kmd[14162]: ", "<27>1 2023-07-04T12:22:36.461+10:00 gw kmd 9812 - - "),
    "paloalto": (
        "<14>Nov  9 19:53:08 fw 1,2019/10/06 15:46:26,9,SYSTEM,vpn,0,2019/10/06 15:46:26,,ike-x,gw,0,0,a,b,",
        "2019-10-19 15:39:29 [PROTO_ERR]: 192.0.2.2[500] - 192.0.2.1[500]:0x1f0a6d0:",
        "2019/10/06 15:46:26 info vpn gw ike-generic-event 0 ",
    ),
}
_TAILS = {"aws": '"}'}
"""What closes a line that is not only text."""
_FILLING = ("192.0.2.1[500]", "7", "60e4660a4071c32a/425bca7299b159b7:00000001", "SA KE No", "", "(I) MM_KEY_EXCH")


def reader(platform: str) -> Callable[[bytes], None]:
    """The target of one format: any octets as a log of it."""

    def run(data: bytes) -> None:
        lines = Lines((platform,))
        for line in read([data[n : n + 97] for n in range(0, len(data), 97)], lines):
            said = line.said
            assert line.platform == platform
            assert len(line.text) <= MAX_LINE + 1
            assert len(said.initiator_spi) in (0, 8)
            assert len(said.responder_spi) in (0, 8)
            assert 0 <= said.peer_port <= 0xFFFF
            assert said.message_id is None or 0 <= said.message_id <= 0xFFFFFFFF
            assert said.role in ("", "initiator", "responder")
            assert len(said.octets) <= len(data)
            if said.told is not None:
                assert said.told.direction in ("", "sent", "received")
        assert sum(lines.platforms.values()) == lines.known + lines.unknown
        assert lines.number <= data.count(b"\n") + 1
        _becomes_a_capture(data, platform)

    return run


def _becomes_a_capture(data: bytes, platform: str) -> None:
    """The messages in a log make a capture that is whole, a frame each."""
    stream = io.BytesIO()
    written = packets.write(stream, "log", read([data], Lines((platform,))))
    stream.seek(0)
    file = Savefile(stream, name="log")
    assert sum(1 for _ in file) <= written.packets
    summary = file.summary()
    assert (summary.frames, summary.unreadable, summary.truncated) == (written.packets, 0, False)


def whole(data: bytes) -> None:
    """Any octets as a log: the report on it, twice the same, and nothing in it acts in a terminal."""
    report = read_log(io.BytesIO(data))
    for detail in (-1, 0, 1):
        shows_nothing_hostile(log_text.render(report, Layout(80, True, detail)))
    found = "".join(log_json.render(report))
    is_json(found)
    assert found == "".join(log_json.render(read_log(io.BytesIO(data))))
    for diagnosis in report.diagnoses:
        assert diagnosis.reason
        assert diagnosis.exchange.first_line <= diagnosis.exchange.last_line or report.logs[0].newest_first
    line = data.decode("utf-8", "replace")
    decode(line)
    assert len(distinctive(line)) <= len(line)


def entries(data: bytes) -> None:
    """A table that is damaged is refused in one line, or every entry of it finds itself."""
    try:
        kinds = log_lines.parse(data.decode("utf-8", "surrogateescape"), "asa")
    except log_lines.TableError as error:
        assert str(error)
        return
    found = log_lines.Table(kinds)
    for kind in kinds:
        assert found.match(" x ".join(kind.contains)) is not None


@cache
def entries_seeds() -> Sequence[bytes]:
    """A few entries, with where their texts are from."""
    from pkgutil import get_data

    octets = get_data("pcapdiag.knowledge", "lines/asa.toml") or b""
    head, *rest = octets.decode().split("\n[[line]]\n")
    return tuple(f"{head}\n[[line]]\n{entry}".encode() for entry in rest[::9])


@cache
def seeds_of(platform: str) -> Sequence[bytes]:
    """Lines of one format, every text that is known of it in turn, a dozen a log."""
    texts = [text for kind in log_lines.load().kinds if kind.platform == platform for text in kind.texts]
    heads = _HEADS[platform]
    rows = []
    for place, text in enumerate(texts):
        filled = re.sub(r"\{[a-z0-9_]*\}", lambda _, place=place: _FILLING[place % len(_FILLING)], text)  # type: ignore[misc]
        rows.append(f"{heads[place % len(heads)]}{filled}{_TAILS.get(platform, '')}")
    extra = {
        "asa": "[IKEv1]: IP = 192.0.2.1, IKE_DECODE SENDING Message (msgid=0) with payloads : HDR + SA (1)",
        "ios": "ISAKMP:(0): sending packet to 192.0.2.1 my_port 500 peer_port 500 (I) MM_SA_SETUP",
        "strongswan": "05[NET] sending packet: from 192.0.2.1[500] to 192.0.2.2[500] (236 bytes)\n"
        "05[ENC] parsed ID_PROT request 0 [ SA V V ]",
        "libreswan": "| *received 28 bytes from 192.0.2.1:500 on eth0 192.0.2.2:500 using UDP\n"
        f"|   60 e4 66 0a  40 71 c3 2a{'  00 00 00 00' * 2}\n|   01 10 02 00  00 00 00 00  00 00 00 1c",
        "fortigate": "ike 0: comes 192.0.2.1:500->192.0.2.2:500,ifindex=6....\n"
        f"ike 0: in {'60e4660a4071c32a' + '0' * 16}0110020000000000{'0000001c'}",
        "racoon": "2015-03-07 17:41:06: DEBUG: 28 bytes message received from 192.0.2.1[500] to 192.0.2.2[500]\n"
        f"2015-03-07 17:41:06: DEBUG: \n60e4660a 4071c32a {'0' * 8} {'0' * 8} 01100200 {'0' * 8} 0000001c",
        "openiked": "spi=0x60e4660a4071c32a: send IKE_AUTH req 1 peer 192.0.2.1:500 local 192.0.2.2:500, 462 bytes",
        "azure": '{"records": [{"time": "2026-11-27T12:27:29.767Z", "category": "IKEDiagnosticLog", "properties": '
        '{"message": "Remote 192.0.2.1:500: Local 192.0.2.2:500: [SEND][SA_INIT] iCookie 0x1 rCookie 0x0"}}]}\n'
        '"11/27/2026, 2:27:29.767 PM",IKEDiagnosticLog,"SESSION_ID :{8cb5875d-4c80-434b-8702-d78ac5b3d154} ""x"""',
        "aws": '2022-09-01 15:12:11,"{""event_timestamp"":1662045131,""details"":""x"",""ike_phase1_state"":""down""}"',
        "juniper": "IKE negotiation failed with error: Timed out. IKE Version: 2, VPN: v Gateway: g, "
        "Local: 192.0.2.2/500, Remote: 192.0.2.1/500, Role: Initiator",
        "paloalto": "CEF:0|Palo Alto Networks|PAN-OS|9.0|vpn|SYSTEM|3|rt=Nov 09 2019 19:53:08 GMT fname=gw msg=x cat=y",
    }[platform]
    return tuple("\n".join([*rows[n : n + 12], extra]).encode() for n in range(0, len(rows), 12))


@cache
def whole_seeds() -> Sequence[bytes]:
    """Some of each format, and all of them in one log."""
    some = [seeds_of(platform)[0] for platform in FORMATS]
    return (*some, b"\n".join(some))
