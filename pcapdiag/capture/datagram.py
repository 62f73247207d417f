"""What the capture layer hands on: datagrams, the ICMP errors that quote one, fragments that never became one.

Addresses are text as `inet_ntop` writes it, times are integer nanoseconds since the Unix epoch, lengths are octets.
"""

from typing import NamedTuple

from msgspec import field

from pcapdiag.record import Record


class CaptureError(Exception):
    """A capture that cannot be read. The text is one line that names the file and the reason.

    lines -- where none of several can be: one for each, whatever is in the names of the files
    """

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class Frame(NamedTuple):
    """One captured frame.

    capture -- index of the capture within the run, from 0
    number -- as Wireshark numbers the frames of that file, from 1
    """

    capture: int
    number: int


class Datagram(Record, frozen=True):
    """One UDP datagram that may hold IKE, or what a TCP stream has in its place (RFC 9329 §3), as far as captured.

    frame, time -- the frame that completed it, and when that was captured
    payload -- the UDP payload that the capture holds (a marker of RFC 3948 still in front); of TCP, what follows
        the length
    length -- octets of payload that the UDP header, or the length in the stream, declares; more than `payload` has
        where the frame was snapped
    ttl, ip_id -- of the (first fragment's) IP header, or that of the segment that completed it; IPv6 has no
        identification: None
    fragments -- every frame that carried a piece of it, in capture order; empty when it came in one piece
    transport -- "udp" or "tcp": whose ports those are, and whose segments `fragments` are
    """

    frame: Frame
    time: int
    source: str
    source_port: int
    destination: str
    destination_port: int
    payload: bytes
    length: int
    ttl: int
    ip_id: int | None
    fragments: tuple[Frame, ...] = ()
    transport: str = "udp"


class IcmpError(Record, frozen=True):
    """An ICMP or ICMPv6 error that quotes a datagram on an IKE port (RFC 792, RFC 4443 §3).

    source -- who sent the error; destination -- to whom
    version -- 4 for ICMP, 6 for ICMPv6; type and code are that protocol's own
    mtu -- of the next hop, where the error carries one (fragmentation needed, packet too big)
    quoted -- the datagram as quoted; its payload is what the quote holds, often only a few octets; its frame and
        time are those of the error
    """

    frame: Frame
    time: int
    source: str
    destination: str
    version: int
    type: int
    code: int
    mtu: int | None
    quoted: Datagram

    @property
    def undelivered(self) -> bool:
        """It says that the datagram was dropped: unreachable, too big, or out of time; not a redirect or a remark."""
        return self.type in ((3, 11) if self.version == 4 else (1, 2, 3))


class FragmentLoss(Record, frozen=True):
    """IP fragments that never became a whole datagram by the end of their time (RFC 791 §3.2, RFC 8200 §4.5).

    frames -- every fragment that was captured; time and last_time are those of the first and the last of them
    source_port, destination_port -- None when the first fragment is missing
    payload -- the UDP payload of the first fragment, b"" when that is missing
    missing -- ranges of octets of the IP payload that were not captured; an open end (the last fragment is missing)
        is None
    """

    frames: tuple[Frame, ...]
    time: int
    last_time: int
    source: str
    destination: str
    source_port: int | None
    destination_port: int | None
    payload: bytes
    ttl: int
    ip_id: int
    missing: tuple[tuple[int, int | None], ...]


class EspFlow(Record, frozen=True):
    """The ESP or AH packets of one SPI in one direction, counted.

    RFC 4303; in UDP, RFC 3948 §2.1; in TCP, RFC 9329 §3; AH, RFC 4302.
    source_port, destination_port -- of the encapsulation; None for plain ESP, and for AH, which has none
    protocol -- "esp" or "ah"
    """

    source: str
    destination: str
    source_port: int | None
    destination_port: int | None
    spi: int
    packets: int
    first_frame: Frame
    last_frame: Frame
    first_time: int
    last_time: int
    protocol: str = "esp"


class UnansweredArp(Record, frozen=True):
    """An address that somebody asks for by ARP (RFC 826), and that sends no ARP packet in the whole capture.

    asker -- who asks; address -- for whom; requests -- how often; the frames and times are of the first and the last
    """

    asker: str
    address: str
    requests: int
    first_frame: Frame
    last_frame: Frame
    first_time: int
    last_time: int


MICROSECONDS, NANOSECONDS = 6, 9
"""Resolutions of times, as pcapng's if_tsresol has them."""


class Interface(Record, frozen=True):
    """One interface of a capture (§4.2 of draft-ietf-opsawg-pcapng); a pcap file has one without a name.

    snaplen -- 0: no limit
    resolution -- if_tsresol: decimal places of a second, or with the highest bit set binary ones
    offset -- if_tsoffset: seconds that are added to every time
    """

    name: str
    link_type: int
    snaplen: int
    resolution: int = NANOSECONDS
    offset: int = 0
    description: str = ""

    def ticks(self, nanoseconds: int) -> int:
        """A time since the Unix epoch as this interface counts it, rounded down; never less than 0."""
        rest = nanoseconds - self.offset * 1_000_000_000
        places = self.resolution & 0x7F
        per_second = 1 << places if self.resolution & 0x80 else 10**places
        return min(max(rest * per_second // 1_000_000_000, 0), 0xFFFF_FFFF_FFFF_FFFF)


class CaptureSummary(Record, frozen=True):
    """What one capture held, every frame of it in exactly one count.

    frames = datagrams + icmp_errors + ip_fragments + nat_keepalives + esp + other + unreadable.

    datagrams -- UDP datagrams handed on: on an IKE port, or with an ISAKMP header elsewhere; and TCP segments that
        complete an IKE message, however many
    icmp_errors -- ICMP errors that quote one
    ip_fragments -- frames with a piece of a datagram that another frame completed, or nothing did
    nat_keepalives -- one octet 0xFF on UDP 4500 (RFC 3948 §2.3), or in its place in TCP
    esp -- ESP packets, plain or in UDP; and TCP segments that complete one, and no IKE message
    other -- frames that were understood and hold none of these; `protocols` says what
    unreadable -- frames of which not enough is there, or whose link layer is unknown
    snapped -- frames of which only the beginning was captured (they are counted above as well)
    first_time, last_time -- of the frames, or what the file itself says of its beginning and end; None without any
    truncated -- the file ends in the middle of a record, or is damaged from some point on
    warnings -- one line each, with the file and the frame that it is about
    protocols -- name to frames, of what was counted as other: most frequent first
    esp_flows -- who sends ESP, or AH, to whom
    watched -- first and last time of each section that has any, where the file tells; what lies between them nobody saw
    dropped -- packets that the capturing itself dropped, as pcapng's interface statistics say; 0 where nothing says
    filters -- the capture filters that the file names
    unanswered -- addresses that were asked for by ARP and did not answer, the most asked for first
    """

    path: str
    format: str
    frames: int
    datagrams: int
    icmp_errors: int
    ip_fragments: int
    nat_keepalives: int
    esp: int
    other: int
    unreadable: int
    snapped: int
    first_time: int | None
    last_time: int | None
    truncated: bool
    warnings: tuple[str, ...] = ()
    protocols: dict[str, int] = field(default_factory=dict)
    esp_flows: tuple[EspFlow, ...] = ()
    watched: tuple[tuple[int, int], ...] = ()
    dropped: int = 0
    filters: tuple[str, ...] = ()
    unanswered: tuple[UnansweredArp, ...] = ()


Captured = Datagram | IcmpError | FragmentLoss
"""What a capture yields, in the order of capture (a FragmentLoss when its time is up, or at the end)."""
