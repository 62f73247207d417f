"""`python -m pcapdiag`, and the script that an installation has."""

import signal  # isort: skip -- first, so that little time passes before Ctrl-C is answered for
import os
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from pcapdiag.cli.exit_codes import Exit

if TYPE_CHECKING:
    from types import FrameType

ENDING = ("SIGTERM", "SIGHUP")
"""What ends a program from outside; where a system does not know one, it does not come."""

MOMENT = 0.01
"""Seconds until a signal comes again that fell into what cannot raise."""


class TerminatedError(BaseException):
    """A signal ends the program: raised wherever it is, so that what is half done is put away. number -- of it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run() -> None:
    """Run the program; whatever happens to its streams, and whenever Ctrl-C or another end comes, is one line."""
    _take_signals(_end_at_once, _end_at_once)
    _stand_in_for_closed_streams()
    status: int | str | None = 0
    ended_by = 0
    try:
        from pcapdiag.cli.main import main

        sys.unraisablehook = _raise_again
        # Not KeyboardInterrupt: where that meets click itself, it says so in its own words.
        _take_signals(_terminate, _terminate)
        main()
    except SystemExit as end:
        status = end.code
    except TerminatedError as end:
        if end.number == signal.SIGINT:
            _say("interrupted")
            status = Exit.INTERRUPTED
        else:
            ended_by = end.number
            _say(f"ended by {signal.Signals(ended_by).name}")
    except OSError as error:  # a broken pipe ends the program in click, quietly
        what = repr(error.filename) if error.filename else "the output cannot be written"
        _say(f"{what}: {error.strerror or error}")
        status = Exit.INPUT_OUTPUT
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is over
    try:
        sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            _say(f"the output cannot be written: {error.strerror or error}")
            status = Exit.INPUT_OUTPUT
        # The interpreter must not stumble over it once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if ended_by:
        _die_of(ended_by)
    sys.exit(status)


def _take_signals(interrupt: "signal._HANDLER", termination: "signal._HANDLER") -> None:
    """Answer to signals so; what whoever started the program had ignored, as nohup does, stays ignored."""
    for name in ("SIGINT", *ENDING):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt if name == "SIGINT" else termination)


def _end_at_once(number: int, _frame: "FrameType | None") -> None:
    """While the program is being loaded: there is nothing to put away, and an import that raises leaves half of it."""
    name = signal.Signals(number).name
    with suppress(OSError):
        os.write(2, b"pcapdiag: interrupted\n" if name == "SIGINT" else f"pcapdiag: ended by {name}\n".encode())
    if name == "SIGINT":
        os._exit(Exit.INTERRUPTED)
    _die_of(number)


def _terminate(number: int, _frame: "FrameType | None") -> None:
    signal.signal(number, signal.SIG_DFL)  # a second one has its usual effect
    raise TerminatedError(number)


def _die_of(number: int) -> None:
    """End as the signal would have done it: who started the program can tell."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _raise_again(unraisable: "sys.UnraisableHookArgs") -> None:
    """Where a signal falls into what cannot raise, as a finaliser, it is not lost, and no traceback is printed."""
    error = unraisable.exc_value
    if isinstance(error, TerminatedError):
        import _thread
        import threading

        number = signal.Signals(error.number)
        signal.signal(number, _terminate)
        # From within, it would only fall into this function.
        main = threading.get_ident()
        strike = partial(signal.pthread_kill, main) if hasattr(signal, "pthread_kill") else _thread.interrupt_main
        threading.Timer(MOMENT, strike, [number]).start()
        return
    sys.__unraisablehook__(unraisable)


def _say(text: str) -> None:
    try:
        print(f"pcapdiag: {text}", file=sys.stderr)
    except OSError:
        return


def _stand_in_for_closed_streams() -> None:
    """Give the numbers of streams that are closed (`>&-`) to nothing else, such as a capture that is opened."""
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115 -- for as long as the program runs
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115


if __name__ == "__main__":
    run()
