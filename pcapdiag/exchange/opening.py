"""Opening the encrypted messages of an exchange: which key is its own, and which initialization vector a message has.

In IKEv1 a message can be opened only where the one before it in its chain is known (RFC 2409 appendix B). Ends differ
in what they take for that one when something went wrong, so for each message the last few are tried, the latest first.
"""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from pcapdiag.exchange.model import Exchange, Peer, Side, Step, Unopened
from pcapdiag.ike.decryption import (
    SuiteV1,
    UnopenedError,
    last_block,
    open_v1,
    open_v2,
    phase1_iv,
    phase2_iv,
    suite_v1,
)
from pcapdiag.ike.decryption_keys import KeysV2, KeyTable
from pcapdiag.ike.message import Opened
from pcapdiag.ike.payloads import Identification, KeyExchange

MAX_TRIED = 8
"""Messages before one whose last block is tried as its initialization vector."""


def open_exchange(exchange: Exchange, table: KeyTable) -> Exchange:
    """The exchange with its encrypted messages opened where the table has a key; else as it was.

    Of a message that its key does not open the step says why.
    """
    if any(step.message.header.major == 2 for step in exchange.steps):
        steps = tuple(_steps_v2(exchange, table))
    else:
        steps = tuple(_steps_v1(exchange, table))
    if all(new is old for new, old in zip(steps, exchange.steps, strict=True)):
        return exchange
    initiator, responder = (_named(exchange.peer(side), steps, side) for side in Side)
    return replace(exchange, steps=steps, initiator=initiator, responder=responder)


def _named(peer: Peer, steps: Sequence[Step], side: Side) -> Peer:
    """The peer with the identities that opened messages of phase 1 show."""
    shown = dict.fromkeys(peer.identities)
    for step in steps:
        if step.opened is not None and step.sender is side and (step.number or step.message.header.major == 2):
            found = [p for p in step.opened.payloads if isinstance(p, Identification)]
            for identity in found[:1]:  # of IKEv2's two in a request, the second names the other end
                shown.setdefault(f"{identity.id_type.label} {identity.text}")
    return replace(peer, identities=tuple(shown))


# --- IKEv1 -------------------------------------------------------------------------------------------------------


def _steps_v1(exchange: Exchange, table: KeyTable) -> Iterator[Step]:
    keys = [(row, k.key) for row, k in enumerate(table.v1) if k.initiator_cookie == exchange.initiator_spi]
    sealed = [s for s in exchange.steps if s.encrypted]
    if not keys or not sealed:
        yield from exchange.steps
        return
    try:
        vectors = _Vectors(exchange)
    except UnopenedError as error:
        yield from (_unopened(s, error) if s.encrypted else s for s in exchange.steps)
        return
    for step in exchange.steps:
        if not step.encrypted:
            yield step
            continue
        yield _open_step_v1(step, vectors, keys)
        vectors.passed(step)


def _open_step_v1(step: Step, vectors: "_Vectors", keys: Sequence[tuple[int, bytes]]) -> Step:
    if not step.whole:
        return _unopened(step, UnopenedError("fragments of it are missing"))
    first: UnopenedError | None = None
    for row, key in keys:
        try:
            opened = open_v1(step.message, vectors.suite, key, vectors.of(step), row, vectors.certain(step))
        except UnopenedError as error:
            # What speaks of the message says more than that one of several keys is not its own.
            first = error if first is None or (first.wrong_key and not error.wrong_key) else first
        else:
            return replace(step, opened=opened)
    assert first is not None
    return _unopened(step, first)


class _Vectors:
    """The initialization vectors that may fit, from what went by before.

    Raises UnopenedError where what the first one is made of is not in the capture.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.suite = _suite(exchange)
        self._blocks: dict[int, list[bytes]] = {0: []}
        self._passed: set[tuple[str, int]] = set()
        self._first = [
            phase1_iv(self.suite, i, r)
            for i in _key_exchanges(exchange, Side.INITIATOR)
            for r in _key_exchanges(exchange, Side.RESPONDER)
        ]
        if not self._first:
            raise UnopenedError("the KE payloads, which the first initialization vector is made of, are not there")

    def of(self, step: Step) -> list[bytes]:
        """Those that this message may have, the most probable first."""
        of_phase1 = [*self._blocks[0][: -MAX_TRIED - 1 : -1], *self._first]
        number = step.message.header.message_id
        if number == 0:
            return of_phase1
        before = self._blocks.get(number, [])[: -MAX_TRIED - 1 : -1]
        return before + [phase2_iv(self.suite, block, number) for block in of_phase1]

    def certain(self, step: Step) -> bool:
        """Whether the message before it in its chain went by, so that its vector is among them."""
        before = _BEFORE.get(step.name)
        return step.name in ("MM5", "AM3") or (before is not None and (before, _id_of(before, step)) in self._passed)

    def passed(self, step: Step) -> None:
        """Remember that this message went by."""
        if step.whole and not step.message.cut and last_block(self.suite, step.message):
            self._passed.add((step.name, step.message.header.message_id))
            self._blocks.setdefault(step.message.header.message_id, []).append(last_block(self.suite, step.message))


_BEFORE = {"MM6": "MM5", "QM1": "MM6", "QM2": "QM1", "QM3": "QM2"}
"""The message before it in its chain, of those that have always the same."""


def _id_of(name: str, step: Step) -> int:
    return step.message.header.message_id if name.startswith("QM") else 0


def _suite(exchange: Exchange) -> SuiteV1:
    answers = [s for s in exchange.numbered(2) if s.proposals and s.proposals[0].transforms]
    if not answers:
        raise UnopenedError("message 2, which says the cipher, is not in the capture")
    own = [s for s in answers if s.message.header.responder_spi == exchange.responder_spi]
    return suite_v1((own or answers)[0].proposals[0].transforms[0])


def _key_exchanges(exchange: Exchange, side: Side) -> list[bytes]:
    found = [
        payload.data
        for step in exchange.steps
        if step.sender is side and step.number and not step.encrypted
        for payload in step.message.payloads
        if isinstance(payload, KeyExchange)
    ]
    return list(dict.fromkeys(found))[:4]


# --- IKEv2 -------------------------------------------------------------------------------------------------------


def _steps_v2(exchange: Exchange, table: KeyTable) -> Iterator[Step]:
    rows = list(enumerate(table.v2))
    spis = (exchange.initiator_spi, exchange.responder_spi)
    own = [(n, k) for n, k in rows if (k.initiator_spi, k.responder_spi) == spis]
    # A rekeyed IKE SA has new SPIs, and what writes the table may put its keys under the old ones: an integrity
    # check that passes shows whose they are.
    others = [(n, k) for n, k in rows if k.proves and (n, k) not in own]
    for step in exchange.steps:
        if not step.encrypted:
            yield step
            continue
        opened, error = _try_v2(step, own)
        if opened is None and others and (error is None or error.wrong_key):
            opened, _ = _try_v2(step, others)
            own += [(n, k) for n, k in others if opened is not None and n == opened.key]
            others = [] if opened is None else others
        if opened is not None:
            yield replace(step, opened=opened)
        else:
            yield _unopened(step, error) if error is not None else step


def _try_v2(step: Step, keys: Sequence[tuple[int, KeysV2]]) -> tuple[Opened | None, UnopenedError | None]:
    if not step.whole:
        return None, UnopenedError("fragments of it are missing") if keys else None
    first: UnopenedError | None = None
    for row, key in keys:
        try:
            return open_v2(step.pieces or (step.message,), key, row), None
        except UnopenedError as error:
            first = first or error
    return None, first


def _unopened(step: Step, error: UnopenedError) -> Step:
    return replace(step, unopened=Unopened(str(error), error.wrong_key))
