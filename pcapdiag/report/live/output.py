"""Where a watch tells what happens: a stream for people or programs, the file that keeps its packets."""

import time
from collections.abc import Callable, Sequence
from typing import TextIO

from pcapdiag.capture.interface import Interfaces
from pcapdiag.capture.pcapng import Writer
from pcapdiag.capture.source import Source
from pcapdiag.live.events import Event
from pcapdiag.live.session import Watch
from pcapdiag.report.live import ndjson
from pcapdiag.report.live.text import LiveText


class TextOutput:
    """Lines for people, flushed with every event. encodable -- makes a text fit for the stream."""

    def __init__(self, stream: TextIO, text: LiveText, encodable: Callable[[str], str] = str) -> None:
        self._stream = stream
        self._text = text
        self._encodable = encodable

    def events(self, events: Sequence[Event]) -> None:
        """See Observer."""
        lines = self._text.render(events)
        if lines:
            self._stream.write(self._encodable(lines))
            self._stream.flush()

    def pulse(self, watch: Watch, source: Source) -> None:
        """See Observer."""

    def finish(self, watch: Watch, source: Source) -> None:
        """See Observer."""


class JsonOutput:
    """A JSON object a line, flushed with every event.

    messages -- see `ndjson.render`; names -- of what is watched, for the first line
    """

    def __init__(self, stream: TextIO, messages: bool, names: Sequence[str]) -> None:
        self._stream = stream
        self._messages = messages
        self._start = ndjson.start(names, time.time_ns())

    def events(self, events: Sequence[Event]) -> None:
        """See Observer."""
        self._write(ndjson.render(events, self._messages))

    def _write(self, lines: str) -> None:
        if lines or self._start:
            self._stream.write(self._start + lines)
            self._start = ""
            self._stream.flush()

    def pulse(self, watch: Watch, source: Source) -> None:
        """Write the first line, if nothing else came before it."""
        self._write("")

    def finish(self, watch: Watch, source: Source) -> None:
        """See Observer."""


class Recorder:
    """Keeps the packets of the interfaces in a file."""

    def __init__(self, interfaces: Interfaces, writer: Writer, tell: Callable[[Source, str], None]) -> None:
        """tell -- says that writing failed."""
        self._writer = writer
        self._told = False
        self._tell = tell
        interfaces.keep = writer.add

    def events(self, events: Sequence[Event]) -> None:
        """See Observer."""

    def pulse(self, watch: Watch, source: Source) -> None:
        """Write what came; say once where that does not work any more."""
        self._writer.flush()
        if self._writer.problem is not None and not self._told:
            self._told = True
            self._tell(source, self._writer.problem)

    def finish(self, watch: Watch, source: Source) -> None:
        """See Observer."""
