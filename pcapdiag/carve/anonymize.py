"""Anonymizing: what goes out tells how the exchange went, and not who it was.

One key decides what becomes of every address, name and ciphertext; without it nothing of that can be turned back, with
it addresses can. It is drawn anew each time, or taken from a file, so that several captures are changed alike.
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping

from msgspec.structs import replace

from pcapdiag.capture.datagram import Interface
from pcapdiag.carve.addresses import AddressMap
from pcapdiag.carve.copying import Copied
from pcapdiag.carve.messages import End, Messages
from pcapdiag.carve.packets import Packets
from pcapdiag.carve.pieces import Pieces
from pcapdiag.carve.scramble import Scrambler
from pcapdiag.diagnosis.evidence.case import CERTIFICATES
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.ike.nat_traversal import NAT_T_PORT
from pcapdiag.ike.payloads import Certificate

MIN_KEY = 16
"""Octets of a key that cannot be found by trying."""
IKE_PORT = 500


class AnonymizerKeyError(ValueError):
    """The key is too short. One line."""


class Anonymizer:
    """Changes frames under one key; the same address becomes the same one in all captures.

    secret -- any octets, 16 or more; None: a key that nobody knows. Raises AnonymizerKeyError.
    """

    def __init__(self, secret: bytes | None = None, ports: Collection[int] = ()) -> None:
        if secret is not None and len(secret) < MIN_KEY:
            raise AnonymizerKeyError(f"the key has {len(secret)} octets, {MIN_KEY} are the least")
        secret = secret if secret is not None else secrets.token_bytes(32)
        addresses = AddressMap(_derived(secret, b"addresses"))
        self._scrambler = Scrambler(_derived(secret, b"contents"))
        self._messages = Messages(addresses, self._scrambler)
        self._packets = Packets(addresses, self._scrambler, self._messages, frozenset(ports))
        self._certificates = 0

    def learn(self, diagnoses: Iterable[Diagnosis]) -> None:
        """Which addresses each exchange has, so that NAT-D hashes of these can be made anew."""
        for diagnosis in diagnoses:
            self._messages.learn(diagnosis.exchange.initiator_spi, _ends(diagnosis))
            self._certificates += sum(
                isinstance(p, Certificate) and p.type in CERTIFICATES
                for step in diagnosis.exchange.steps
                for p in step.message.payloads
            )

    def interface(self, interface: Interface) -> Interface:
        """An interface without its name and description."""
        return replace(interface, name="", description="")

    def capture(self, ends: Mapping[int, int]) -> "Capture":
        """The frames of a capture; ends -- of each frame with a fragment, the last frame of that datagram."""
        return Capture(self, Pieces(self._packets, self._scrambler, ends))

    def notes(self) -> Iterator[str]:
        """What is lost."""
        lost = len(self._messages.lost)
        if lost:
            yield (
                f"{lost} NAT-D {'hash is' if lost == 1 else 'hashes are'} of an address that is not in the capture "
                "(a NAT, or a false hash): that there is one still shows, which address it is does not"
            )
        if self._certificates:
            yield "certificates in clear are replaced: what was said of their contents is lost"


class Capture:
    """The frames of one capture, on their way through an anonymizer."""

    def __init__(self, anonymizer: Anonymizer, pieces: Pieces) -> None:
        self._anonymizer = anonymizer
        self._pieces = pieces

    def feed(self, copied: Copied) -> Iterator[tuple[Copied, bytes]]:
        """Take a frame in; the frames that are ready, in order, with their new octets."""
        return self._nameless(self._pieces.feed(copied))

    def finish(self) -> Iterator[tuple[Copied, bytes]]:
        """The capture ends: the frames that were waiting."""
        return self._nameless(self._pieces.finish())

    def _nameless(self, ready: Iterator[tuple[Copied, bytes]]) -> Iterator[tuple[Copied, bytes]]:
        for copied, octets in ready:
            yield replace(copied, interface=self._anonymizer.interface(copied.interface)), octets


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return hmac.digest(secret, b"pcapdiag carve: " + purpose, hashlib.sha256)


def _ends(diagnosis: Diagnosis) -> Iterator[End]:
    """Every address and port that an exchange was seen with."""
    e = diagnosis.exchange
    for step in e.steps:
        for sighting in (*step.sent, *step.duplicates):
            yield sighting.source, sighting.source_port
            yield sighting.destination, sighting.destination_port
    for peer in (e.initiator, e.responder):
        for address in peer.addresses:
            yield from ((address, IKE_PORT), (address, NAT_T_PORT))
