"""What candidate pre-shared keys say of an Aggressive Mode exchange. No key is ever printed or kept in a report."""

from collections.abc import Sequence

from pcapdiag.capture.datagram import Frame
from pcapdiag.exchange.model import Exchange, Mode
from pcapdiag.record import Record


class KeyCheck(Record, frozen=True):
    """What came of the candidates, for one hash of the exchange.

    of -- "HASH_R" (the responder's) or "HASH_I" (the initiator's)
    place -- which candidate matches, from 1; None where none does
    reason -- why the hash cannot be checked at all; None where it was
    """

    of: str
    place: int | None
    reason: str | None
    frames: tuple[Frame, ...]


def check_keys(exchange: Exchange, keys: Sequence[bytes]) -> list[KeyCheck]:
    """Hold each key against HASH_R and a clear HASH_I (RFC 2409 §5.4); empty where there is no such hash."""
    steps = [next(iter(exchange.numbered(n)), None) for n in (1, 2, 3)]
    first, second, third = steps
    if exchange.mode is not Mode.AGGRESSIVE or first is None or second is None or not keys:
        return []
    from pcapdiag.ike.preshared import Answer, check  # needed only when keys are given

    answers = [check(key, first.message, second.message, third.message if third else None) for key in keys]
    found = []
    for name, step, results in (
        ("HASH_R", second, [a.hash_r for a in answers]),
        ("HASH_I", third, [a.hash_i for a in answers]),
    ):
        if step is None:
            continue
        place = next((n for n, r in enumerate(results, 1) if r.answer is Answer.MATCHES), None)
        reason = results[0].reason if all(r.answer is Answer.UNCHECKED for r in results) else None
        found.append(KeyCheck(name, place, reason, step.first.frames))
    return found
