"""What lines of a known format have in them, and what stops a scan over lines."""

import re
from collections.abc import Callable
from heapq import heapify, heappop, heapreplace

MAX_LINE = 1 << 18
"""Characters of one line that are kept; a message of 64 KiB in hexadecimal has half of that."""

MARKS = (
    "%ASA-", "%PIX-", "%FTD-", "[IKE", "IKEv2", "ISAKMP", "IPSEC", "CRYPTO",
    "[NET", "[ENC", "[CFG", "[MGR", "[JOB", "[KNL", "[LIB", "[DMN", "[CHD", "[ASN", "[APP", "[TNC", "[ESP", "[IM",
    "[PTS", "[TLS", '"group"', "pluto", '": ', '" #', "| ", "packet from", '"[', "ike ", "logid=",
    "racoon", "INFO: ", "ERROR: ", "DEBUG", "WARNING: ", "NOTIFY: ", " ipsec", "_ERR]",
    "SESSION_ID", ": Local ", "DiagnosticLog", "IkeCleanup", "based on log :", "Error: Authentication failed. Check",
    "Error: On-prem", "TunnelConnected", "TunnelDisconnected", "[ikeext]", "[SEND]", "[RECEIVED]", "[LOCAL",
    "[IkeEvent]", "[ErrorCode]", "IKE Tunnel ", "ike_phase1_state", "kmd", "KMD_", " <-> ", ",SYSTEM,vpn,",
    "|vpn|SYSTEM|", " ike-", " tunnel-", "[PROTO_", "[INTERNAL_", "[INFO]: ", "[DEBUG]: ", "[WARNING]: ", "[PERR]: ",
    "[PNTF]: ", "[PWRN]: ", "[DEBG]: ",
    "spi=0x", "ikev2", "iked", "create_ike", "sa_", "ca_", "config_", "policy_", "proposals_",
)  # fmt: skip
"""Every line that a reader takes has one of these; most lines of a syslog have none."""

OVER, SLOW, GIVEN, SETTLE = 0, 1, 2, 3
"""What stops a scan: the block is over; a line to be read in full; the one before, which does not go on and whose text
is known; a line before which the one that waits does not go on."""
ANY, ASA, CHARON = 0, 1, 2
"""Formats whose lines are taken apart here; those of `ANY` are not."""

_Search = Callable[[bytes, int], int]
"""Where something stands in a block from a place on, or -1."""


def _one(mark: str) -> _Search:
    octets = mark.encode()
    return lambda block, at: block.find(octets, at)


def _any(marks: list[str]) -> _Search:
    search = re.compile("|".join(map(re.escape, marks)).encode()).search

    def place(block: bytes, at: int) -> int:
        found = search(block, at)
        return -1 if found is None else found.start()

    return place


def _searches() -> list[_Search]:
    """Marks that begin with a character that is rare are looked for together, the others one by one."""
    alike: dict[str, list[str]] = {}
    for mark in MARKS:
        alike.setdefault(mark[0] if mark[0] in '["%|' else mark, []).append(mark)
    return [_any(marks) if len(marks) > 1 else _one(marks[0]) for marks in alike.values()]


_SEARCHES = _searches()


class Ahead:
    """Where the next mark of a block of lines stands: for the interpreter, to which octet by octet is slow."""

    def __init__(self, block: bytes) -> None:
        self.block = block
        # Most blocks of a syslog have few of the marks. Of each search that finds something, the next place.
        places = [(search(block, 0), number) for number, search in enumerate(_SEARCHES)]
        self._next = [(place, number) for place, number in places if place >= 0]
        heapify(self._next)

    def of(self, at: int) -> int:
        """The first place from `at` on; the end of the block where there is none. `at` does not go back."""
        waiting = self._next
        while waiting and waiting[0][0] < at:
            number = waiting[0][1]
            place = _SEARCHES[number](self.block, at)
            if place < 0:
                heappop(waiting)
            else:
                heapreplace(waiting, (place, number))
        return waiting[0][0] if waiting else len(self.block)
