"""Where captures are and where a data set goes: whatever fsspec knows (files, s3, gs, abfs, http, memory)."""

import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, TypeVar
from urllib.parse import urlsplit

import fsspec

from pcapdiag.capture.files import looks_like_capture
from pcapdiag.fleet.access import PLAIN, Access, shown, told
from pcapdiag.record import Record

Result = TypeVar("Result")
OBJECT_STORES = frozenset(("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "memory"))
"""Where a file appears when all of it has come, and where there are no directories to be made."""


class FleetError(Exception):
    """What was asked for cannot be done; one line."""


class Fault(Record, frozen=True):
    """What a worker could not do, as its result: what it raised would be logged with arguments and a traceback."""

    text: str


class Found(Record, frozen=True):
    """A capture.

    version -- changes when its contents do: size, time of change, or what the object store has for it
    size -- octets, 0 where that is not known
    """

    url: str
    version: str
    size: int

    @property
    def name(self) -> str:
        """The URL as it may be shown and kept: without a password or what is behind `?`."""
        return shown(self.url)

    def __repr__(self) -> str:
        """What logs have of it."""
        return f"Found({self.name!r}, {self.version!r}, {self.size})"


def tried(function: Callable[..., Result], access: Access, *arguments: Any) -> Result | Fault:
    """Call it on a worker; what goes wrong is a result."""
    try:
        return function(*arguments, access)
    except Exception as error:  # what a store's own library raises is of any class
        return Fault(str(error) if isinstance(error, FleetError) else told(error, access))


def listed(urls: Iterable[str], access: Access = PLAIN) -> list[Found]:
    """The captures under these: files, directories with all below them, and patterns. Raises FleetError for nothing."""
    found: dict[str, Found] = {}
    for url in urls:
        with _said(url, access):
            for one in _under(url, access):
                found[one.url] = one
    if not found:
        raise FleetError(f"no capture under {', '.join(map(shown, urls))}")
    return [found[url] for url in sorted(found)]


def _under(url: str, access: Access) -> Iterator[Found]:
    system, path = opened(url, access)
    # A worker that lives for days would else see what there was when it listed this the first time.
    system.invalidate_cache()
    if is_http(system):
        rows = _over_http(system, path)
    elif any(mark in path for mark in "*?["):
        rows = system.glob(path, detail=True)
    elif system.isdir(path):
        rows = {name: row for name, row in system.find(path, detail=True).items() if looks_like_capture(name)}
    elif system.exists(path):
        rows = {path: system.info(path)}
    else:
        raise FleetError(f"{shown(url)}: there is nothing")
    for name, row in rows.items():
        if row.get("type", "file") == "file":
            yield Found(system.unstrip_protocol(name), _version(row), int(row.get("size") or 0))


def _over_http(system: Any, url: str) -> dict[str, dict[str, Any]]:
    """The captures of a listing, which ends in a slash; everything else is a capture."""
    names = [url]
    if urlsplit(url).path.endswith("/") or not urlsplit(url).path:
        names = [name for name in system.find(url) if looks_like_capture(urlsplit(name).path)]
    # A listing has names only; size and time of change are asked for each.
    return {name: system.info(name) for name in names}


def _version(row: dict[str, Any]) -> str:
    """What tells two contents of one name apart, of what the store says of it."""
    telling = (
        "size", "mtime", "created", "ETag", "etag", "md5Hash", "content_md5", "generation", "VersionId",
        "Last-Modified",
    )  # fmt: skip
    said = "|".join(f"{key}={row[key]}" for key in telling if row.get(key) is not None)
    return sha256(said.encode()).hexdigest()[:16]


def opened(url: str, access: Access) -> tuple[Any, str]:
    """The file system of a URL, and the path in it. Raises FleetError where no library knows it."""
    try:
        system, path = fsspec.core.url_to_fs(url, **access.of(url))
    except (ValueError, ImportError, TypeError) as error:
        raise FleetError(f"{shown(url)}: {told(error, access)}") from None
    return system, path


@contextmanager
def _said(url: str, access: Access) -> Iterator[None]:
    """What a store's library raises becomes one line that names the place."""
    try:
        yield
    except FleetError:
        raise
    except Exception as error:
        raise FleetError(f"{shown(url)}: {told(error, access)}") from None


class Store:
    """The place of a data set: whole files, by names under it. Everything raises FleetError where the place does."""

    def __init__(self, url: str, access: Access = PLAIN) -> None:
        self.url, self._access = url.rstrip("/"), access
        with self._said():
            self._system, self._root = opened(self.url, access)
            self._system.invalidate_cache()

    def check(self) -> None:
        """Whether there is a place at all: a bucket is not made, a directory is. Raises FleetError."""
        if is_http(self._system):
            raise FleetError(f"{shown(self.url)}: http can be read, not written to")
        with self._said():
            self._system.find(self._path("runs"))

    def exists(self) -> bool:
        """Whether there is something in it."""
        with self._said():
            return bool(self._system.exists(self._root))

    def read(self, name: str) -> bytes | None:
        """A file; None where there is none."""
        with self._said():
            try:
                found: bytes = self._system.cat_file(self._path(name))
            except FileNotFoundError:
                return None
        return found

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        with self._said():
            return bool(self._system.exists(self._path(name)))

    def names(self, under: str) -> list[str]:
        """The files below a directory, sorted."""
        with self._said():
            try:
                found = self._system.find(self._path(under))
            except FileNotFoundError:
                return []
        root = self._path("")
        return sorted(path[len(root) :] if path.startswith(root) else path for path in found)

    def write(self, name: str, octets: bytes) -> None:
        """Write a file, whole or not at all."""
        path = self._path(name)
        with self._said():
            if not OBJECT_STORES.isdisjoint(_protocols(self._system)):
                self._system.pipe_file(path, octets)
                return
            self._system.makedirs(os.path.dirname(path), exist_ok=True)
            # Not by the process: containers that share a disk have the same numbers.
            beside = f"{path}.{uuid.uuid4().hex}.part"
            try:
                self._system.pipe_file(beside, octets)
                self._system.mv(beside, path)
            except BaseException:
                if self._system.exists(beside):
                    self._system.rm_file(beside)
                raise

    def remove(self, name: str) -> None:
        """Remove a file; nothing happens where there is none."""
        with self._said():
            try:
                self._system.rm_file(self._path(name))
            except FileNotFoundError:
                return

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def _said(self) -> Any:
        return _said(self.url, self._access)


def _protocols(system: Any) -> tuple[str, ...]:
    protocol = system.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


def is_local(system: Any) -> bool:
    """Whether these are files of the machine."""
    return "file" in _protocols(system)


def is_http(system: Any) -> bool:
    """Whether it is a web server."""
    return "http" in _protocols(system)


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
            raise FleetError(
                f"{shown(url)}: {self._pattern.pattern!r} does not match, so that its gateway is not known"
            )
        return _clean(next((group for group in found.groups() if group), found[0]))


def _clean(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._:-]", "_", name).strip(".") or "captures"
