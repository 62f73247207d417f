"""What is said of each frame in the carved file: a remark a line, no more than the report says.

Wireshark shows them beside the packets, and filters by them: `frame.comment contains "E2"`.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from pcapdiag.capture.datagram import Frame
from pcapdiag.capture.icmp import icmp_name
from pcapdiag.diagnosis.grouping import group
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Sighting, Step
from pcapdiag.report.phrases import headline, one_line
from pcapdiag.report.wording import safe, seconds
from pcapdiag.version import VERSION

MAX_HEADLINES = 20
"""Groups of exchanges whose verdicts stand at the head of the file; the rest is counted."""
MAX_CITED = 400
"""Remarks on one frame: one that began ten thousand exchanges would have as many."""


_OWN, _VERDICT = -1, -2
"""What is said of a frame beside the evidence, which has its number: which message it is; how it ended."""


class Remarks:
    """The remarks of a report, by frame. They are made when a frame is written: a flood has more than memory holds.

    sightings -- say of each frame which message it is, too
    """

    def __init__(self, diagnoses: Sequence[Diagnosis], *, sightings: bool = True) -> None:
        self._diagnoses = diagnoses
        self._several = len(diagnoses) > 1
        self._about: dict[Frame, list[tuple[int, int]]] = {}
        for place, diagnosis in enumerate(diagnoses):
            for frame, what in dict.fromkeys(_cited(diagnosis)):
                if what == _OWN and not sightings:
                    continue
                about = self._about.setdefault(frame, [])
                # Evidence of one exchange cites others, and that of thousands a frame of each.
                if len(about) < MAX_CITED:
                    about.append((place, what))
        self._own_of = lru_cache(64)(self._own)
        self._verdict_of = lru_cache(64)(self._verdict)
        self._evidence_of = lru_cache(4096)(self._evidence)

    def __call__(self, frame: Frame) -> list[str]:
        """What is to be said of that frame, nothing for most."""
        found: dict[str, None] = {}
        for place, what in self._about.get(frame, ()):
            if what == _OWN:
                found.update(dict.fromkeys(self._own_of(place).get(frame, ())))
            elif what == _VERDICT:
                found.update(dict.fromkeys(self._verdict_of(place)))
            else:
                found[self._evidence_of(place, what)] = None
        return list(found)[:MAX_CITED]

    def _own(self, place: int) -> dict[Frame, list[str]]:
        found: dict[Frame, list[str]] = {}
        for frame, text in _sightings(self._diagnoses[place]):
            found.setdefault(frame, []).append(safe(text))
        return found

    def _evidence(self, place: int, number: int) -> str:
        diagnosis = self._diagnoses[place]
        item = diagnosis.evidence[number]
        prefix = f"Exchange {diagnosis.exchange.id} " if self._several else ""
        return safe(f"{prefix}{item.id}: {item.text}")

    def _verdict(self, place: int) -> list[str]:
        return [safe(text) for text in _verdict(self._diagnoses[place])]


def _cited(diagnosis: Diagnosis) -> Iterator[tuple[Frame, int]]:
    """Every frame that something is said of, and what."""
    e = diagnosis.exchange
    for step in e.steps:
        for sighting in (*step.sent, *step.duplicates):
            for frame in sighting.frames:
                yield frame, _OWN
    for error in e.icmp_errors:
        yield error.frame, _OWN
    for number, item in enumerate(diagnosis.evidence):
        for frame in item.frames:
            yield frame, number
    for frame in diagnosis.stop.frames[-1:] or e.steps[-1].frames[-1:]:
        yield frame, _VERDICT


def _sightings(diagnosis: Diagnosis) -> Iterator[tuple[Frame, str]]:
    """Frames of an exchange, and which message each is."""
    e = diagnosis.exchange
    for step in e.steps:
        for number, sighting in enumerate(step.sent):
            yield from _pieces(sighting, f"Exchange {e.id}: {_sent(step, number)}")
        for sighting in step.duplicates:
            yield from _pieces(sighting, f"Exchange {e.id}: {_name(step)}, the same packet recorded again")
    for error in e.icmp_errors:
        version = "ICMPv6" if error.version == 6 else "ICMP"
        yield error.frame, f"Exchange {e.id}: {version} {icmp_name(error)} from {error.source}"


def _name(step: Step) -> str:
    return f"{step.name} from the {step.sender.value}"


def _sent(step: Step, number: int) -> str:
    if not number:
        return _name(step)
    after = seconds(step.sent[number].time - step.first.time)
    return f"{_name(step)}, sent again ({number + 1} of {len(step.sent) + step.uncounted}), {after} after the first"


def _pieces(sighting: Sighting, text: str) -> Iterator[tuple[Frame, str]]:
    """The remark on each frame that carried a part of the message."""
    pieces = len(sighting.frames)
    for place, frame in enumerate(sighting.frames, 1):
        yield frame, f"{text}: part {place} of {pieces}" if pieces > 1 else text


def _verdict(diagnosis: Diagnosis) -> Iterator[str]:
    """Of the last frame that shows the stop: how it ended, and the causes that something speaks for."""
    yield f"Exchange {diagnosis.exchange.id}: {headline(diagnosis, with_cause=False)}"
    for cause in diagnosis.causes:
        if cause.leads:
            because = f" [{', '.join(cause.because)}]" if cause.because else ""
            yield f"{cause.status.value}: {cause.cause.title} ({cause.cause.id}){because}"


def section_comments(names: Iterable[str], diagnoses: Sequence[Diagnosis]) -> list[str]:
    """What stands at the head of the file: where it comes from, and the verdicts in a line each."""
    lines = [f"Carved by pcapdiag {VERSION} out of {', '.join(names)}"]
    groups = group(diagnoses)
    lines += [one_line(found) for found in groups[:MAX_HEADLINES]]
    if len(groups) > MAX_HEADLINES:
        lines.append(f"and {len(groups) - MAX_HEADLINES} more groups of exchanges")
    return [safe(line) for line in lines]
