"""The configuration file: what a user would else type each time, read and checked."""

import os
import re
import tomllib
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import msgspec

from pcapdiag.cli.options import COLORS, CONFIG_VARIABLE, WIDTHS
from pcapdiag.record import Record

MAX_FILE = 1 << 20
"""Octets; what has more is no file of settings, or has no end."""

EXAMPLE = """\
# Settings of pcapdiag. What is said on the command line wins; `pcapdiag config` shows what is in force.

# My own devices, as --local: advice is for them, with what to ask at the other end.
local = ["192.0.2.1", "2001:db8::1"]

# UDP ports where IKE is spoken, beside 500 and 4500, as --port.
ports = [4501]

# auto, always or never, as --color.
color = "auto"

# Columns of a report, 60 to 400, as --width; by default those of the terminal.
width = 100

# What an end is, as --platform: `pcapdiag explain --help` has the names.
[platforms]
"192.0.2.1" = "asa"
"198.51.100.7" = "fortigate"

# What the report is to call an address.
[names]
"192.0.2.1" = "Berlin"
"198.51.100.7" = "Lyon, main site"
"""


class ConfigError(Exception):
    """The file cannot be used; one line that names it, the line or the key, and the reason."""


class Settings(Record, frozen=True):
    """What the file says.

    local -- addresses of the user's own devices; ports -- of IKE, beside 500 and 4500
    color, width -- as the options of that name; None where the file does not say
    platforms -- of ends, by their addresses, `initiator` or `responder`; names -- of addresses
    """

    local: list[str] = msgspec.field(default_factory=list)
    ports: list[int] = msgspec.field(default_factory=list)
    color: str | None = None
    width: int | None = None
    platforms: dict[str, str] = msgspec.field(default_factory=dict)
    names: dict[str, str] = msgspec.field(default_factory=dict)


KEYS = Settings.__struct_fields__


def read(path: str) -> Settings:
    """The settings of a file. Raises ConfigError."""
    try:
        with open(path, "rb") as file:
            octets = file.read(MAX_FILE + 1)
        if len(octets) > MAX_FILE:
            raise ConfigError(f"{path}: more than the {MAX_FILE >> 20} MiB that settings may have")
        return _settings(octets.decode("utf-8-sig"))
    except OSError as error:
        hint = f", and {CONFIG_VARIABLE} names it" if CONFIG_VARIABLE in os.environ else ""
        raise ConfigError(f"{path}: {error.strerror or error}{hint}") from None
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}: line {line}: not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {_syntax(str(error))}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}") from None


def _syntax(text: str) -> str:
    """What TOML's parser says, the place first."""
    found = re.fullmatch(r"(.*) \(at (.*)\)", text)
    return f"{found[2]}: {found[1]}" if found else text


def _settings(text: str) -> Settings:
    """Raises ValueError, with the key and the reason."""
    given = tomllib.loads(text)
    for key in given:
        if key not in KEYS:
            raise ValueError(f"{key}: no such setting; there are {', '.join(KEYS)}")
    if isinstance(given.get("local"), str):
        given["local"] = [given["local"]]
    try:
        found = msgspec.convert(given, Settings)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        raise ValueError(f"{_key(where)}: {_in_words(what)}") from None
    return _checked(found)


def _key(where: str) -> str:
    """The key that msgspec means: `$.ports[0]`, or "key in `$.names`"."""
    return where.replace("`", "").replace("$.", "").replace("[...]", "").removeprefix("key in ")


def _in_words(what: str) -> str:
    """Its "Expected `int | null`, got `str`" in the words of TOML."""
    plain = what.replace("`", "").replace(" | null", "").replace("Expected", "expected", 1)
    return re.sub(r"\w+", lambda word: _KINDS.get(word[0], word[0]), plain)


_KINDS = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number with a point",
    "int": "a whole number",
    "object": "a table",
    "str": "a text in quotes",
}


def _checked(found: Settings) -> Settings:
    """The same, with addresses as they are written elsewhere. Raises ValueError for what cannot be."""
    if found.color not in (None, *COLORS):
        raise ValueError(f"color: {found.color!r} is none of {', '.join(COLORS)}")
    if found.width is not None and not WIDTHS[0] <= found.width <= WIDTHS[1]:
        raise ValueError(f"width: {found.width} is not {WIDTHS[0]} to {WIDTHS[1]}")
    for port in found.ports:
        if not 1 <= port <= 65535:
            raise ValueError(f"ports: {port} is not 1 to 65535")
    if found.local or found.platforms:
        from pcapdiag.diagnosis.causes.platforms import given_of

        ends: dict[str, tuple[dict[str, str], list[str]]] = {
            "local": ({}, found.local),
            "platforms": (found.platforms, []),
        }
        for key, said in ends.items():
            try:
                given_of(*said)
            except ValueError as error:
                raise ValueError(f"{key}: {error}") from None
    return msgspec.structs.replace(found, names=dict(_names(found.names)))


def _names(names: dict[str, str]) -> Iterator[tuple[str, str]]:
    for address, name in names.items():
        try:
            told = str(ip_address(address.strip()))
        except ValueError:
            raise ValueError(f"names: {address!r} is not an address") from None
        if not name.strip() or not name.isprintable():
            raise ValueError(f"names: {name!r}, of {address}, is empty or does not print")
        yield told, name.strip()


def defaults(settings: Settings) -> dict[str, Any]:
    """What click is to take for options that were not given, by the names of the parameters."""
    found: dict[str, Any] = {
        "local": settings.local,
        "ports": settings.ports,
        "color": settings.color,
        "width": settings.width,
        "platforms": [f"{end}={name}" for end, name in settings.platforms.items()],
    }
    return {name: value for name, value in found.items() if value}
