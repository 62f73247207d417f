"""Giving up what it took to open the interfaces: what reads packets of strangers has no use for it any more.

Root becomes an ordinary user, with the groups of that user and no capability; a user with capabilities loses them.
"""

import ctypes
import os
import sys
from contextlib import suppress
from importlib import import_module

from pcapdiag.record import Record


class PrivilegeError(Exception):
    """What was asked for cannot be done, or did not hold; one line."""


class Identity(Record, frozen=True):
    """A user to become: name, number, and the numbers of the groups, the primary one first."""

    name: str
    uid: int
    groups: tuple[int, ...]


def is_root() -> bool:
    """Whether this process has the rights of root, on a system that knows users."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def chosen(name: str | None) -> Identity | None:
    """The user to become: the one of that name, else the one who called sudo; None where there is none to become.

    Raises PrivilegeError where the user does not exist, or cannot be become.
    """
    if name is None:
        caller = os.environ.get("SUDO_UID", "")
        return _identity(int(caller)) if is_root() and caller.isdecimal() and int(caller) else None
    found = _identity(name)
    if not is_root() and found.uid != os.geteuid():
        raise PrivilegeError(f"only root can become {name}")
    return found if is_root() and found.uid else None


def _identity(user: str | int) -> Identity:
    import pwd

    try:
        entry = pwd.getpwnam(user) if isinstance(user, str) else pwd.getpwuid(user)
    except KeyError:
        if isinstance(user, str):
            raise PrivilegeError(f"there is no user {user}") from None
        # A container may have no entry for whoever called sudo.
        group = os.environ.get("SUDO_GID", "")
        return Identity(str(user), user, (int(group) if group.isdecimal() else user,))
    others = (g for g in os.getgrouplist(entry.pw_name, entry.pw_gid) if g != entry.pw_gid)
    return Identity(entry.pw_name, entry.pw_uid, (entry.pw_gid, *others))


def drop(identity: Identity | None) -> None:
    """Become that user for good, in all threads; without one, give up the capabilities that this process has.

    Raises PrivilegeError where it did not work, and the process must not go on.
    """
    if identity is None:
        if not is_root():
            _drop_capabilities()
        return
    uid, gid = identity.uid, identity.groups[0]
    try:
        os.setgroups(identity.groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    except OSError as error:
        raise PrivilegeError(f"this process cannot become {identity.name}: {error.strerror}") from None
    _drop_capabilities()
    _check(identity)


def _check(identity: Identity) -> None:
    uid, gid = identity.uid, identity.groups[0]
    same = os.getresuid() == (uid,) * 3 and os.getresgid() == (gid,) * 3
    try:
        os.setuid(0)
    except PermissionError:
        if same and 0 not in {*os.getgroups()} - {*identity.groups}:
            return
    raise PrivilegeError(f"root's rights did not go when this process became {identity.name}")


_CAPABILITIES_VERSION_3 = 0x20080522
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4


def _drop_capabilities() -> None:
    """None at all, of any kind (capabilities(7)). Where the system has none there is nothing to do."""
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None)
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    libc.capset(header, nothing)


_LATE = (
    *("pcapdiag.diagnosis.verdict", "pcapdiag.diagnosis.outcome.ikev2", "pcapdiag.diagnosis.evidence.certificates"),
    *(
        "pcapdiag.diagnosis.outcome.aggressive_mode",
        "pcapdiag.diagnosis.evidence.child_offers",
    ),
    *("pcapdiag.diagnosis.evidence.offers", "pcapdiag.diagnosis.evidence.psk_check"),
    *("pcapdiag.diagnosis.causes.checks", "pcapdiag.diagnosis.causes.request"),
    *("pcapdiag.ike.payloads_sealed", "pcapdiag.ike.preshared", "pcapdiag.ike.distinguished_names"),
    *("pcapdiag.ike.registry_sealed",),
    *("pcapdiag.capture.streams", "pcapdiag.capture.pcapng", "pcapdiag.capture.files"),
    *(
        "pcapdiag.report.live.ndjson",
        "pcapdiag.report.live.output",
        "pcapdiag.report.live.metrics",
        "pcapdiag.report.live.screen",
    ),
    *("pcapdiag.cli.terminal",),
    *("dpkt", "hashlib", "shutil", "encodings.idna", "stringprep"),
)


def load_late_modules() -> None:
    """Load what is otherwise loaded when it is first needed: the user may not be able to read where it is installed."""
    for name in _LATE:
        with suppress(ImportError):  # curses, say: whoever needs it says so
            import_module(name)
