"""The colours of the terminal: what an outcome and a cause look like, wherever they are told."""

from pcapdiag.diagnosis.outcome.stop import Outcome
from pcapdiag.knowledge.records import Status

OUTCOME_COLOURS = {
    Outcome.COMPLETED: "green",
    Outcome.STALLED: "red",
    Outcome.REJECTED: "red",
    Outcome.SUPERSEDED: "yellow",
    Outcome.INCONCLUSIVE: "yellow",
    Outcome.PARTIAL: "cyan",
}
STATUS_COLOURS = {
    Status.CONFIRMED: "red",
    Status.LIKELY: "red",
    Status.POSSIBLE: "yellow",
    Status.UNDECIDABLE: "cyan",
    Status.UNLIKELY: "green",
    Status.RULED_OUT: "green",
}
