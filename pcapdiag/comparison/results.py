"""What a comparison found, as plain records: what all reports read."""

from pcapdiag.comparison.clocks import Clock
from pcapdiag.comparison.fates import Gap, Transmission
from pcapdiag.comparison.translations import Change
from pcapdiag.comparison.tunnel import EspPassage
from pcapdiag.diagnosis.verdict import Diagnosis
from pcapdiag.exchange.model import Exchange
from pcapdiag.findings import CaptureReport, Findings
from pcapdiag.record import Displayed, Record


class PointReport(Record, frozen=True):
    """One capture point.

    letter -- what reports call it: A, B, C … in the order that was given
    names -- of its files; captures -- what each of them held
    first_file -- what its frames carry as `capture`, of its first file
    clock -- against that of the first point; None where no packet is in both
    packets -- IKE packets that it saw; common -- those of them that another point saw too
    """

    letter: str
    names: tuple[str, ...]
    captures: tuple[CaptureReport, ...]
    first_file: int
    clock: Clock | None
    packets: int
    common: int


class Compared(Displayed, frozen=True):
    """Captures of one failure from several points, joined.

    points -- where the captures were taken, in the order given
    report -- the joined exchanges, as `analyze` would tell them; times and addresses are those of the first point
    transmissions -- of each exchange (by its id), and each of its messages (by its place in `exchange.steps`), every
        time that it was sent, with what became of it
    gaps -- what the captures themselves miss; changes -- what is changed between the points
    esp -- the tunnel's own traffic, between every two points
    """

    points: tuple[PointReport, ...]
    report: Findings
    transmissions: dict[int, dict[int, tuple[Transmission, ...]]]
    gaps: tuple[Gap, ...]
    changes: tuple[Change, ...]
    esp: tuple[EspPassage, ...]

    @property
    def diagnoses(self) -> tuple[Diagnosis, ...]:
        """Of every joined exchange; the first thing said of two peers is how it ended between them."""
        return self.report.diagnoses

    @property
    def all_completed(self) -> bool:
        """Whether every tunnel is up, or nothing says that it is not."""
        return self.report.all_completed

    def sent(self, exchange: Exchange, place: int) -> tuple[Transmission, ...]:
        """The transmissions of a message, by its place in `exchange.steps`, in the order of time."""
        return self.transmissions.get(exchange.id, {}).get(place, ())
