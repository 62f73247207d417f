"""Which causes fit the evidence: a table of rules, and the few functions that read it.

A rule names a cause, the kinds of evidence that have to be there (all of them), those that must not be, and the
status that follows. The rules of one cause are tried from the top; the first that fits decides. Of causes with the
same status the one with the higher weight comes first. Rules read evidence only, never packets.

`confirmed` stands only where the wire itself proves the cause: somebody in a position to know said so in a message
that belongs to this exchange and nothing contradicts it. Silence never confirms.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pcapdiag.diagnosis.evidence.case import Evidence
from pcapdiag.diagnosis.evidence.version_words import in_ikev2
from pcapdiag.record import Record

if TYPE_CHECKING:
    from pcapdiag.knowledge.loading import Cause, KnowledgeBase


class Status(StrEnum):
    """How a cause stands, best first."""

    CONFIRMED = "confirmed"
    LIKELY = "likely"
    POSSIBLE = "possible"
    UNDECIDABLE = "undecidable"
    UNLIKELY = "unlikely"
    RULED_OUT = "ruled_out"


class Rule(Record, frozen=True):
    """One row of the table.

    all_of -- kinds of evidence that have to be there; `*` stands for any letters
    any_of -- kinds of which one has to be there, where any are named
    none_of -- kinds that must not be there
    also -- kinds that, where they are there, are named as reasons too
    says -- the reason in words, for the reader
    basis -- what makes the rule right: the RFC and section; or, of a habit, which makes have it and where that was seen
    habit -- it is what some makes do and not what the protocol makes necessary: it never confirms
    """

    cause: str
    status: Status
    weight: int
    says: str
    all_of: tuple[str, ...]
    none_of: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    basis: str = ""
    habit: bool = False


class RankedCause(Record, frozen=True):
    """A cause with how it stands.

    because -- ids of the evidence that speaks for it; against -- of what speaks against it
    says -- the reason in words
    document -- where the source document lists it for the states that are possible here: (state, item)
    """

    cause: "Cause"
    status: Status
    weight: int
    says: str
    because: tuple[str, ...]
    against: tuple[str, ...]
    document: tuple[tuple[str, int], ...]

    @property
    def leads(self) -> bool:
        """Something speaks for it: possible, or better."""
        return self.status in (Status.CONFIRMED, Status.LIKELY, Status.POSSIBLE)


S = Status
PATH = ("peer-unreachable", "no-ike-listener", "udp-500-blocked", "udp-4500-blocked", "path-loss", "fragments-dropped")
"""Causes by which messages do not arrive. An answer shows that what it answers did."""
RULES: tuple[Rule, ...] = (
    # --- what an answer proves, whatever it says: a necessity
    *(Rule(cause, S.UNLIKELY, 0, "An answer came, so what it answers arrived.",
           ("refused-by-*",), ("icmp-reassembly-timeout-*",),
         basis="IP: what is answered has arrived; in clear it may be forged, so it is not ruled out")
     for cause in PATH if cause != "udp-4500-blocked"),
    Rule("udp-4500-blocked", S.RULED_OUT, 0, "UDP 4500 passes in both directions.", ("port-4500-both-ways",),
         basis="IP: UDP 4500 is seen from both ends"),
    Rule("udp-4500-blocked", S.UNLIKELY, 0, "An answer came, so what it answers arrived.", ("refused-by-*",),
         basis="IP: what is answered has arrived; in clear it may be forged, so it is not ruled out"),
    # --- nobody answers message 1
    Rule("peer-unreachable", S.CONFIRMED, 90, "A device on the way says, again and again, that it cannot deliver this.",
         ("icmp-unreachable-from-path", "repeated-icmp-unreachable-from-path"),
         ("mm6-sent", "proposal-chosen", "icmp-about-4500"),
         basis="RFC 1812 §5.2.7.1, RFC 4443 §3.1: a router says so of what it cannot deliver"),
    Rule("peer-unreachable", S.UNLIKELY, 0, "The peer answered before.", ("icmp-unreachable-from-path",),
         (), (), ("proposal-chosen", "port-500-both-ways"),
         basis="RFC 1812 §5.2.7.1: a router says so; but the peer has answered"),
    Rule("peer-unreachable", S.LIKELY, 88, "A device on the way says that it cannot deliver to this address.",
         ("icmp-unreachable-from-path",),
         basis="RFC 1812 §5.2.7.1, RFC 4443 §3.1: a router says so of what it cannot deliver"),
    Rule("peer-unreachable", S.LIKELY, 87, "The sender's own host says that it cannot deliver to this address.",
         ("icmp-unreachable-from-sender",),
         basis="RFC 1122 §3.3.1: the sender's own host has no way to this address"),
    Rule("peer-unreachable", S.LIKELY, 60, "The datagrams die on the way: a routing loop, or a route that is too long.",
         ("icmp-time-exceeded-from-path",),
         basis="RFC 792, RFC 4443 §3.3: the hop limit ran out on the way"),
    Rule("peer-unreachable", S.UNLIKELY, 0, "The peer's own address answered.", ("icmp-*-from-peer",),
         basis="RFC 792: the peer's own address answers, so packets get there"),
    Rule("peer-unreachable", S.POSSIBLE, 40, "What answers is not the peer; whether that is up does not show.",
         ("icmp-port-unreachable-from-path",),
         basis="iptables' REJECT says port unreachable by default, in the peer's stead (its manual)", habit=True),
    Rule("peer-unreachable", S.UNLIKELY, 0, "A firewall refuses the datagrams; the route is there.",
         ("icmp-prohibited-*",),
         basis="RFC 1812 §5.2.7.1 (9, 10, 13), RFC 4443 §3.1 (1): it filters, and has a route"),
    Rule("peer-unreachable", S.UNLIKELY, 0, "The capture was taken behind the path: the messages do arrive there.",
         ("silence-after-*", "vantage-behind-initiator"),
         basis="RFC 1812 §5.3.1 (TTL), and the habit of all common stacks to begin with 64, 128, 255", habit=True),
    Rule("peer-unreachable", S.POSSIBLE, 50, "Nothing came back, and nothing says why.", ("silence-after-mm1",),
         basis="RFC 792: no error is promised; a host that is down may show as silence"),
    Rule("peer-unreachable", S.POSSIBLE, 50, "Nothing came back, and nothing says why.", ("silence-after-am1",),
         basis="RFC 792: no error is promised; a host that is down may show as silence"),
    Rule("peer-unreachable", S.POSSIBLE, 50, "Nothing came back, and nothing says why.",
         ("silence-after-ike-sa-init-request",),
         basis="RFC 792: no error is promised; a host that is down may show as silence"),
    Rule("no-ike-listener", S.LIKELY, 95, "The peer's own address answers each time that nothing listens there.",
         ("icmp-port-unreachable-from-peer", "repeated-icmp-port-unreachable-from-peer"),
         ("floated", "proposal-chosen", "icmp-about-4500"),
         basis="RFC 1122 §3.2.2.1: a host says port unreachable where no program listens"),
    Rule("no-ike-listener", S.LIKELY, 93, "The peer's own address answers that nothing listens on that port.",
         ("icmp-port-unreachable-from-peer",),
         ("floated", "proposal-chosen", "icmp-about-4500"),
         basis="RFC 1122 §3.2.2.1: a host says port unreachable where no program listens"),
    Rule("peer-unreachable", S.UNLIKELY, 0, "The peer had message 1 and answered it.", ("proposal-chosen",),
         basis="RFC 2409 §5: message 2 answers message 1, so the peer had it"),
    Rule("udp-500-blocked", S.RULED_OUT, 0, "The exchange begins on UDP 4500; nothing goes to UDP 500.",
         ("begins-on-4500",),
         basis="RFC 3947 §4, RFC 7296 §2.23: an exchange may begin on UDP 4500"),
    Rule("udp-500-blocked", S.RULED_OUT, 0, "IKE does not use UDP 500 here.", ("begins-on-other-port",),
         basis="IP: nothing of this exchange goes to UDP 500"),
    Rule("udp-500-blocked", S.POSSIBLE, 60, "UDP 500 passes one way; the other way it may be blocked.",
         ("initiator-repeats-behind-answer", "stopped-after-2"), (), ("vantage-*",),
         basis="RFC 2408 §5.1, RFC 7296 §2.1: who repeats behind an answer has not had or used it"),
    Rule("udp-500-blocked", S.UNLIKELY, 0, "UDP 500 passes between these two addresses, in both directions.",
         ("port-500-both-ways",),
         basis="IP: UDP 500 is seen from both ends"),
    Rule("udp-500-blocked", S.CONFIRMED, 90, "A device on the way says, again and again, that it refuses this.",
         ("icmp-prohibited-from-path", "repeated-icmp-prohibited-from-path"), ("floated",),
         basis="RFC 1812 §5.2.7.1 (9, 10, 13), RFC 4443 §3.1 (1): its sender filters"),
    Rule("udp-500-blocked", S.LIKELY, 89, "A device on the way says that it refuses these datagrams.",
         ("icmp-prohibited-from-path",), ("floated",),
         basis="RFC 1812 §5.2.7.1 (9, 10, 13), RFC 4443 §3.1 (1): its sender filters"),
    Rule("udp-500-blocked", S.LIKELY, 88, "A device on the way answers in the peer's stead, as a filter that rejects.",
         ("icmp-port-unreachable-from-path",), ("floated",),
         basis="iptables' REJECT says port unreachable by default, in the peer's stead (its manual)", habit=True),
    Rule("udp-500-blocked", S.LIKELY, 70, "The peer's own address refuses them: a host or edge filter.",
         ("icmp-prohibited-from-peer",), ("floated",),
         basis="RFC 1812 §5.2.7.1 (9, 10, 13), RFC 4443 §3.1 (1): its sender filters"),
    Rule("udp-500-blocked", S.UNLIKELY, 0, "The device on the way says that it has no route, not that it filters.",
         ("icmp-unreachable-from-path",),
         basis="IP: RFC 1812 §5.2.7.1, codes 0 and 1; a filter may say the same (RFC 1812 §5.3.9)"),
    Rule("udp-500-blocked", S.UNLIKELY, 0, "Message 1 reached the peer, and its answer came back.",
         ("icmp-port-unreachable-from-peer",),
         basis="RFC 1122 §3.2.2.1: the error comes from the peer, so the message got there"),
    Rule("udp-500-blocked", S.POSSIBLE, 60, "The messages do arrive at the responder's side; its answer is missing.",
         ("silence-after-mm1", "vantage-behind-initiator"),
         basis="RFC 1812 §5.3.1 (TTL), and the habit of all common stacks to begin with 64, 128, 255", habit=True),
    Rule("udp-500-blocked", S.LIKELY, 70, "Complete silence, not even an ICMP error: as when a filter drops UDP 500.",
         ("silence-after-mm1",),
         basis="filters that drop are silent (lab); so are libreswan, OpenIKED, FortiGate to strangers", habit=True),
    Rule("udp-500-blocked", S.LIKELY, 70, "Complete silence, not even an ICMP error: as when a filter drops UDP 500.",
         ("silence-after-ike-sa-init-request",),
         basis="filters that drop are silent (lab); so are libreswan, OpenIKED, FortiGate to strangers", habit=True),
    Rule("udp-500-blocked", S.POSSIBLE, 60, "Complete silence, not even an ICMP error.", ("silence-after-am1",),
         basis="filters that drop are silent (lab); so are libreswan, OpenIKED, FortiGate to strangers", habit=True),
    Rule("udp-500-blocked", S.POSSIBLE, 60, "No reply was seen yet.", ("no-reply-yet", "stopped-after-1"),
         basis="RFC 2408 §5.1, RFC 7296 §2.1: unanswered when the capture ends, before the next try"),
    Rule("udp-500-blocked", S.POSSIBLE, 60, "No reply was seen yet.",
         ("no-reply-yet", "stopped-after-ike-sa-init-request"),
         basis="RFC 2408 §5.1, RFC 7296 §2.1: unanswered when the capture ends, before the next try"),
    Rule("unknown-peer", S.LIKELY, 65, "Message 1 arrives at the responder's side, and the responder says nothing.",
         ("silence-after-*", "stopped-after-1", "vantage-behind-initiator"),
         basis="libreswan 4.10, OpenIKED 7.2 (lab), FortiGate (reported) are silent to strangers; by TTL", habit=True),
    Rule("unknown-peer", S.POSSIBLE, 55, "Some responders answer this way when they have no entry for the address.",
         ("notify-no-proposal-chosen", "stopped-after-1"),
         basis="strongSwan 5.9: NO_PROPOSAL_CHOSEN to an address without a connection (lab notes)", habit=True),
    Rule("unknown-peer", S.POSSIBLE, 55, "Some responders answer this way when they have no entry for the address.",
         ("notify-no-proposal-chosen", "ikev2"),
         basis="strongSwan 5.9: NO_PROPOSAL_CHOSEN to an address without a connection (lab notes)", habit=True),
    Rule("unknown-peer", S.POSSIBLE, 60, "The responder refuses before it knows anything but the address.",
         ("notify-*", "stopped-after-1", "main"), ("notify-no-proposal-chosen", "notify-invalid-major-version"),
         basis="RFC 2409 §5.4: at message 1 the responder knows the address and the proposals alone"),
    Rule("unknown-peer", S.UNLIKELY, 0, "Nothing listens there, or message 1 does not get there.",
         (), ("proposal-chosen", "icmp-about-4500"), (),
         ("icmp-port-unreachable-from-peer", "icmp-port-unreachable-from-path", "icmp-unreachable-from-path",
          "icmp-prohibited-from-path"),
         basis="RFC 792: by the error the message was not handed to IKE"),
    Rule("unknown-peer", S.POSSIBLE, 40, "Many responders say nothing to a peer that they have no entry for.",
         ("silence-after-mm1",),
         basis="libreswan 4.10, OpenIKED 7.2 (lab), FortiGate (reported) are silent to strangers", habit=True),
    Rule("unknown-peer", S.POSSIBLE, 40, "Many responders say nothing to a peer that they have no entry for.",
         ("silence-after-am1",),
         basis="libreswan 4.10, OpenIKED 7.2 (lab), FortiGate (reported) are silent to strangers", habit=True),
    Rule("unknown-peer", S.POSSIBLE, 40, "Many responders say nothing to a peer that they have no entry for.",
         ("silence-after-ike-sa-init-request",),
         basis="libreswan 4.10, OpenIKED 7.2 (lab), FortiGate (reported) are silent to strangers", habit=True),
    Rule("phase1-policy-mismatch", S.LIKELY, 97, "The responder accepts none of the proposals, and its own are others.",
         ("notify-no-proposal-chosen", "offers-differ"), (), ("offered",),
         basis="RFC 2408 §3.14.1 (14); elsewhere the peer itself offers or chooses other values"),
    Rule("phase1-policy-mismatch", S.LIKELY, 90, "The responder says that it accepts none of the proposals.",
         ("notify-no-proposal-chosen", "stopped-after-1"), (), ("offered",),
         basis="RFC 2408 §3.14.1 (14): none of the proposals is acceptable"),
    Rule("phase1-policy-mismatch", S.LIKELY, 75, "No answer, and elsewhere in the capture the peer proposes otherwise.",
         ("offers-differ",), ("icmp-*",), ("offered",),
         basis="RFC 2409 §5: one transform has to fit both; elsewhere the peer has others"),
    Rule("phase1-policy-mismatch", S.LIKELY, 90, "The responder says that it accepts none of the proposals.",
         ("notify-no-proposal-chosen", "ikev2"),
         basis="RFC 7296 §2.7, §3.10.1 (14): none of the proposals is acceptable"),
    Rule("phase1-policy-mismatch", S.LIKELY, 70, "The responder objects to what was proposed.",
         ("notify-attributes-not-supported",),
         basis="RFC 2408 §3.14.1 (13): an attribute that was proposed is not supported"),
    Rule("phase1-policy-mismatch", S.LIKELY, 70, "The responder objects to what was proposed.",
         ("notify-bad-proposal-syntax",),
         basis="RFC 2408 §3.14.1 (15): the proposal cannot be read"),
    Rule("phase1-policy-mismatch", S.LIKELY, 92, "Message 2 chooses what message 1 does not offer.",
         ("chosen-not-offered",), ("no-reply-yet",), ("refused-by-initiator",),
         basis="RFC 2409 §5, RFC 2408 §4.2: message 2 has to hold one of the transforms offered"),
    Rule("phase1-policy-mismatch", S.POSSIBLE, 60, "Message 2 chooses what message 1 does not offer.",
         ("chosen-not-offered",),
         basis="RFC 2409 §5, RFC 2408 §4.2: message 2 has to hold one of the transforms offered"),
    Rule("phase1-policy-mismatch", S.LIKELY, 85, "The initiator does not take what message 2 chose.",
         ("refused-by-initiator", "stopped-after-2"), (), (),
         ("notify-no-proposal-chosen", "notify-attributes-not-supported", "notify-bad-proposal-syntax",
          "several-chosen", "notify-invalid-transform-id"),
         basis="RFC 2408 §5.4–5.6: so a choice is refused that was not offered, or cannot be read"),
    Rule("phase1-policy-mismatch", S.POSSIBLE, 55, "The initiator refused message 2, which holds the choice.",
         ("refused-by-initiator", "stopped-after-2"),
         basis="RFC 2409 §5: message 2 holds the choice, and was refused"),
    Rule("phase1-policy-mismatch", S.RULED_OUT, 0, "The responder chose a proposal.", ("proposal-chosen",),
         basis="RFC 2409 §5: message 2 holds the transform that was chosen"),
    Rule("phase1-policy-mismatch", S.LIKELY, 84, "Message 1 holds little but the proposals: one of them is not taken.",
         ("notify-payload-malformed", "stopped-after-1"),
         basis="reported of ends that cannot take a proposal (g37); RFC 2408 §3.14.1 (16) is wider", habit=True),
    Rule("phase1-policy-mismatch", S.POSSIBLE, 45, "The responder refused message 1, which holds the proposals.",
         ("refused-by-responder", "stopped-after-1"), ("no-such-message", "notify-invalid-major-version"),
         basis="RFC 2409 §5: message 1 holds the proposals, and was refused"),
    Rule("phase1-policy-mismatch", S.UNLIKELY, 0, "Message 1 is not even delivered.", ("icmp-*",),
         basis="RFC 792: by the error the message was not handed to IKE"),
    Rule("phase1-policy-mismatch", S.POSSIBLE, 30, "Some responders refuse without a word.", ("silence-after-mm1",),
         basis="FortiGate ignores what fits no policy (reported); others say NO_PROPOSAL_CHOSEN", habit=True),
    Rule("ike-version-mismatch", S.CONFIRMED, 97, "The responder says so, and the other version completes.",
         ("notify-invalid-major-version", "other-version-completes"), ("proposal-chosen", "answers-no-ike"),
         basis="RFC 7296 §2.5, RFC 2408 §5.2: INVALID_MAJOR_VERSION is said of versions not spoken"),
    Rule("ike-version-mismatch", S.POSSIBLE, 20, "It says so behind messages of this version, which both ends took.",
         ("notify-invalid-major-version",), (), (), ("proposal-chosen", "answers-no-ike"),
         basis="RFC 7296 §2.5: who went along in this version speaks it; a probe has none"),
    Rule("ike-version-mismatch", S.LIKELY, 95, "The responder says that it does not speak this version.",
         ("notify-invalid-major-version",),
         basis="RFC 7296 §2.5, RFC 2408 §5.2: INVALID_MAJOR_VERSION is said of versions not spoken"),
    Rule("ike-version-mismatch", S.LIKELY, 80, "The same peers complete with the other version.",
         ("other-version-completes", "stopped-after-1"),
         basis="RFC 7296 §2.5: a version is for a whole exchange; the other one completes"),
    Rule("ike-version-mismatch", S.LIKELY, 80, "The same peers complete with the other version.",
         ("other-version-completes", "stopped-after-ike-sa-init-*"),
         basis="RFC 7296 §2.5: a version is for a whole exchange; the other one completes"),
    Rule("ike-version-mismatch", S.POSSIBLE, 50, "Some responders answer this way to the version they do not speak.",
         ("notify-no-proposal-chosen", "stopped-after-1"),
         basis="strongSwan 5.9: NO_PROPOSAL_CHOSEN to the version it is not set up for (lab)", habit=True),
    Rule("ike-version-mismatch", S.POSSIBLE, 50, "Some responders answer this way to the version they do not speak.",
         ("notify-no-proposal-chosen", "ikev2"),
         basis="strongSwan 5.9: NO_PROPOSAL_CHOSEN to the version it is not set up for (lab)", habit=True),
    Rule("ike-version-mismatch", S.POSSIBLE, 20, "Some responders ignore the version that they do not speak.",
         ("silence-after-*", "stopped-after-1"),
         basis="libreswan 4.10 drops IKEv1 by default, OpenIKED 7.2 has IKEv2 only: silence (lab)", habit=True),
    Rule("wrong-crypto-map-peer", S.LIKELY, 92, "The answer comes from another address than the one written to.",
         ("answered-elsewhere",),
         basis="RFC 7296 §2.11: an answer comes from the address that was asked"),
    Rule("wrong-crypto-map-peer", S.UNLIKELY, 0, "The peer answers with IKE: it does run there.",
         ("proposal-chosen",), ("answered-elsewhere",),
         basis="RFC 2409 §5: what answers there does IKE and took a proposal"),
    Rule("wrong-crypto-map-peer", S.LIKELY, 60, "What answers at this address does not do IKE: is it the right one?",
         ("icmp-port-unreachable-from-peer", "stopped-after-1"),
         basis="RFC 1122 §3.2.2.1: a host says port unreachable where no program listens"),
    Rule("wrong-crypto-map-peer", S.POSSIBLE, 45, "This address is not reachable: is it the right one?",
         ("icmp-unreachable-from-path", "stopped-after-1"),
         basis="RFC 1812 §5.2.7.1: nothing can be delivered to this address"),
    Rule("wrong-crypto-map-peer", S.POSSIBLE, 25, "If this is not the peer's address, silence is what to expect.",
         ("silence-after-*", "stopped-after-1"),
         basis="RFC 792: an address without a host may show as silence"),
    # --- between message 2 and message 4
    Rule("path-loss", S.LIKELY, 88, "The answers go to a port that the initiator did not ask from.",
         ("answers-to-another-port",), ("no-reply-yet",),
         basis="RFC 7296 §2.11, RFC 3947 §4: an answer goes to the port that the question came from"),
    Rule("path-loss", S.POSSIBLE, 55, "The answer gets to that host's own interface: only a filter on it can drop it.",
         (), (), (), ("initiator-does-not-take-answer", "responder-does-not-take-answer"),
         basis="RFC 1812 §5.3.1 (TTL), and the habit of all common stacks to begin with 64, 128, 255", habit=True),
    Rule("path-loss", S.LIKELY, 90, "The answer goes by the capture point and does not get where it should.",
         ("initiator-repeats-behind-answer",), (), ("vantage-*",),
         basis="RFC 2408 §5.1, RFC 7296 §2.1: who repeats behind an answer has not had or used it"),
    Rule("path-loss", S.LIKELY, 85, "The initiator's message goes by and the responder still repeats the one before.",
         ("responder-repeats-behind-answer", "stopped-after-3"), (), ("vantage-*",),
         basis="RFC 2408 §5.1: who repeats behind the next message has not had or used it"),
    Rule("path-loss", S.POSSIBLE, 60, "Message 3 gets to the responder's side; its answer may be lost, or not be sent.",
         ("silence-after-mm3", "vantage-responder"),
         basis="RFC 1812 §5.3.1 (TTL), and the habit of all common stacks to begin with 64, 128, 255", habit=True),
    Rule("path-loss", S.LIKELY, 80, "Messages 1 and 2 pass, message 3 or its answer does not.",
         ("silence-after-mm3",), (), ("vantage-*", "only-initiator-repeats", "large-message-unanswered"),
         basis="strongSwan 5.9, Openswan say notify 17 where the key is missing; so silence is the path", habit=True),
    Rule("path-loss", S.LIKELY, 82, "Captured at the responder, which repeats: the next message never gets here.",
         ("responder-repeats-last", "vantage-responder"), ("nat",),
         basis="RFC 1812 §5.3.1 (TTL), and the habit of all common stacks to begin with 64, 128, 255", habit=True),
    Rule("path-loss", S.LIKELY, 80, "Captured at the responder: the initiator's next message never gets here.",
         ("initiator-does-not-repeat", "vantage-responder"), ("scan-like", "nat"),
         basis="RFC 1812 §5.3.1 (TTL), and the habit of all common stacks to begin with 64, 128, 255", habit=True),
    Rule("path-loss", S.UNLIKELY, 0, "The capture is at the initiator, and its next message never leaves.",
         ("initiator-does-not-repeat", "vantage-initiator"),
         basis="RFC 1812 §5.3.1 (TTL), and the habit of all common stacks to begin with 64, 128, 255", habit=True),
    Rule("path-loss", S.POSSIBLE, 55, "Nothing of the initiator's next message is seen: not sent, or lost before here.",
         ("initiator-does-not-repeat",), ("scan-like", "nat", "sealed-refusal-*"),
         basis="RFC 791 §1.2: IP promises no delivery; a message or its answer may be lost"),
    Rule("path-loss", S.POSSIBLE, 55, "Both ends repeat: either message 5 does not arrive, or it is not accepted.",
         ("responder-repeats-behind-answer", "stopped-after-5"), ("floated",),
         basis="RFC 791 §1.2: IP promises no delivery; a message or its answer may be lost"),
    Rule("path-loss", S.POSSIBLE, 50, "Messages 1 to 4 got through; this one, or its answer, may be lost.",
         ("silence-after-mm5",), ("floated",),
         basis="RFC 791 §1.2: IP promises no delivery; a message or its answer may be lost"),
    Rule("path-loss", S.POSSIBLE, 45, "The message or its answer may be lost on the way.", ("silence-after-*",),
         basis="RFC 791 §1.2: IP promises no delivery; a message or its answer may be lost"),
    Rule("path-loss", S.POSSIBLE, 30, "The message or its answer may be lost on the way.", ("no-reply-yet",),
         basis="RFC 791 §1.2: IP promises no delivery; a message or its answer may be lost"),
    Rule("path-loss", S.POSSIBLE, 45, "The answers may be lost on the way.", ("phase2-unanswered",),
         basis="RFC 791 §1.2: IP promises no delivery; a message or its answer may be lost"),
    Rule("path-loss", S.LIKELY, 70, "The answer goes by, and the initiator does not react to it.",
         ("phase2-answer-unheeded",),
         basis="RFC 2408 §5.1: who repeats behind an answer has not had or used it"),
    Rule("vendor-difference", S.LIKELY, 78, "No mode of IKE has such a message.",
         ("no-such-message",), ("inconclusive",),
         basis="RFC 2409 §5: without a responder cookie there is an SA payload in every mode"),
    Rule("vendor-difference", S.LIKELY, 78, "One end cannot make sense of the other's message, which is in clear.",
         (), ("stopped-after-5", "stopped-after-6"), (),
         ("notify-invalid-flags", "notify-invalid-message-id", "notify-invalid-protocol-id", "notify-doi-not-supported",
          "notify-situation-not-supported", "notify-invalid-exchange-type", "notify-unequal-payload-lengths",
          "notify-invalid-minor-version", "notify-invalid-transform-id", "notify-unsupported-critical-payload",
          "notify-invalid-syntax"),
         basis="RFC 2408 §5.2–5.6: such a notify names what of a header or payload is not taken"),
    Rule("vendor-difference", S.LIKELY, 85, "One end sends IKE on UDP 4500 in a way that the other takes for ESP.",
         ("no-marker",),
         basis="RFC 3948 §2.2: on UDP 4500 what has no four zero octets in front is ESP"),
    Rule("vendor-difference", S.LIKELY, 80, "Nothing is encrypted yet, and one end cannot make sense of the other.",
         ("notify-payload-malformed",), ("stopped-after-5", "stopped-after-6"),
         basis="RFC 2408 §3.14.1 (16): it cannot be read, and before message 5 all is in clear"),
    Rule("vendor-difference", S.LIKELY, 80, "One end does not know what the other sent.",
         ("notify-invalid-payload-type",), ("stopped-after-5", "stopped-after-6"),
         basis="RFC 2408 §5.3: INVALID-PAYLOAD-TYPE names a payload that is not known"),
    Rule("vendor-difference", S.LIKELY, 75, "One end does not know what the other asks for.",
         ("notify-unsupported-*",),
         basis="RFC 2408 §3.14.1 (29): what was asked for is not supported"),
    Rule("vendor-difference", S.POSSIBLE, 45, "The answer gets to that host, and its IKE does not take it.",
         (), (), (), ("initiator-does-not-take-answer", "responder-does-not-take-answer"),
         basis="RFC 1812 §5.3.1 (TTL), and the habit of all common stacks to begin with 64, 128, 255", habit=True),
    Rule("vendor-difference", S.POSSIBLE, 35, "The ends are of different makes, which the document names as a cause.",
         ("vendors-differ",), ("sealed-refusal-*", "notify-*"),
         basis="reported of ASA with other makes (source document)", habit=True),
    Rule("vendor-difference", S.LIKELY, 70, "The initiator had the answer, and sends nothing on: it did not like it.",
         ("initiator-does-not-repeat", "vantage-initiator"), ("scan-like", "nat"),
         basis="RFC 1812 §5.3.1 (TTL), and the habit of all common stacks to begin with 64, 128, 255", habit=True),
    Rule("vendor-difference", S.POSSIBLE, 30, "The initiator had message 2 and did not go on.",
         ("initiator-does-not-repeat", "stopped-after-2"), ("scan-like", "sealed-refusal-*"),
         basis="RFC 2409 §5: message 3 is the initiator's to send, and is not seen"),
    Rule("psk-missing", S.LIKELY, 90, "A responder that has no key for this peer answers message 3 this way.",
         ("notify-invalid-key-information", "stopped-after-3"),
         basis="strongSwan 5.9 (lab notes), Openswan (report): notify 17 where it has no key", habit=True),
    Rule("psk-missing", S.RULED_OUT, 0, "Authentication is not by a pre-shared key.", ("auth-certificates",),
         basis="RFC 2409 §5.1–5.3: these methods use no pre-shared key"),
    Rule("psk-missing", S.LIKELY, 88, "An initiator that has no key for this peer stops at message 4.",
         ("notify-invalid-key-information", "refused-by-initiator", "stopped-after-4"),
         basis="Openswan (report g33): notify 17 where it has no key", habit=True),
    Rule("psk-missing", S.POSSIBLE, 50, "An initiator that has no key for this peer stops before message 5.",
         ("refused-by-initiator",), (), (), ("stopped-after-4", "stopped-after-2"),
         basis="RFC 2409 §5.4: the initiator needs the key for what comes next"),
    Rule("psk-missing", S.RULED_OUT, 0, "The responder went on to messages that need the key.", ("mm6-sent",),
         basis="RFC 2409 §5.4: message 6 follows once message 5 is deciphered and HASH_I checked"),
    Rule("psk-missing", S.POSSIBLE, 50, "A responder that has no key for this peer stops at message 3.",
         ("notify-*", "stopped-after-3", "main"),
         basis="RFC 2409 §5: SKEYID, and with it the key, is due once both KE are there"),
    Rule("psk-missing", S.LIKELY, 70, "Message 3 gets to the responder's side, and the responder stops there.",
         ("silence-after-mm3", "auth-psk", "vantage-responder"), ("responder-repeats-behind-answer",),
         basis="reported of ASA without a tunnel-group: silence at message 3 (source document); by TTL", habit=True),
    Rule("psk-missing", S.POSSIBLE, 40, "A responder without a key for this peer may stop silently at message 3.",
         ("silence-after-mm3", "auth-psk"), ("responder-repeats-behind-answer",),
         basis="reported of ASA without a tunnel-group: silence at message 3 (source document)", habit=True),
    Rule("scanner", S.LIKELY, 97, "What was answered was no IKE message, as in a scan of ports.", ("answers-no-ike",),
         basis="RFC 2408 §3.1: an answer without cookies answers what had none, so no IKE message"),
    Rule("scanner", S.LIKELY, 97, "Answers that nobody asked for, from many hosts: an attack by reflection.",
         ("reflection",),
         basis="IP: who never asked gets answers where others forged its address"),
    Rule("scanner", S.LIKELY, 90, "No mode of IKE has such a message: a probe.",
         ("no-such-message",), ("inconclusive",),
         basis="RFC 2409 §5: without a responder cookie there is an SA payload in every mode"),
    Rule("scanner", S.POSSIBLE, 60, "No mode of IKE has such a message.", ("no-such-message",),
         basis="RFC 2409 §5: without a responder cookie there is an SA payload in every mode"),
    Rule("scanner", S.LIKELY, 86, "It looks like a probe: one message from a port of no gateway, and no follow-up.",
         ("probe-like", "refused-by-responder"),
         basis="scanners ask once, from a port of no gateway (ike-scan in the lab, report g44)", habit=True),
    Rule("scanner", S.LIKELY, 96, "Attempts come faster than any peer makes them.", ("flood",), (), ("sweep",),
         basis="no known make begins anew within a second (schedules: lab, source, reports)", habit=True),
    Rule("scanner", S.POSSIBLE, 58, "One source asks many addresses, as a scan does, or a gateway with no way out.",
         ("sweep",),
         basis="no wire seen: scanners ask many addresses; so does a gateway with no way out", habit=True),
    Rule("scanner", S.LIKELY, 95, "It looks like a probe: no vendor IDs, one message, no follow-up.",
         ("scan-like",), ("no-reply-yet",),
         basis="ike-scan 1.9: no vendor ID, one message, no follow-up (lab)", habit=True),
    Rule("scanner", S.POSSIBLE, 90, "It looks like a probe so far: no vendor IDs, one message, no follow-up.",
         ("scan-like",),
         basis="ike-scan 1.9: no vendor ID, one message, no follow-up (lab)", habit=True),
    # --- message 5, message 6, and UDP 4500
    Rule("udp-4500-blocked", S.LIKELY, 97, "The NAT in front of the responder answers for it: 4500 is not forwarded.",
         ("icmp-port-unreachable-from-peer", "icmp-about-4500", "nat-responder"),
         basis="RFC 3947 §3.2: the address is a NAT's; RFC 1122 §3.2.2.1: nothing listens at it"),
    Rule("udp-4500-blocked", S.CONFIRMED, 95, "A device on the way says, again and again, that it refuses this.",
         ("icmp-prohibited-from-path", "icmp-about-4500",
          "repeated-icmp-prohibited-from-path"),
         basis="RFC 1812 §5.2.7.1 (9, 10, 13), RFC 4443 §3.1 (1): its sender filters"),
    Rule("udp-4500-blocked", S.LIKELY, 94, "A device on the way says that it refuses these datagrams.",
         ("icmp-prohibited-from-path", "icmp-about-4500"),
         basis="RFC 1812 §5.2.7.1 (9, 10, 13), RFC 4443 §3.1 (1): its sender filters"),
    Rule("udp-4500-blocked", S.LIKELY, 92, "A device on the way answers in the peer's stead, as a filter that rejects.",
         ("icmp-port-unreachable-from-path", "floated"),
         basis="iptables' REJECT says port unreachable by default, in the peer's stead (its manual)", habit=True),
    Rule("udp-4500-blocked", S.UNLIKELY, 0, "Message 5 got to the peer: it says that nothing listens there.",
         ("icmp-port-unreachable-from-peer", "floated"),
         basis="RFC 1122 §3.2.2.1: the error comes from the peer, so the message got there"),
    Rule("udp-4500-blocked", S.UNLIKELY, 0, "It stops on UDP 500, before the exchange would move to UDP 4500.",
         ("initiator-repeats-behind-answer", "stopped-after-4"),
         basis="RFC 3947 §4: the exchange moves to UDP 4500 with message 5"),
    Rule("udp-4500-blocked", S.UNLIKELY, 0, "No NAT was found, so message 5 stays on UDP 500.",
         ("no-nat", "stopped-after-4"),
         basis="RFC 3947 §4: without NAT the exchange stays on UDP 500"),
    Rule("udp-4500-blocked", S.RULED_OUT, 0, "The exchange completed over UDP 4500.", ("mm6-sent", "floated"),
         basis="RFC 3947 §4: message 5 went to UDP 4500 and was answered"),
    Rule("udp-4500-blocked", S.UNLIKELY, 0, "It gets to the responder's own interface, and no answer leaves there.",
         ("port-4500-only-initiator", "vantage-responder"),
         basis="RFC 1812 §5.3.1 (TTL), and the habit of all common stacks to begin with 64, 128, 255", habit=True),
    Rule("udp-4500-blocked", S.UNLIKELY, 0, "It stops on UDP 500, before the exchange would move to UDP 4500.",
         ("stopped-after-ike-sa-init-response",), (), (),
         ("initiator-repeats-behind-answer", "initiator-does-not-take-answer"),
         basis="RFC 7296 §2.23: the exchange moves to UDP 4500 with IKE_AUTH"),
    Rule("udp-4500-blocked", S.LIKELY, 95, "NAT was found, the exchange floated, and nothing comes back on UDP 4500.",
         ("port-4500-only-initiator", "nat"), ("no-reply-yet",),
         ("floated", "keepalives-go-on", "silence-after-*", "responder-repeats-behind-answer"),
         basis="RFC 3947 §4, RFC 7296 §2.23: all goes on on UDP 4500, and nothing comes back there"),
    Rule("udp-4500-blocked", S.LIKELY, 85, "The exchange floated, and nothing comes back on UDP 4500.",
         ("port-4500-only-initiator",), ("no-reply-yet",),
         ("floated", "keepalives-go-on", "silence-after-*", "responder-repeats-behind-answer"),
         basis="RFC 3947 §4, RFC 7296 §2.23: all goes on on UDP 4500, and nothing comes back there"),
    Rule("udp-4500-blocked", S.POSSIBLE, 60, "The exchange floated, and nothing came back on UDP 4500 so far.",
         ("port-4500-only-initiator",),
         basis="RFC 3947 §4, RFC 7296 §2.23: all goes on on UDP 4500, and nothing comes back there"),
    Rule("udp-4500-blocked", S.POSSIBLE, 60, "NAT was found, and message 5 is not seen to leave for UDP 4500: is that "
         "port in the capture?", ("nat", "stopped-after-4", "initiator-does-not-repeat", "vantage-initiator"),
         basis="RFC 1812 §5.3.1 (TTL), and the habit of all common stacks to begin with 64, 128, 255", habit=True),
    Rule("udp-4500-blocked", S.LIKELY, 85, "NAT was found, so message 5 goes to UDP 4500; it does not get here.",
         ("nat", "stopped-after-4", "initiator-does-not-repeat"),
         basis="RFC 3947 §4: behind a NAT message 5 goes to UDP 4500"),
    Rule("udp-4500-blocked", S.LIKELY, 70, "NAT was found, so message 5 goes to UDP 4500; it was not seen.",
         ("nat", "stopped-after-4"), ("no-reply-yet",),
         basis="RFC 3947 §4: behind a NAT message 5 goes to UDP 4500"),
    Rule("udp-4500-blocked", S.POSSIBLE, 40, "NAT was found, so message 5 goes to UDP 4500; it was not seen so far.",
         ("nat", "stopped-after-4"),
         basis="RFC 3947 §4: behind a NAT message 5 goes to UDP 4500"),
    Rule("udp-4500-blocked", S.RULED_OUT, 0, "No NAT was found and the exchange stays on UDP 500.",
         ("no-nat", "stopped-after-5"), ("floated",),
         basis="RFC 3947 §4: without NAT nothing goes to UDP 4500"),
    Rule("udp-4500-blocked", S.UNLIKELY, 0, "Message 5 goes to UDP 500.", ("stopped-after-5",), ("floated",),
         basis="RFC 3947 §4: message 5 went to UDP 500, so UDP 4500 has no part"),
    Rule("nat-traversal-off", S.POSSIBLE, 60, "What answers for UDP 4500 is the NAT, not the responder itself.",
         ("icmp-port-unreachable-from-peer", "icmp-about-4500", "nat-responder"),
         basis="RFC 3947 §3.2: the address is a NAT's; RFC 1122 §3.2.2.1: nothing listens at it"),
    Rule("nat-traversal-off", S.LIKELY, 96, "The peer says that nothing listens on UDP 4500.",
         ("icmp-port-unreachable-from-peer", "floated"),
         basis="RFC 1122 §3.2.2.1: a host says port unreachable where no program listens on 4500"),
    Rule("nat-traversal-off", S.LIKELY, 85, "NAT was found and message 5 stays on UDP 500.", ("no-float-despite-nat",),
         basis="RFC 3947 §4: an initiator that finds a NAT has to move to UDP 4500"),
    Rule("nat-traversal-off", S.LIKELY, 60, "One end does not announce NAT traversal, and NAT is there.",
         ("no-nat-t-*", "nat"),
         basis="RFC 3947 §3.1: NAT traversal takes the vendor ID of both ends"),
    Rule("nat-traversal-off", S.POSSIBLE, 30, "One end does not announce NAT traversal.",
         ("no-nat-t-*",), ("no-nat", "stopped-after-1", "stopped-after-2", "mm6-sent", "notify-*", "sealed-*"),
         basis="RFC 3947 §3.1: NAT traversal takes the vendor ID of both ends"),
    Rule("nat-traversal-off", S.UNLIKELY, 0, "Both ends announce NAT traversal.", ("floated",),
         basis="RFC 3947 §4: it moves only where both ends announced NAT traversal"),
    Rule("fragments-dropped", S.UNLIKELY, 0, "All fragments get to the receiver's own interface.",
         ("fragments-arrive",),
         basis="RFC 1812 §5.3.1 (TTL), and the habit of all common stacks to begin with 64, 128, 255", habit=True),
    Rule("fragments-dropped", S.CONFIRMED, 95, "A device says, again and again, that fragments did not become whole.",
         ("icmp-reassembly-timeout-*", "repeated-icmp-reassembly-timeout-*"),
         basis="RFC 792, RFC 1122 §3.3.2: said by who had some of the fragments and not all"),
    Rule("fragments-dropped", S.LIKELY, 96, "A device says that the fragments did not become whole in time.",
         ("icmp-reassembly-timeout-*",),
         basis="RFC 792, RFC 1122 §3.3.2: said by who had some of the fragments and not all"),
    Rule("fragments-dropped", S.LIKELY, 95, "Only some of the fragments get to the capture point.",
         ("ip-fragments-missing", "unfinished"), ("no-reply-yet",),
         basis="RFC 791 §3.2, RFC 8200 §4.5, RFC 7383 §2.6: without all fragments no message"),
    Rule("fragments-dropped", S.LIKELY, 95, "Only some of the fragments get to the capture point.",
         ("ike-fragments-missing", "unfinished"), ("no-reply-yet",),
         basis="RFC 7383 §2.6: without all fragments no message; Cisco's of IKEv1 are alike"),
    Rule("fragments-dropped", S.LIKELY, 92, "Small messages passed; the large one leaves in fragments, unanswered.",
         ("large-message-in-fragments-unanswered",), ("no-reply-yet",), ("silence-after-*", "auth-certificates"),
         basis="firewalls that drop fragments (lab; source document)", habit=True),
    Rule("fragments-dropped", S.POSSIBLE, 55, "Only some of the fragments were captured so far.",
         ("*-fragments-missing",),
         basis="RFC 791 §3.2, RFC 8200 §4.5, RFC 7383 §2.6: without all fragments no message"),
    Rule("fragments-dropped", S.POSSIBLE, 50, "The message leaves in fragments, and had no answer so far.",
         ("large-message-in-fragments-unanswered",),
         basis="firewalls that drop fragments (lab; source document)", habit=True),
    Rule("fragments-dropped", S.LIKELY, 80, "A device on the way says that the datagrams are too large.",
         ("icmp-too-big-*",), (),
         basis="RFC 792 (3, 4), RFC 4443 §3.2: too large for the next hop"),
    Rule("fragments-dropped", S.POSSIBLE, 55, "The unanswered message is large: it may be fragmented further on.",
         ("large-message-unanswered",),
         basis="RFC 791 §3.2: what is larger than a link's MTU is fragmented or dropped there"),
    Rule("fragments-dropped", S.POSSIBLE, 40, "With certificates message 5 is large: it may be lost in fragments.",
         ("auth-certificates", "stopped-after-4"),
         basis="RFC 2409 §5.1: message 5 holds the certificates"),
    Rule("psk-mismatch", S.RULED_OUT, 0, "Authentication is not by a pre-shared key.", ("auth-certificates",),
         basis="RFC 2409 §5.1–5.3: these methods use no pre-shared key"),
    Rule("psk-mismatch", S.RULED_OUT, 0, "The responder accepted message 5, which the key protects.", ("mm6-sent",),
         basis="RFC 2409 §5.4: message 6 follows once message 5 is deciphered and HASH_I checked"),
    Rule("psk-mismatch", S.LIKELY, 92, "The responder's key is none of those given; the initiator refused its hash.",
         ("psk-of-responder-differs", "refused-by-initiator"),
         basis="RFC 2409 §5.4: HASH_R is made with the pre-shared key"),
    Rule("psk-mismatch", S.POSSIBLE, 62, "The responder's key is none of those given; which the initiator has is open.",
         ("psk-of-responder-differs", "unfinished"), (), ("sealed-refusal-*",),
         basis="RFC 2409 §5.4: HASH_R is made with the pre-shared key"),
    Rule("psk-mismatch", S.CONFIRMED, 99, "The two ends' hashes were made with different keys.",
         ("psk-of-responder-matches", "psk-of-initiator-differs"),
         basis="RFC 2409 §5.4: HASH_R and HASH_I are each made with the key of their sender"),
    Rule("psk-mismatch", S.UNLIKELY, 0, "The responder has the given key; if the initiator has it too, the keys agree.",
         ("psk-of-responder-matches",),
         basis="RFC 2409 §5.4: HASH_R is made with the responder's key, here the given one"),
    Rule("psk-mismatch", S.LIKELY, 70, "Message 5, which the key protects, was answered with an Informational.",
         ("unseen-message-5-refused",), ("inconclusive",),
         basis="RFC 2409 §5.4: message 5 is the first that the key protects"),
    Rule("psk-mismatch", S.POSSIBLE, 60, "Message 5, which the key protects, was answered with an Informational.",
         ("unseen-message-5-refused",),
         basis="RFC 2409 §5.4: message 5 is the first that the key protects"),
    Rule("psk-mismatch", S.POSSIBLE, 50, "libreswan heeds no refusal; the responder gave up at once.",
         ("refusal-once", "initiator-repeats-like-libreswan"),
         basis="libreswan 4.10 heeds no refusal; strongSwan 5.9 answers each copy it cannot read (lab)", habit=True),
    Rule("psk-mismatch", S.POSSIBLE, 45, "Where it cannot read message 5, such a responder says nothing; it did.",
         ("sealed-refusal-by-responder", "responder-repeats-like-libreswan"),
         basis="libreswan 4.10 says nothing where it cannot read message 5 (lab notes)", habit=True),
    Rule("psk-mismatch", S.LIKELY, 95, "The initiator goes on as if it could not read the encrypted answer.",
         ("sealed-refusal-by-responder", "refusal-not-understood"), (), ("refusal-too-short-to-name-sa", "nat"),
         basis="strongSwan 5.9 repeats only behind a refusal that it cannot read (lab)", habit=True),
    Rule("psk-mismatch", S.UNLIKELY, 20, "The initiator understood the encrypted answer, so the keys agree.",
         ("sealed-refusal-by-responder", "refusal-understood"),
         basis="RFC 2409 §5.7: who heeds an encrypted notify could read it, so the keys agree"),
    Rule("psk-mismatch", S.LIKELY, 90, "Deciphering with another key gives garbage, and this is how it is reported.",
         ("stopped-after-5",), (), (), ("notify-payload-malformed", "notify-unequal-payload-lengths"),
         basis="RFC 2409 §5.4: message 5 deciphered with another key is no row of payloads"),
    Rule("psk-mismatch", S.LIKELY, 85, "The responder reports that what it deciphered makes no sense.",
         ("notify-invalid-*", "stopped-after-5"),
         basis="RFC 2409 §5.4: message 5 deciphered with another key is no row of payloads"),
    Rule("psk-mismatch", S.POSSIBLE, 55, "The responder reports that authentication failed, of whatever kind.",
         ("notify-authentication-failed", "stopped-after-5"),
         basis="RFC 2408 §3.14.1: AUTHENTICATION-FAILED does not say of what"),
    Rule("psk-mismatch", S.LIKELY, 90, "The initiator checks the responder's hash first here, and refused it.",
         ("sealed-refusal-by-initiator", "stopped-after-2", "auth-psk"),
         basis="RFC 2409 §5.4: message 2 holds HASH_R, the first proof of the key, and was refused"),
    Rule("psk-mismatch", S.LIKELY, 90, "The initiator checks the responder's hash first here, and says it is wrong.",
         ("notify-invalid-hash-information", "refused-by-initiator", "aggressive"),
         basis="RFC 2409 §5.4: message 2 of Aggressive Mode holds HASH_R; libreswan says so"),
    Rule("psk-mismatch", S.LIKELY, 75, "The initiator checks the responder's hash first here, and went no further.",
         ("initiator-does-not-repeat", "aggressive", "auth-psk", "vantage-initiator"), ("scan-like",),
         basis="RFC 1812 §5.3.1 (TTL), and the habit of all common stacks to begin with 64, 128, 255", habit=True),
    Rule("psk-mismatch", S.POSSIBLE, 50, "The initiator checks the responder's hash first here; nothing more is seen.",
         ("initiator-does-not-repeat", "aggressive", "auth-psk"), ("scan-like",),
         basis="RFC 2409 §5.4: message 2 holds HASH_R, the first proof of the key"),
    Rule("psk-mismatch", S.LIKELY, 75, "The answer complains of the message, as when it deciphers to garbage.",
         ("sealed-refusal-by-responder", "refusal-too-short-to-name-sa"),
         basis="strongSwan 5.9 says PAYLOAD_MALFORMED alone where it cannot read message 5 (lab)", habit=True),
    Rule("psk-mismatch", S.POSSIBLE, 40, "It cannot be told from here whether the initiator could read the answer.",
         ("sealed-refusal-by-responder",),
         basis="RFC 2409 §5.7: it is encrypted, and whether it could be read does not show"),
    Rule("psk-mismatch", S.LIKELY, 80, "The responder repeats message 4: it has not accepted any message 5.",
         ("responder-repeats-behind-answer", "stopped-after-5"), ("floated", "no-reply-yet"),
         basis="libreswan 4.10 repeats message 4 while it can read no message 5 (lab notes)", habit=True),
    Rule("psk-mismatch", S.LIKELY, 72, "Message 5 gets to the responder, which is silent: it may not decipher it.",
         ("silence-after-mm5", "auth-psk", "vantage-responder"), ("large-message-in-fragments-unanswered",),
         basis="libreswan 4.10 (notes), FortiGate (reported) are silent where they cannot read; by TTL", habit=True),
    Rule("psk-mismatch", S.LIKELY, 80, "The initiator had the responder's hash and goes no further.",
         ("responder-repeats-last", "stopped-after-2", "aggressive", "auth-psk", "vantage-initiator"),
         ("back-icmp-*", "scan-like"),
         basis="RFC 2409 §5.4: message 2 holds HASH_R, the first proof of the key; none follows it"),
    Rule("psk-mismatch", S.POSSIBLE, 60, "The initiator may have had the responder's hash and refused it.",
         ("responder-repeats-last", "stopped-after-2", "aggressive", "auth-psk"),
         basis="RFC 2409 §5.4: message 2 holds HASH_R, the first proof of the key; none follows it"),
    Rule("psk-mismatch", S.POSSIBLE, 58, "Message 3 passed this way; a responder that cannot decipher 5 may be silent.",
         ("silence-after-mm5", "auth-psk"),
         ("floated", "large-message-in-fragments-unanswered"),
         basis="libreswan, FortiGate say nothing to a message 5 that they cannot read (lab, logs)", habit=True),
    Rule("psk-mismatch", S.POSSIBLE, 45, "A responder that cannot decipher message 5 is often silent.",
         ("silence-after-mm5",),
         basis="libreswan 4.10 (lab notes), FortiGate (reported) are silent where they cannot read it", habit=True),
    Rule("psk-mismatch", S.UNLIKELY, 0, "The answer holds the responder's proof, and it came after the initiator's.",
         ("ike-auth-without-child",),
         basis="RFC 7296 §1.2, §2.15: AUTH in the response comes after the initiator's was checked"),
    Rule("psk-mismatch", S.POSSIBLE, 50, "The user's proof is made with a password, the gateways' may be with a key.",
         ("v2-auth-refused*", "eap-rounds"),
         basis="RFC 7296 §2.16: with EAP the initiator proves itself by the user's secret"),
    Rule("psk-mismatch", S.LIKELY, 80, "The responder refused the initiator's authentication.", ("v2-auth-refused",),
         basis="RFC 7296 §2.21.2: a response without AUTH refuses the initiator"),
    Rule("psk-mismatch", S.LIKELY, 70, "The initiator refused the responder's authentication.",
         ("v2-auth-refused-by-initiator",), ("certificate-requested", "eap-rounds"),
         basis="RFC 7296 §2.21.2: the initiator had the responder's AUTH and refused it"),
    Rule("psk-mismatch", S.POSSIBLE, 35, "A responder that cannot decipher message 5 is often silent.",
         ("no-reply-yet", "stopped-after-5"),
         basis="libreswan 4.10 (lab notes), FortiGate (reported) are silent where they cannot read it", habit=True),
    *(Rule("psk-mismatch", S.UNLIKELY, 0, "It stops before the first message that the key protects.",
           (f"stopped-after-{number}", "main"),
         basis="RFC 2409 §5.4: nothing before message 5 is protected by the key") for number in (1, 2, 3, 4)),
    Rule("identity-mismatch", S.POSSIBLE, 55, "The identity is checked together with the key.",
         ("unseen-message-5-refused",),
         basis="RFC 2409 §5.4: the identity stands beside the proof, in one message"),
    Rule("identity-mismatch", S.LIKELY, 90, "The initiator had message 6 and refused it; the keys agree.",
         ("initiator-refused-mm6", "auth-psk"),
         basis="RFC 2409 §5.4: message 6 is made with the key that agrees; its identity is left"),
    Rule("identity-mismatch", S.LIKELY, 75, "The initiator had message 6 and refused it.", ("initiator-refused-mm6",),
         basis="RFC 2409 §5.1: message 6 holds the identity beside certificate and signature"),
    Rule("identity-mismatch", S.LIKELY, 85, "The answer was understood, so the keys agree; the identity remains.",
         ("sealed-refusal-by-responder", "refusal-understood", "auth-psk"),
         basis="RFC 2409 §5.7: who heeds it could read it; of message 5 the identity is left"),
    Rule("identity-mismatch", S.LIKELY, 70, "The responder refused what message 5 says of the initiator.",
         ("sealed-refusal-by-responder", "auth-certificates"),
         basis="RFC 2409 §5.1: message 5 holds the identity beside certificate and signature"),
    Rule("identity-mismatch", S.LIKELY, 70, "The answer may name the SA, as a refusal after deciphering does.",
         ("sealed-refusal-by-responder", "refusal-may-name-sa"), ("refusal-not-understood",),
         basis="strongSwan 5.9: only a refusal after deciphering can name the SA (lab)", habit=True),
    Rule("identity-mismatch", S.LIKELY, 88, "The initiator heeds no refusal; the responder read it, and gave up.",
         ("refusal-once", "initiator-repeats-like-libreswan", "auth-psk"),
         basis="libreswan 4.10 heeds no refusal; strongSwan 5.9 answers each copy it cannot read (lab)", habit=True),
    Rule("identity-mismatch", S.LIKELY, 88, "Where it cannot read message 5, such a responder says nothing.",
         ("sealed-refusal-by-responder", "responder-repeats-like-libreswan", "auth-psk"),
         basis="libreswan 4.10 says nothing where it cannot read message 5 (lab notes)", habit=True),
    Rule("identity-mismatch", S.LIKELY, 75, "Message 6 gets to the initiator, which does not seem to take it.",
         ("initiator-does-not-take-answer", "stopped-after-6"), ("no-reply-yet",),
         basis="libreswan 4.10 repeats message 5 behind a message 6 it does not take (lab); by TTL", habit=True),
    Rule("identity-mismatch", S.POSSIBLE, 50, "What IKE_AUTH made was deleted at once: one end does not want it.",
         ("deleted-at-once-by-*",),
         basis="Cisco deletes at once an SA that it does not want (third-party)", habit=True),
    Rule("identity-mismatch", S.LIKELY, 90, "The other end objects to the identity.",
         ("notify-invalid-id-information",), (), (), ("stopped-after-5", "stopped-after-6", "aggressive"),
         basis="RFC 2408 §3.14.1: INVALID-ID-INFORMATION; libreswan says so of certificates too"),
    Rule("identity-mismatch", S.POSSIBLE, 50, "The other end objects to an identity, before one was sent.",
         ("notify-invalid-id-information",),
         basis="RFC 2409 §5: identities come in messages 5 and 6"),
    Rule("identity-mismatch", S.LIKELY, 80, "Message 1 of Aggressive Mode names the initiator, and was refused.",
         ("aggressive", "notify-authentication-failed", "stopped-after-1"),
         basis="strongSwan 5.9: AUTHENTICATION_FAILED to message 1 of Aggressive Mode (lab)", habit=True),
    Rule("identity-mismatch", S.POSSIBLE, 60, "The identity is checked together with the key.",
         ("notify-authentication-failed",),
         basis="RFC 2409 §5.4: the identity stands beside the proof, in one message"),
    Rule("identity-mismatch", S.POSSIBLE, 50, "The identity is checked together with the key.",
         ("sealed-refusal-by-*",),
         basis="RFC 2409 §5.4: the identity stands beside the proof, in one message"),
    Rule("identity-mismatch", S.POSSIBLE, 60, "The identity is checked together with the key.", ("v2-auth-refused*",),
         basis="RFC 7296 §1.2: IKE_AUTH holds the identity beside the proof"),
    Rule("certificate-rejected", S.RULED_OUT, 0, "Authentication is by a pre-shared key.", ("auth-psk",),
         basis="RFC 2409 §5.4: with a pre-shared key no certificate is used"),
    Rule("certificate-rejected", S.LIKELY, 90, "The initiator had the responder's certificate and refused it.",
         ("initiator-refused-mm6", "auth-certificates"),
         basis="RFC 2409 §5.1: message 6 holds the responder's certificate and signature"),
    Rule("certificate-rejected", S.LIKELY, 78, "Message 6 gets to the initiator, which does not seem to take it.",
         ("initiator-does-not-take-answer", "stopped-after-6", "auth-certificates"),
         ("no-reply-yet",),
         basis="libreswan 4.10 repeats message 5 behind a message 6 it does not take (lab); by TTL", habit=True),
    Rule("certificate-rejected", S.LIKELY, 85, "The responder had the initiator's certificate and refused it.",
         ("sealed-refusal-by-responder", "auth-certificates"),
         basis="RFC 2409 §5.1: message 5 holds the initiator's certificate and signature"),
    Rule("certificate-rejected", S.LIKELY, 90, "The other end objects to the certificate.", ("notify-*certificate*",),
         basis="RFC 2408 §5.9, §5.10: such a notify objects to the certificate"),
    Rule("certificate-rejected", S.LIKELY, 85, "The other end objects to the signature.",
         ("notify-invalid-signature",),
         basis="RFC 2408 §5.12: INVALID-SIGNATURE objects to the proof made with the certificate"),
    Rule("certificate-rejected", S.POSSIBLE, 55, "The responder shows a certificate here; the user proves by EAP.",
         ("v2-auth-refused*", "eap-rounds"),
         basis="RFC 7296 §2.16: before EAP the responder proves itself with a signature"),
    Rule("certificate-rejected", S.LIKELY, 82, "Certificates are used, and authentication was refused.",
         ("v2-auth-refused*", "certificate-requested"),
         basis="RFC 7296 §1.2: CERTREQ asks for certificates, and the proof was refused"),
    Rule("certificate-rejected", S.POSSIBLE, 40, "If certificates are used, one may have been refused.",
         ("v2-auth-refused*",),
         basis="RFC 7296 §1.2: IKE_AUTH may hold certificates; it is encrypted"),
    Rule("auth-method-mismatch", S.POSSIBLE, 55, "The methods are compared when the peer is known, at message 5.",
         ("sealed-refusal-by-responder", "refusal-may-name-sa"), ("refusal-not-understood",),
         basis="strongSwan 5.9 compares the methods at message 5 (lab)", habit=True),
    Rule("auth-method-mismatch", S.POSSIBLE, 50, "A responder that wants certificates of this peer has no key for it.",
         ("notify-invalid-key-information", "stopped-after-3"), ("auth-certificates",),
         basis="strongSwan 5.9 (lab notes), Openswan (report): notify 17 where it has no key", habit=True),
    Rule("auth-method-mismatch", S.POSSIBLE, 45, "The responder may want another method from this peer.",
         ("v2-auth-refused",),
         basis="RFC 7296 §2.15: each end has a method of its own, which the other has to accept"),
    Rule("auth-method-mismatch", S.POSSIBLE, 45, "The responder may want another method from this peer.",
         ("notify-authentication-failed",),
         basis="RFC 2408 §5.11, §5.12: said of a proof, whichever method it is of"),
    Rule("auth-method-mismatch", S.POSSIBLE, 35, "The proposals also say how to authenticate.",
         ("notify-no-proposal-chosen", "stopped-after-1"),
         basis="RFC 2409 §4: the method is an attribute of the proposals"),
    Rule("mode-mismatch", S.LIKELY, 90, "Aggressive Mode was refused at message 1, before any proof was sent.",
         ("aggressive", "notify-*", "stopped-after-1"), ("notify-no-proposal-chosen",),
         basis="strongSwan 5.9: AUTHENTICATION_FAILED where it does Main Mode only (lab)", habit=True),
    Rule("mode-mismatch", S.POSSIBLE, 75, "Aggressive Mode may be what the responder does not do.",
         ("aggressive", "notify-no-proposal-chosen", "stopped-after-1"),
         basis="no wire seen: NO_PROPOSAL_CHOSEN where Aggressive Mode is not done", habit=True),
    Rule("mode-mismatch", S.LIKELY, 75, "Many responders do not answer Aggressive Mode at all.",
         ("aggressive", "silence-after-am1"),
         basis="libreswan 4.10 says nothing to an Aggressive Mode that it does not do (lab)", habit=True),
    Rule("mode-mismatch", S.LIKELY, 80, "The same peers complete with another mode.", ("other-mode-completes",),
         basis="RFC 2409 §5: modes are set up one by one; the other one completes"),
    Rule("mode-mismatch", S.POSSIBLE, 45, "A responder that wants Aggressive Mode from this peer refuses at message 5.",
         ("sealed-refusal-by-responder", "refusal-may-name-sa", "main"), ("refusal-not-understood",),
         basis="strongSwan 5.9 set up for Aggressive Mode refuses Main Mode at message 5 (lab)", habit=True),
    Rule("wrong-tunnel-group-address", S.POSSIBLE, 50, "Main Mode finds the key by address, and NAT changes that.",
         ("nat", "auth-psk", "sealed-refusal-by-responder"),
         basis="RFC 2409 §5.4: Main Mode finds the key by address, which a NAT changes"),
    Rule("peer-lost", S.LIKELY, 60, "The initiator's own host answers that nothing listens there any more.",
         ("back-icmp-port-unreachable-from-peer",),
         basis="RFC 1122 §3.2.2.1: the initiator's host says that no program listens there"),
    Rule("xauth-failed", S.LIKELY, 92, "It was refused after several rounds of user authentication.",
         ("v2-auth-refused*", "eap-rounds"),
         basis="RFC 7296 §2.16: EAP takes further IKE_AUTH rounds"),
    Rule("phase2-proposal-mismatch", S.POSSIBLE, 45, "Some responders refuse all of IKE_AUTH for its Child SA.",
         ("v2-auth-refused",), ("eap-rounds",),
         basis="OpenIKED 7.2 refuses all of IKE_AUTH for its Child SA (lab)", habit=True),
    # --- IKEv2 stops behind IKE_SA_INIT
    Rule("udp-4500-blocked", S.LIKELY, 85, "NAT was found, so IKE_AUTH goes to UDP 4500; it does not get here.",
         ("nat", "stopped-after-ike-sa-init-response", "vantage-responder"), ("no-reply-yet",),
         basis="RFC 1812 §5.3.1 (TTL), and the habit of all common stacks to begin with 64, 128, 255", habit=True),
    Rule("udp-4500-blocked", S.POSSIBLE, 55, "IKE_AUTH may go to UDP 4500; it was not seen: is that port captured?",
         ("stopped-after-ike-sa-init-response",),
         basis="RFC 7296 §2.23, RFC 4555 §3.3: IKE_AUTH may go to UDP 4500"),
    Rule("path-loss", S.LIKELY, 75, "Captured at the responder: the initiator's IKE_AUTH never gets here.",
         ("stopped-after-ike-sa-init-response", "vantage-responder", "stalled"), ("scan-like", "no-reply-yet"),
         basis="RFC 1812 §5.3.1 (TTL), and the habit of all common stacks to begin with 64, 128, 255", habit=True),
    Rule("path-loss", S.POSSIBLE, 50, "Nothing of IKE_AUTH is seen: not sent, or lost before here.",
         ("stopped-after-ike-sa-init-response",), ("scan-like",),
         basis="RFC 791 §1.2: IP promises no delivery; a message or its answer may be lost"),
    Rule("vendor-difference", S.LIKELY, 65, "The initiator had the answer, and sends nothing on: it did not like it.",
         ("stopped-after-ike-sa-init-response", "vantage-initiator", "stalled"),
         ("scan-like", "no-reply-yet", "back-icmp-*"),
         basis="RFC 1812 §5.3.1 (TTL), and the habit of all common stacks to begin with 64, 128, 255", habit=True),
    *(Rule(cause, S.POSSIBLE, weight, "IKE_AUTH gets to the responder, which says nothing.",
           ("silence-after-ike-auth-request", "vantage-responder"),
         basis="reported of a responder (g07) that says nothing to IKE_AUTH; by TTL", habit=True)
      for cause, weight in (("identity-mismatch", 40), ("unknown-peer", 38), ("certificate-rejected", 36))),
    # --- behind phase 1
    Rule("path-loss", S.POSSIBLE, 50, "The tunnel is up, and ESP passes one way only.", ("esp-one-way",),
         basis="RFC 791 §1.2: IP promises no delivery; ESP is seen one way only"),
    Rule("phase2-selector-mismatch", S.POSSIBLE, 55, "ESP passes one way: traffic may be selected at one end only.",
         ("esp-one-way",),
         basis="RFC 4301 §5.1: each end selects for itself what goes into the tunnel"),
    Rule("phase2-proposal-mismatch", S.POSSIBLE, 40, "The responder took a proposal; the initiator refuses its answer.",
         ("phase2-choice-refused",),
         basis="RFC 2409 §5.5, RFC 2408 §4.2: message 2 holds the choice, and the initiator checks it"),
    Rule("phase2-selector-mismatch", S.POSSIBLE, 45, "The responder took the networks, or named others in its answer.",
         ("phase2-choice-refused",),
         basis="RFC 2409 §5.5: message 2 holds the client identities too, and the initiator checks them"),
    Rule("pfs-mismatch", S.POSSIBLE, 30, "The responder took what QM1 says of PFS; the initiator refuses its answer.",
         ("phase2-choice-refused",),
         basis="RFC 2409 §5.5: message 2 has KE where PFS was chosen, and the initiator checks it"),
    Rule("vendor-difference", S.POSSIBLE, 50, "The initiator has no use for the responder's choice: its log says why.",
         ("phase2-choice-refused",),
         basis="RFC 2409 §5.5: message 2 holds the choice, and the initiator refuses it"),
    Rule("phase2-proposal-mismatch", S.LIKELY, 80, "Phase 1 is up, and Quick Mode was refused.", ("phase2-refused",),
         basis="RFC 2409 §5.5: Quick Mode agrees on the proposals, and was refused"),
    Rule("phase2-proposal-mismatch", S.POSSIBLE, 40, "Some responders do not answer a proposal they refuse.",
         ("phase2-unanswered",),
         basis="libreswan 4.10 leaves a Quick Mode unanswered (lab)", habit=True),
    Rule("phase2-proposal-mismatch", S.LIKELY, 80, "IKE_AUTH proved both ends, and made no Child SA.",
         ("ike-auth-without-child",),
         basis="RFC 7296 §1.2, §2.21.2: AUTH without SA and TS: the Child SA alone was refused"),
    Rule("phase2-selector-mismatch", S.LIKELY, 75, "Phase 1 is up, and Quick Mode was refused.", ("phase2-refused",),
         basis="RFC 2409 §5.5: Quick Mode agrees on the client identities, and was refused"),
    Rule("phase2-selector-mismatch", S.LIKELY, 75, "IKE_AUTH proved both ends, and made no Child SA.",
         ("ike-auth-without-child",),
         basis="RFC 7296 §1.2, §2.21.2: AUTH without SA and TS: the Child SA alone was refused"),
    Rule("phase2-selector-mismatch", S.POSSIBLE, 45, "Some responders do not answer networks they do not know.",
         ("phase2-unanswered",),
         basis="libreswan 4.10 leaves a Quick Mode unanswered (lab)", habit=True),
    Rule("phase2-proposal-mismatch", S.LIKELY, 75, "A CREATE_CHILD_SA was refused.", ("child-sa-refused",),
         basis="RFC 7296 §1.3: CREATE_CHILD_SA agrees on the proposals, and was refused"),
    Rule("phase2-selector-mismatch", S.POSSIBLE, 50, "A CREATE_CHILD_SA was refused.", ("child-sa-refused",),
         basis="RFC 7296 §1.3: CREATE_CHILD_SA agrees on the selectors, and was refused"),
    Rule("pfs-mismatch", S.LIKELY, 80, "PFS shows first in CREATE_CHILD_SA (RFC 7296 §1.2), and this was refused.",
         ("child-sa-refused",),
         basis="RFC 7296 §1.2, §1.3: CREATE_CHILD_SA is the first that has a KE of its own"),
    Rule("pfs-mismatch", S.LIKELY, 78, "Quick Mode was refused, and its first message has room for a KE payload.",
         ("phase2-refused", "quick-mode-room-for-ke"),
         basis="RFC 2409 §5.5: KE in Quick Mode is PFS, and there is room for it"),
    Rule("pfs-mismatch", S.LIKELY, 70, "Quick Mode was refused; it has no PFS, which the other end may want.",
         ("phase2-refused", "quick-mode-without-*"),
         basis="strongSwan 5.9: who demands PFS refuses its absence as a proposal (lab notes)", habit=True),
    Rule("pfs-mismatch", S.LIKELY, 70, "Phase 1 is up, and Quick Mode was refused.", ("phase2-refused",),
         basis="RFC 2409 §5.5: Quick Mode agrees on KE and its group, and was refused"),
    Rule("pfs-mismatch", S.POSSIBLE, 30, "Some responders do not answer a Quick Mode with PFS that they do not want.",
         ("phase2-unanswered",),
         basis="libreswan 4.10 leaves a Quick Mode unanswered (lab)", habit=True),
    Rule("pfs-mismatch", S.UNLIKELY, 10, "PFS has no part before Quick Mode (RFC 2409 §5.5), and this stops earlier.",
         ("unfinished", "stopped-after-*"),
         basis="RFC 2409 §5.5, RFC 7296 §1.3: PFS has no part before phase 1 is done"),
    *(Rule(cause, S.RULED_OUT, 0, "Quick Mode completed.", ("phase2-completed",),
         basis="RFC 2409 §5.5: Quick Mode completes once all of it is agreed on")
      for cause in ("phase2-proposal-mismatch", "phase2-selector-mismatch", "pfs-mismatch")),
    Rule("xauth-failed", S.LIKELY, 85, "The responder asked the user, told the result, and nothing followed.",
         ("xauth-leads-nowhere",), (), ("auth-xauth",),
         basis="strongSwan 5.9 stops so after a wrong password (lab)", habit=True),
    Rule("xauth-failed", S.POSSIBLE, 60, "The responder asked the user and told a result; the rest is not captured.",
         ("xauth-result-unknown",), (), ("auth-xauth",),
         basis="strongSwan 5.9 stops so after a wrong password (lab)", habit=True),
    Rule("peer-lost", S.LIKELY, 85, "It worked, then one end stopped answering.", ("dpd-unanswered",), (),
         ("later-icmp-*",),
         basis="RFC 3706 §5.5: R-U-THERE without an answer: the peer is gone"),
    Rule("peer-lost", S.LIKELY, 85, "It worked, then one end stopped answering.", ("v2-request-unanswered",),
         basis="RFC 7296 §2.4: a request without an answer: the peer is gone"),
    Rule("peer-lost", S.LIKELY, 80, "It worked, then the other end was out of reach.", ("later-icmp-*",),
         basis="RFC 792: what was heard before is out of reach"),
    Rule("peer-lost", S.POSSIBLE, 45, "Phase 1 worked, and the other end does not answer phase 2.",
         ("phase2-unanswered",),
         basis="RFC 791 §1.2: heard in phase 1, and not since"),
    Rule("stale-sa", S.POSSIBLE, 50, "A peer that restarted does not answer for an SA that it no longer knows.",
         ("dpd-unanswered",), ("later-icmp-port-unreachable-*",),
         basis="strongSwan 5.9, restarted, says nothing to cookies it does not know (lab)", habit=True),
    Rule("stale-sa", S.POSSIBLE, 42, "A peer that restarted does not know the SA, and says nothing to it.",
         (), (), (), ("phase2-unanswered", "v2-request-unanswered"),
         basis="strongSwan 5.9, restarted, says nothing to cookies it does not know (lab)", habit=True),
    Rule("stale-sa", S.LIKELY, 70, "The other end says that it does not know these cookies.",
         ("notify-invalid-cookie", "unknown"),
         basis="RFC 2408 §5.2: INVALID-COOKIE is said of cookies that are not known"),
    Rule("stale-sa", S.POSSIBLE, 40, "The other end says that it does not know these cookies.",
         ("notify-invalid-cookie",),
         basis="RFC 2408 §5.2: INVALID-COOKIE is said of cookies that are not known"),
    Rule("no-interesting-traffic", S.RULED_OUT, 0, "The initiator did try.", ("unfinished", "stopped*"),
         basis="RFC 2409 §5: an initiator that sends has traffic, or an order, to do so"),
    # --- where nothing better is known: each stop has a cause that can be
    Rule("psk-mismatch", S.POSSIBLE, 40, "Message 5 is the first that the key protects, and it was refused.",
         ("refused-by-responder", "stopped-after-5"),
         basis="RFC 2409 §5.4: message 5 is the first that the key protects, and was refused"),
    Rule("psk-mismatch", S.POSSIBLE, 40, "Message 3 holds the initiator's proof, and it was refused.",
         ("refused-by-responder", "stopped-after-3", "aggressive"),
         basis="RFC 2409 §5.4: message 3 holds HASH_I, and was refused"),
    Rule("psk-mismatch", S.POSSIBLE, 40, "Message 2 holds the responder's proof, and it was refused.",
         ("refused-by-initiator", "stopped-after-2", "aggressive"),
         basis="RFC 2409 §5.4: message 2 holds HASH_R, the first proof of the key, and was refused"),
    Rule("identity-mismatch", S.POSSIBLE, 38, "The message that was refused says who its sender is.",
         ("refused-by-responder",), (), (), ("stopped-after-5",),
         basis="RFC 2409 §5: the message that was refused names its sender"),
    Rule("identity-mismatch", S.POSSIBLE, 38, "The message that was refused says who its sender is.",
         ("refused-by-*", "aggressive"),
         basis="RFC 2409 §5: the message that was refused names its sender"),
    Rule("auth-method-mismatch", S.POSSIBLE, 35, "The ends may want different methods of authentication.",
         ("refused-by-*",), (), (), ("stopped-after-2", "stopped-after-4", "stopped-after-5"),
         basis="RFC 2409 §4: the method has to fit both ends, and a message was refused"),
    Rule("certificate-rejected", S.POSSIBLE, 45, "Certificates are used, and a message was refused.",
         ("refused-by-*", "auth-certificates"),
         basis="RFC 2409 §5.1: the proof is made with a certificate, and a message was refused"),
    Rule("vendor-difference", S.POSSIBLE, 30, "The ends do not take each other's messages.", ("refused-by-*",),
         basis="RFC 2408 §5: what an end cannot take it refuses"),
    Rule("path-loss", S.POSSIBLE, 20, "The capture sees one direction: of the other nothing can be told.",
         ("one-direction",),
         basis="IP: of a direction that is not captured nothing shows"),
    Rule("vendor-difference", S.POSSIBLE, 28, "Nothing goes on behind the answer: the initiator may not have taken it.",
         ("stopped-after-ike-*-response", "stalled"), ("scan-like",),
         basis="RFC 7296 §1.2: the next request is the initiator's to send, and is not seen"),
    Rule("identity-mismatch", S.POSSIBLE, 30, "The answer says who the responder is, and nothing goes on behind it.",
         ("stopped-after-ike-auth-response", "stalled"),
         basis="RFC 7296 §2.15: the answer holds IDr, and nothing follows"),
    Rule("path-loss", S.POSSIBLE, 20, "What is due may be lost on the way.",
         ("stopped-after-*", "stalled"), ("scan-like",),
         basis="RFC 791 §1.2: IP promises no delivery; a message or its answer may be lost"),
)  # fmt: skip


FROM_KEYS = ("keys-", "ends-keys-")
"""How the kinds begin of which one is there whenever keys were tried."""


def rules_for(kinds: Iterable[str]) -> tuple[Rule, ...]:
    """The rules for evidence of these kinds; what keys showed has some of its own, which come first."""
    if not any(kind.startswith(FROM_KEYS) for kind in kinds):
        return RULES
    from pcapdiag.diagnosis.causes import rules_decrypted as ranking_opened  # needed only where keys are given

    return (*ranking_opened.RULES, *RULES)


@cache
def _by_cause(with_keys: bool) -> dict[str, list[Rule]]:
    """The rules of each cause, in order; `with_keys`: those for what keys showed too."""
    found: dict[str, list[Rule]] = {}
    for rule in rules_for(FROM_KEYS if with_keys else ()):
        found.setdefault(rule.cause, []).append(rule)
    return found


class _Row(Record, frozen=True):
    """What the kinds of evidence alone say of a cause: its rule, and where the document has it."""

    cause: "Cause"
    rule: Rule | None
    document: tuple[tuple[str, int], ...]


class Ranking:
    """Ranks by one knowledge base. What the same kinds of evidence lead to is worked out once.

    A flood has a million exchanges and a handful of combinations of evidence.
    """

    def __init__(self, knowledge: "KnowledgeBase") -> None:
        self._knowledge = knowledge
        self._causes: dict[int, tuple[Cause, ...]] = {}
        self._rows: dict[tuple[frozenset[str], tuple[str, ...]], tuple[_Row, ...]] = {}

    def rank(
        self, evidence: Sequence[Evidence], context: Iterable[str], states: Sequence[str]
    ) -> tuple[RankedCause, ...]:
        """The causes that fit, best first; every cause that the document gives for one of `states` is among them.

        context -- what holds of the exchange as a whole and needs no frame: its mode, and "unfinished"
        """
        ids: dict[str, list[str]] = {kind: [] for kind in context}
        for item in evidence:
            for kind in item.kinds:
                ids.setdefault(kind, []).append(item.id)
        key = (frozenset(ids), tuple(states))
        rows = self._rows.get(key)
        if rows is None:
            rows = self._rows[key] = tuple(self._decide(ids, states))
        return tuple(_ranked(row, ids) for row in rows)

    def _decide(self, kinds: Mapping[str, list[str]], states: Sequence[str]) -> list[_Row]:
        places: dict[str, list[tuple[str, int]]] = {}
        for name in states:
            state = self._knowledge.state(name)
            for entry in state.document if state else ():
                places.setdefault(entry.cause, []).append((name, entry.item))
        rows, rules = [], _by_cause(any(kind.startswith(FROM_KEYS) for kind in kinds))
        version = 2 if "ikev2" in kinds else 1
        if version not in self._causes:
            self._causes[version] = self._knowledge.causes_in(version)
        for cause in self._causes[version]:
            document = tuple(dict.fromkeys(places.get(cause.id, ())))
            rule = next((r for r in rules.get(cause.id, ()) if _fits(r, kinds)), None)
            if rule is not None and version == 2:
                rule = replace(rule, says=in_ikev2(rule.says))
            row = _Row(cause, rule, document)
            if document or (rule is not None and _ranked(row, kinds).leads):
                rows.append(row)
        return sorted(rows, key=lambda row: _place(_ranked(row, kinds)))


def _place(ranked: RankedCause) -> tuple[int, int]:
    return list(Status).index(ranked.status), -ranked.weight


def _ranked(row: _Row, ids: Mapping[str, list[str]]) -> RankedCause:
    cause, rule, document = row.cause, row.rule, row.document
    if rule is None:
        if not cause.visible:
            says = cause.invisible or ""
            return RankedCause(cause, Status.UNDECIDABLE, 0, says, (), (), document)
        says = "Nothing in the capture speaks for it or against it."
        return RankedCause(cause, Status.UNDECIDABLE, 10, says, (), (), document)
    named = (*rule.all_of, *rule.any_of, *rule.also)
    reasons = tuple(dict.fromkeys(i for pattern in named for i in _matching(pattern, ids)))
    against = rule.status in (Status.UNLIKELY, Status.RULED_OUT)
    because, contrary = ((), reasons) if against else (reasons, ())
    return RankedCause(cause, rule.status, rule.weight, rule.says, because, contrary, document)


def _fits(rule: Rule, ids: Mapping[str, list[str]]) -> bool:
    if rule.any_of and not any(_present(p, ids) for p in rule.any_of):
        return False
    return all(_present(p, ids) for p in rule.all_of) and not any(_present(p, ids) for p in rule.none_of)


def _present(pattern: str, kinds: Iterable[str]) -> bool:
    if "*" not in pattern:
        return pattern in kinds
    return any(_like(kind, pattern) for kind in kinds)


def _matching(pattern: str, ids: Mapping[str, list[str]]) -> list[str]:
    return [i for kind, found in ids.items() if _like(kind, pattern) for i in found]


def _like(kind: str, pattern: str) -> bool:
    """Whether a kind fits a pattern in which `*` stands for any letters.

    As `fnmatch` does; that compiles each pattern first, which takes longer than all the ranking of a small capture.
    """
    head, *parts = pattern.split("*")
    if not parts:
        return kind == pattern
    if not kind.startswith(head):
        return False
    at = len(head)
    for part in parts[:-1]:
        at = kind.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return len(kind) - len(parts[-1]) >= at and kind.endswith(parts[-1])
