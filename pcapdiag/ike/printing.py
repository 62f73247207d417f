"""Octets of messages as text that does nothing to a terminal."""

MAX_SHOWN = 1_024
"""Octets of an identity or a configuration value that are shown."""


def printable(data: bytes) -> str:
    """Octets as ASCII, everything that is not printable as \\xNN; of more than MAX_SHOWN the first ones."""
    text = "".join(chr(o) if 0x20 <= o < 0x7F and o != 0x5C else f"\\x{o:02x}" for o in data[:MAX_SHOWN])
    return text if len(data) <= MAX_SHOWN else f"{text}... ({len(data)} octets)"


def hexadecimal(data: bytes) -> str:
    """Octets in hexadecimal; of more than MAX_SHOWN the first ones."""
    return data.hex() if len(data) <= MAX_SHOWN else f"{data[:MAX_SHOWN].hex()}... ({len(data)} octets)"
