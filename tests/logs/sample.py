"""What a rebuilt log is, and the addresses and cookies in all of them."""

from typing import NamedTuple

PEER, HERE = "192.0.2.1", "198.51.100.2"
COOKIE, ANSWER, ZERO = "60e4660a4071c32a", "425bca7299b159b7", "0" * 16


class Sample(NamedTuple):
    """One log. `causes` -- the causes that have to lead, in order, with their status."""

    name: str
    platform: str
    text: str
    outcome: str
    tunnel: str
    states: tuple[str, ...]
    causes: tuple[tuple[str, str], ...]
    messages: tuple[str, ...] = ()
    role: str = ""
