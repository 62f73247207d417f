"""`python -m pcapdiag`, and the script that an installation has."""

import os
import signal
import sys

EXIT_INPUT_OUTPUT = 74  # EX_IOERR of sysexits.h
EXIT_INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it


def run() -> None:
    """Run the program; whatever happens to its streams, and whenever Ctrl-C comes, is one line."""
    _stand_in_for_closed_streams()
    status: int | str | None = 0
    try:
        from pcapdiag.cli.main import main

        main()
    except SystemExit as end:
        status = end.code
    except KeyboardInterrupt:
        _say("interrupted")
        status = EXIT_INTERRUPTED
    except OSError as error:  # a broken pipe ends the program in click, quietly
        what = repr(error.filename) if error.filename else "the output cannot be written"
        _say(f"{what}: {error.strerror or error}")
        status = EXIT_INPUT_OUTPUT
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is over
    try:
        sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            _say(f"the output cannot be written: {error.strerror or error}")
            status = EXIT_INPUT_OUTPUT
        # The interpreter must not stumble over it once more when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


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
