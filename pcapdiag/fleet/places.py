"""Where captures are and where a data set goes: whatever fsspec knows (files, s3, gs, abfs, http, memory)."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

import fsspec

from pcapdiag.capture.files import looks_like_capture
from pcapdiag.record import Record


class FleetError(Exception):
    """What was asked for cannot be done; one line."""


class Found(Record, frozen=True):
    """A capture.

    version -- changes when its contents do: size, time of change, or what the object store has for it
    size -- octets, 0 where that is not known
    """

    url: str
    version: str
    size: int


def listed(urls: Iterable[str]) -> list[Found]:
    """The captures under these: files, directories with all below them, and patterns. Raises FleetError for nothing."""
    found: dict[str, Found] = {}
    for url in urls:
        for one in _under(url):
            found[one.url] = one
    if not found:
        raise FleetError(f"no capture under {', '.join(urls)}")
    return [found[url] for url in sorted(found)]


def _under(url: str) -> Iterator[Found]:
    system, path = _opened(url)
    if any(mark in path for mark in "*?["):
        rows = system.glob(path, detail=True)
    elif system.isdir(path):
        rows = {name: row for name, row in system.find(path, detail=True).items() if looks_like_capture(name)}
    elif system.exists(path):
        rows = {path: system.info(path)}
    else:
        raise FleetError(f"{url}: there is nothing")
    for name, row in rows.items():
        if row.get("type", "file") == "file":
            yield Found(system.unstrip_protocol(name), _version(row), int(row.get("size") or 0))


def _version(row: dict[str, Any]) -> str:
    """What tells two contents of one name apart, of what the store says of it."""
    telling = ("size", "mtime", "created", "ETag", "etag", "md5Hash", "content_md5", "generation", "VersionId")
    said = "|".join(f"{key}={row[key]}" for key in telling if row.get(key) is not None)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _opened(url: str) -> tuple[Any, str]:
    try:
        system, path = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise FleetError(f"{url}: {error}") from None
    return system, path


class Store:
    """The place of a data set: whole files, by names under it."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._system, self._root = _opened(self.url)

    def read(self, name: str) -> bytes | None:
        """A file; None where there is none."""
        try:
            found: bytes = self._system.cat_file(self._path(name))
        except FileNotFoundError:
            return None
        return found

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return bool(self._system.exists(self._path(name)))

    def names(self, under: str) -> list[str]:
        """The files below a directory, sorted."""
        try:
            found = self._system.find(self._path(under))
        except FileNotFoundError:
            return []
        root = self._path("")
        return sorted(path[len(root) :] if path.startswith(root) else path for path in found)

    def write(self, name: str, octets: bytes) -> None:
        """Write a file, whole or not at all."""
        path = self._path(name)
        self._system.makedirs(os.path.dirname(path), exist_ok=True)
        if _is_local(self._system):
            beside = f"{path}.{os.getpid()}.part"
            self._system.pipe_file(beside, octets)
            self._system.mv(beside, path)
        else:
            self._system.pipe_file(path, octets)  # an object appears when all of it has come

    def remove(self, name: str) -> None:
        """Remove a file; nothing happens where there is none."""
        try:
            self._system.rm_file(self._path(name))
        except FileNotFoundError:
            return

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"


def _is_local(system: Any) -> bool:
    protocol = system.protocol
    return "file" in ((protocol,) if isinstance(protocol, str) else protocol)


class Grouping:
    """Which gateway a capture is of: by its directory, or by the first group of a pattern that its URL has."""

    def __init__(self, pattern: str = "directory") -> None:
        try:
            self._pattern = None if pattern == "directory" else re.compile(pattern)
        except re.error as error:
            raise FleetError(f"{pattern!r} is no regular expression: {error}") from None

    def gateway(self, url: str) -> str:
        """Its name, fit for a path. Raises FleetError where the pattern does not match."""
        if self._pattern is None:
            return _clean(url.rsplit("/", 2)[-2] if "/" in url else "captures")
        found = self._pattern.search(url)
        if found is None:
            raise FleetError(f"{url}: {self._pattern.pattern!r} does not match, so that its gateway is not known")
        return _clean(next((group for group in found.groups() if group), found[0]))


def _clean(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._:-]", "_", name).strip(".") or "captures"
