"""The exit statuses of all commands. They are a contract: scripts branch on them."""

from enum import IntEnum


class Exit(IntEnum):
    """What a status says; 2 is click's own too, for wrong usage.

    WELL -- every tunnel is up, or what was asked for is done; NOT_WELL -- at least one is not, or something differs
    UNREADABLE -- an input could not be read, or an output not be written; NO_IKE -- nothing to judge was found
    OTHER_VERDICT -- what was carved out does not get the verdict of the whole
    INTERNAL_ERROR, INPUT_OUTPUT -- a fault in the program, a stream that cannot be written (EX_SOFTWARE and EX_IOERR of
        sysexits.h); INTERRUPTED -- 128 and the number of SIGINT, as shells have it
    """

    WELL = 0
    NOT_WELL = 1
    USAGE = 2
    UNREADABLE = 3
    NO_IKE = 4
    OTHER_VERDICT = 5
    INTERNAL_ERROR = 70
    INPUT_OUTPUT = 74
    INTERRUPTED = 130
