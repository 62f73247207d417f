"""pcapdiag reads packet captures of IKE and says where the exchange stopped, what proves it, and why.

    import pcapdiag

    report = pcapdiag.analyze("capture.pcapng")
    report.exchanges                            # pandas DataFrames, also: messages, evidence, causes
    for found in report.diagnoses:              # the same as records
        print(found.exchange.initiator.address, found.stop.outcome)

analyze -- reads captures; gives a Report
columns -- what the columns of the tables of a Report are

Errors are one line that names the file and the reason: CaptureError, KeyTableError, CryptographyMissingError.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from pcapdiag.version import VERSION

if TYPE_CHECKING:
    from pcapdiag.capture.datagram import CaptureError
    from pcapdiag.ike.decryption import CryptographyMissingError
    from pcapdiag.ike.decryption_keys import KeyTableError
    from pcapdiag.pipeline import Report, analyze
    from pcapdiag.report.dataframes import columns

__version__ = VERSION

__all__ = ["CaptureError", "CryptographyMissingError", "KeyTableError", "Report", "__version__", "analyze", "columns"]

_HOMES = {
    "CaptureError": "pcapdiag.capture.datagram",
    "CryptographyMissingError": "pcapdiag.ike.decryption",
    "KeyTableError": "pcapdiag.ike.decryption_keys",
    "Report": "pcapdiag.pipeline",
    "analyze": "pcapdiag.pipeline",
    "columns": "pcapdiag.report.dataframes",
}
"""Where the public names live. They are imported when they are asked for: `pcapdiag --help` needs none of them."""


def __getattr__(name: str) -> object:
    """Import what is asked for."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
