"""pcapdiag reads packet captures of IKE and says where the exchange stopped, what proves it, and why."""

from typing import TYPE_CHECKING

from pcapdiag.version import VERSION

if TYPE_CHECKING:
    from pcapdiag.capture.datagram import CaptureError
    from pcapdiag.ike.decryption import CryptographyMissingError
    from pcapdiag.ike.decryption_keys import KeyTableError
    from pcapdiag.pipeline import Report, analyze

__version__ = VERSION

__all__ = ["CaptureError", "CryptographyMissingError", "KeyTableError", "Report", "__version__", "analyze"]


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for: `pcapdiag --help` needs none of it."""
    if name == "CaptureError":
        from pcapdiag.capture.datagram import CaptureError

        return CaptureError
    if name == "KeyTableError":
        from pcapdiag.ike.decryption_keys import KeyTableError

        return KeyTableError
    if name == "CryptographyMissingError":
        from pcapdiag.ike.decryption import CryptographyMissingError

        return CryptographyMissingError
    if name in ("Report", "analyze"):
        from pcapdiag import pipeline

        return getattr(pipeline, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
