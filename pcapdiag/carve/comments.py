"""What is said of each frame in the carved file: a remark a line, no more than the report says.

Wireshark shows them beside the packets, and filters by them: `frame.comment contains "E2"`.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from pcapdiag.capture.datagram import Frame
from pcapdiag.diagnosis.facts_path import icmp_name
from pcapdiag.diagnosis.grouping import group
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Sighting, Step
from pcapdiag.report.text import headline, one_line
from pcapdiag.report.wording import safe, seconds
from pcapdiag.version import VERSION

MAX_HEADLINES = 20
"""Groups of exchanges whose verdicts stand at the head of the file; the rest is counted."""
MAX_CITED = 400
"""Remarks on one frame: one that began ten thousand exchanges would have as many."""


class Remarks:
    """The remarks of a report, by frame. They are made when a frame is written: a flood has more than memory holds."""

    def __init__(self, diagnoses: Sequence[Diagnosis]) -> None:
        self._diagnoses = diagnoses
        self._several = len(diagnoses) > 1
        self._about: dict[Frame, list[int]] = {}
        for place, diagnosis in enumerate(diagnoses):
            for frame in dict.fromkeys(_cited(diagnosis)):
                self._about.setdefault(frame, []).append(place)
        self._of = lru_cache(64)(self._remarks)

    def __call__(self, frame: Frame) -> list[str]:
        """What is to be said of that frame, nothing for most."""
        return [text for place in self._about.get(frame, ()) for text in self._of(place).get(frame, ())][:MAX_CITED]

    def _remarks(self, place: int) -> dict[Frame, list[str]]:
        found: dict[Frame, list[str]] = {}
        for frame, text in _all(self._diagnoses[place], self._several):
            remarks = found.setdefault(frame, [])
            if text not in remarks:
                remarks.append(safe(text))
        return found


def _cited(diagnosis: Diagnosis) -> Iterator[Frame]:
    """Every frame that something is said of."""
    e = diagnosis.exchange
    for step in e.steps:
        for sighting in (*step.sent, *step.duplicates):
            yield from sighting.frames
    for error in e.icmp_errors:
        yield error.frame
    for item in diagnosis.evidence:
        yield from item.frames
    yield from diagnosis.stop.frames[-1:]


def _all(diagnosis: Diagnosis, several: bool) -> Iterator[tuple[Frame, str]]:
    """Frames and remarks: what the frame is, the evidence that cites it, and the verdict where it stopped."""
    e = diagnosis.exchange
    prefix = f"Exchange {e.id} " if several else ""
    for step in e.steps:
        for number, sighting in enumerate(step.sent):
            yield from _pieces(sighting, f"Exchange {e.id}: {_sent(step, number)}")
        for sighting in step.duplicates:
            yield from _pieces(sighting, f"Exchange {e.id}: {_name(step)}, the same packet recorded again")
    for error in e.icmp_errors:
        version = "ICMPv6" if error.version == 6 else "ICMP"
        yield error.frame, f"Exchange {e.id}: {version} {icmp_name(error)} from {error.source}"
    for item in diagnosis.evidence:
        for frame in item.frames:
            yield frame, f"{prefix}{item.id}: {item.text}"
    yield from _verdict(diagnosis)


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


def _verdict(diagnosis: Diagnosis) -> Iterator[tuple[Frame, str]]:
    """At the last frame that shows the stop: how it ended, and the causes that something speaks for."""
    at = diagnosis.stop.frames[-1:] or diagnosis.exchange.steps[-1].frames[-1:]
    for frame in at:
        yield frame, f"Exchange {diagnosis.exchange.id}: {headline(diagnosis, with_cause=False)}"
        for cause in diagnosis.causes:
            if cause.leads:
                because = f" [{', '.join(cause.because)}]" if cause.because else ""
                yield frame, f"{cause.status.value}: {cause.cause.title} ({cause.cause.id}){because}"


def section_comments(names: Iterable[str], diagnoses: Sequence[Diagnosis]) -> list[str]:
    """What stands at the head of the file: where it comes from, and the verdicts in a line each."""
    lines = [f"Carved by pcapdiag {VERSION} out of {', '.join(names)}"]
    groups = group(diagnoses)
    lines += [one_line(found) for found in groups[:MAX_HEADLINES]]
    if len(groups) > MAX_HEADLINES:
        lines.append(f"and {len(groups) - MAX_HEADLINES} more groups of exchanges")
    return [safe(line) for line in lines]
