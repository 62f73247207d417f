"""How stores are opened: options by protocol, which may be secrets; and what of URLs and errors may be shown."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pcapdiag.record import Record

HIDDEN = "…"
LONGEST = 300
"""Characters of what a library says."""
OPEN = ("endpoint_url", "region_name", "region", "profile", "anon", "project", "account_name", "use_ssl", "verify")
"""Options whose values are no secrets."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")
_PASSWORD = re.compile(r"^([A-Za-z0-9+.-]+://[^/:@]*):[^/]*@")


class Access(Record, frozen=True):
    """What fsspec is to take for each protocol; its text has no value of it.

    options -- by protocol ("s3"), then by the name that fsspec's file system has for it
    """

    options: Mapping[str, dict[str, Any]]

    def of(self, url: str) -> dict[str, Any]:
        """Those for a URL."""
        return self.options.get(url.partition("://")[0] if "://" in url else "file", {})

    def secrets(self) -> list[str]:
        """The values that are to stand nowhere, the longest first."""
        return sorted(set(_values(dict(self.options))), key=len, reverse=True)

    def __repr__(self) -> str:
        """What logs have of it."""
        return f"Access({', '.join(self.options)})"


PLAIN = Access({})
"""Nothing in particular: what the environment and the files of the store's own tools say."""


def _values(options: Any, name: str = "") -> Iterable[str]:
    if isinstance(options, dict):
        for key, value in options.items():
            yield from _values(value, str(key))
    elif isinstance(options, list):
        for value in options:
            yield from _values(value, name)
    elif name not in OPEN and isinstance(options, str | int) and len(str(options)) > 3:
        yield str(options)


def access_of(options: Iterable[str]) -> Access:
    """Read "s3.endpoint_url=http://…": values are JSON where they can be, else text. Raises ValueError."""
    found: dict[str, dict[str, Any]] = {}
    for option in options:
        name, equals, value = option.partition("=")
        protocol, dot, key = name.partition(".")
        if not (equals and dot and protocol and key):
            raise ValueError("an option of a store is PROTOCOL.NAME=VALUE, as s3.endpoint_url=http://127.0.0.1:9000")
        try:
            found.setdefault(protocol, {})[key] = json.loads(value)
        except json.JSONDecodeError:
            found.setdefault(protocol, {})[key] = value
    return Access(found)


def shown(url: str) -> str:
    """A URL without its password, and without what is behind `?`, where signatures and tokens stand."""
    if "://" not in url:
        return url
    bare, asks, _ = url.partition("?")
    hidden = _PASSWORD.sub(rf"\1:{HIDDEN}@", bare)
    # In a file's name `?` is a pattern.
    return f"{hidden}?{HIDDEN}" if asks and not url.startswith("file:") else hidden


def told(error: BaseException, access: Access) -> str:
    """What a library raised, in one line, without secrets."""
    said = " ".join(str(getattr(error, "strerror", None) or error).split())
    for secret in access.secrets():
        said = said.replace(secret, HIDDEN)
    said = _URL.sub(lambda url: shown(url[0]), said)
    said = f"{said[:LONGEST]} {HIDDEN}" if len(said) > LONGEST else said
    match error:
        case PermissionError():
            return f"permission denied: {said}" if said.lower() != "permission denied" else said
        case OSError() | ValueError() | ImportError() if said:
            return said
        case _:
            return f"{type(error).__name__}: {said}" if said else type(error).__name__
