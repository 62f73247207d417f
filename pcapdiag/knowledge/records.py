"""The records of the knowledge base: states, causes with their rules and checks, notifies.

Their types are also the form of the TOML files: `loading` converts one into the other, and refuses what does not fit.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Annotated, Literal, get_args

from msgspec import Meta
from msgspec.structs import replace

from pcapdiag.knowledge.platform_names import PLATFORM_NAMES
from pcapdiag.record import Record

Line = Annotated[str, Meta(pattern=r"\A\S([^\n]*\S)?\Z")]
"""Text on one line."""
Title = Annotated[str, Meta(pattern=r"\A\S[^\n]*\Z", max_length=60)]
Prose = Annotated[str, Meta(pattern=r"\S")]
"""Paragraphs, which may be wrapped: lines are joined when they are loaded, and a blank line parts two paragraphs."""
Version = Literal[1, 2]
"""Of IKE."""

End = Literal["initiator", "responder", "both"]
"""Which end can be in a state."""
CheckEnd = Literal["initiator", "responder", "either", "refuser", "refused", "path"]
"""Where a check is done; the end that refused knows why, and the one that was refused has what was refused."""
Does = Literal["show", "debug", "change"]
"""What a command does: it looks, it logs more until that is ended, or it changes how the device works."""
CHECK_ENDS: tuple[str, ...] = get_args(CheckEnd)

PLATFORMS = (*PLATFORM_NAMES, "any")
"""Whose commands a check uses, or who prints a log line."""


class KnowledgeError(ValueError):
    """The knowledge base breaks its own rules. The message is one line and names the file, the entry and the field."""


class DocumentItem(Record, frozen=True, forbid_unknown_fields=True):
    """One cause that the source document gives for a state.

    Fields: *item*, its number there (order of appearance where the document has no numbers); *cause*, the
    identifier of the cause; *text*, what the document says, in our words.
    """

    item: int
    cause: str
    text: Prose


class State(Record, frozen=True, forbid_unknown_fields=True):
    """A state that one end of an exchange can be left in.

    Fields: *id* (``MM_WAIT_MSG2``); *end*, one of `End`; *title*; *meaning*; *wire*, what it looks like in a
    capture; *aliases*, what other programs call it; *document*, every cause that the document gives for it.
    """

    id: Line
    end: End
    title: Line
    meaning: Prose
    wire: Prose
    aliases: tuple[Line, ...] = ()
    document: tuple[DocumentItem, ...] = ()


class Check(Record, frozen=True, forbid_unknown_fields=True):
    """One thing to look at on a device, or on the path.

    Fields: *end*, one of `CheckEnd`; *platform*, one of `PLATFORMS`; *do*, one imperative line; *command*,
    where there is one; *expect*, how to read the answer. Braces hold what `loading.PLACEHOLDERS` names; what is in
    angle brackets is for the reader to fill in.

    Of the command: *does*, one of `Does`; *ike*, the version of IKE that it is for, None for both; *software*, the
    versions of the platform that have it; *first*, what is typed before, such as a filter for this peer; *undo*,
    what ends it; *source*, the address of the public document that describes it.

    *when* and *unless* are kinds of evidence: one of the former has to be there, none of the latter may.
    *first_of_all*: a check of any device that comes before the platforms' own.
    """

    end: CheckEnd
    platform: str
    do: Line
    command: Line | None = None
    expect: Line | None = None
    does: Does | None = None
    ike: Version | None = None
    software: Line | None = None
    first: tuple[Line, ...] = ()
    undo: tuple[Line, ...] = ()
    source: Line | None = None
    when: tuple[Line, ...] = ()
    unless: tuple[Line, ...] = ()
    first_of_all: bool = False

    def fill(self, *, peer: str, local: str, ports: str = "udp port 500 or udp port 4500") -> "Check":
        """Return the check with both addresses, as seen from where it is done, in the place of the braces."""
        values = {"{peer}": peer, "{local}": local, "{family}": "6" if ":" in peer else "4", "{ports}": ports}

        def filled(text: str) -> str:
            if "{" in text:
                for name, value in values.items():
                    text = text.replace(name, value)
            return text

        if not any("{" in text for text in (self.do, self.command or "", self.expect or "", *self.first, *self.undo)):
            return self

        return replace(
            self,
            do=filled(self.do),
            command=None if self.command is None else filled(self.command),
            expect=None if self.expect is None else filled(self.expect),
            first=tuple(map(filled, self.first)),
            undo=tuple(map(filled, self.undo)),
        )

    def fits(self, version: int, kinds: Collection[str]) -> bool:
        """Whether it has a place in a report on an exchange of this version of IKE with evidence of these kinds."""
        if self.ike not in (None, version) or any(kind in kinds for kind in self.unless):
            return False
        return not self.when or any(kind in kinds for kind in self.when)


class Wording(Record, frozen=True, forbid_unknown_fields=True):
    """What is said of a cause in IKEv2 where that differs from IKEv1; None where it does not."""

    title: Title | None = None
    meaning: Prose | None = None
    supports: Prose | None = None
    against: Prose | None = None
    decide: Prose | None = None
    look: Prose | None = None
    remark: Prose | None = None


class Cause(Record, frozen=True, forbid_unknown_fields=True):
    """Why an exchange did not complete.

    Fields: *id*, stable and public; *title*, at most 60 characters; *meaning*; *supports* and *against*, what
    on the wire speaks for it and against it; *decide*, which capture or command separates it from its rivals;
    *look*, what to look for on a device of any make; *at*, the end where that is, one of `CheckEnd`;
    *visible*, False where no capture can show it, and then *invisible* says why; *remark*, or None; *checks*,
    the most useful first; *ikev2*, what is worded in another way there.
    """

    id: Line
    title: Title
    meaning: Prose
    supports: Prose
    against: Prose
    decide: Prose
    look: Prose
    visible: bool
    at: CheckEnd = "either"
    invisible: Prose | None = None
    remark: Prose | None = None
    checks: tuple[Check, ...] = ()
    ikev2: Wording = Wording()

    def checks_for(self, platform: str) -> tuple[Check, ...]:
        """Return the checks that use that platform's commands or none of a platform's own, the most useful first."""
        return tuple(check for check in self.checks if check.platform in (platform, "any"))

    def in_version(self, version: int) -> "Cause":
        """Return the cause as it is told of an exchange of this version of IKE: its words, and its checks."""
        checks = tuple(check for check in self.checks if check.ike in (None, version))
        if version != 2:
            return replace(self, checks=checks)
        new = self.ikev2
        return replace(
            self,
            title=new.title or self.title,
            meaning=new.meaning or self.meaning,
            supports=new.supports or self.supports,
            against=new.against or self.against,
            decide=new.decide or self.decide,
            look=new.look or self.look,
            remark=new.remark or (None if new.meaning else self.remark),
            checks=checks,
        )


class NotifyEntry(Record, frozen=True, forbid_unknown_fields=True):
    """A notify message type.

    Fields: *version* of IKE, 1 or 2; *name*; *number*; *meaning*; *causes*, likeliest first.
    """

    version: Version
    name: Line
    number: int
    meaning: Prose
    causes: tuple[str, ...]


class Status(StrEnum):
    """How a cause stands, best first."""

    CONFIRMED = "confirmed"
    LIKELY = "likely"
    POSSIBLE = "possible"
    UNDECIDABLE = "undecidable"
    UNLIKELY = "unlikely"
    RULED_OUT = "ruled_out"

    def __repr__(self) -> str:
        """As it is written: the built package holds the knowledge base as the text of a module."""
        return f"Status.{self.name}"


class Rule(Record, frozen=True, forbid_unknown_fields=True):
    """When a cause stands how. The rules of one cause are tried from the top; the first that fits decides.

    all_of -- kinds of evidence that have to be there; `*` stands for any letters
    any_of -- kinds of which one has to be there, where any are named
    none_of -- kinds that must not be there
    also -- kinds that, where they are there, are named as reasons too
    says -- the reason in words, for the reader
    basis -- what makes the rule right: the RFC and section; or, of a habit, which makes have it and where that was seen
    habit -- it is what some makes do and not what the protocol makes necessary: it never confirms
    with_keys -- it is of what keys showed, and tried only where keys were; such rules stand first
    """

    cause: str
    status: Status
    weight: int
    says: Line
    all_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    basis: str = ""
    habit: bool = False
    with_keys: bool = False
