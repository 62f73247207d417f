"""What certificates in the messages say, held against the capture: validity, usage, issuer, identity (RFC 4945 §5).

Certificates are read by the `cryptography` package, imported when the first one is met. No signature is verified and
nothing is looked up: trust and revocation are the peers' own, and do not show.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING

from pcapdiag.capture.datagram import Frame
from pcapdiag.exchange.model import Exchange, Side, Step
from pcapdiag.ike.distinguished_names import name_text
from pcapdiag.ike.payloads import Certificate, Identification
from pcapdiag.ike.printing import printable
from pcapdiag.ike.registry import CertificateEncoding, IdentificationType, PayloadType
from pcapdiag.record import Record
from pcapdiag.units import SECOND

if TYPE_CHECKING:
    from cryptography import x509


class CertificateFault(Record, frozen=True):
    """Something that a peer may refuse a certificate for: `kind` is a part of the kind of evidence."""

    kind: str
    text: str


class CertificateCheck(Record, frozen=True):
    """The certificate with which an end authenticates.

    subject, issuer -- printable; None, like `validity`, where it cannot be read
    validity -- the first and the last day in words
    faults -- what is wrong with it; checked -- what was looked at and is as it should be, in words
    frames -- that carried it
    """

    side: Side
    subject: str | None
    issuer: str | None
    validity: str | None
    faults: tuple[CertificateFault, ...]
    checked: tuple[str, ...]
    frames: tuple[Frame, ...]


_CERT = (PayloadType.CERT, PayloadType.CERT2)
_X509 = (CertificateEncoding.X509_SIGNATURE, CertificateEncoding.X509_KEY_EXCHANGE)


def check_certificates(exchange: Exchange) -> Iterator[CertificateCheck]:
    """The certificate of each end that sent one which can be read: in clear, or opened with keys.

    Yields nothing where the cryptography package is not installed.
    """
    for side in Side:
        for step in exchange.steps:
            found = [p for p in step.payloads if _is_x509(p)] if step.sender is side else []
            if not found:
                continue
            try:
                yield _check(exchange, side, step, [c for c in found if isinstance(c, Certificate)])
            except ImportError:
                return
            break


def _is_x509(payload: object) -> bool:
    return isinstance(payload, Certificate) and payload.type in _CERT and payload.encoding in _X509


def _check(exchange: Exchange, side: Side, step: Step, found: list[Certificate]) -> CertificateCheck:
    from cryptography import x509

    frames = step.first.frames
    damaged = (ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
    try:
        # The first is the one that the signature is made with (RFC 7296 §3.6); the others lead up from it.
        own = x509.load_der_x509_certificate(found[0].data)
        subject, issuer = _name(own.subject), _name(own.issuer)
        first, last = own.not_valid_before_utc, own.not_valid_after_utc
        extensions = own.extensions
    except damaged:
        fault = CertificateFault("unreadable", "it is no certificate that can be read")
        return CertificateCheck(side, None, None, None, (fault,), (), frames)
    faults: list[CertificateFault] = []
    checked: list[str] = []
    faults += _validity(first, last, step.first.time)
    if not faults:
        checked.append("valid at that time")
    findings = (
        _usage(extensions),
        _issuer(exchange, side, found),
        _identity(step, own.subject.public_bytes(), extensions),
    )
    faults += [fault for fault, _ in findings if fault is not None]
    checked += [good for fault, good in findings if fault is None and good]
    validity = f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
    return CertificateCheck(side, subject, issuer, validity, tuple(faults), tuple(checked), frames)


def _name(name: "x509.Name") -> str:
    return name_text(name.public_bytes()) or "a name that cannot be read"


_Finding = tuple[CertificateFault | None, str]


def _validity(first: datetime, last: datetime, sent: int) -> Iterator[CertificateFault]:
    """Whether it was valid at the capture's time (RFC 5280 §4.1.2.5)."""
    try:
        at = datetime.fromtimestamp(sent // SECOND, UTC)
    except (OverflowError, ValueError, OSError):
        return  # a damaged capture has times that no calendar has
    if at > last:
        yield CertificateFault("expired", f"it had expired when it was sent, on {at:%Y-%m-%d}")
    elif at < first:
        yield CertificateFault("not-yet-valid", f"it was not valid yet when it was sent, on {at:%Y-%m-%d}")


def _usage(extensions: "x509.Extensions") -> _Finding:
    """Key usage has to allow signatures (RFC 4945 §5.1.3.2), extended key usage IKE (§5.1.3.12)."""
    from cryptography import x509

    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        usage = None
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        given = ", ".join(n for n in _USAGES if getattr(usage, n)).replace("_", " ")
        return CertificateFault("key-usage", f"its key usage does not allow signatures (it has: {given})"), ""
    try:
        purposes = [p.dotted_string for p in extensions.get_extension_for_class(x509.ExtendedKeyUsage).value]
    except x509.ExtensionNotFound:
        return None, "its key usage allows signatures" if usage is not None else ""
    if not _PURPOSES.intersection(purposes):
        text = f"its extended key usage is for nothing that IKE takes ({', '.join(purposes[:4])})"
        return CertificateFault("extended-key-usage", text), ""
    return None, "its key usage allows signatures"


_USAGES = ("key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign")
_PURPOSES = frozenset(
    (
        "1.3.6.1.5.5.7.3.17",  # id-kp-ipsecIKE
        "2.5.29.37.0",  # anyExtendedKeyUsage
        "1.3.6.1.5.5.7.3.1",  # serverAuth, which many implementations take or even want
        "1.3.6.1.5.5.7.3.2",  # clientAuth
        "1.3.6.1.5.5.8.2.2",  # iKEIntermediate, of Apple and Microsoft
        "1.3.6.1.5.5.7.3.5",  # ipsecEndSystem, ipsecTunnel and ipsecUser, which RFC 4945 has withdrawn
        "1.3.6.1.5.5.7.3.6",
        "1.3.6.1.5.5.7.3.7",
    )
)


def _issuer(exchange: Exchange, side: Side, found: list[Certificate]) -> _Finding:
    """Whether an issuer of what was sent is one that the other end asks for (RFC 2408 §3.10; IKEv1, by name)."""
    from cryptography import x509

    wanted = {
        p.data
        for step in exchange.steps
        if step.sender is side.other and step.message.header.major == 1
        for p in step.payloads
        if isinstance(p, Certificate) and p.type == PayloadType.CERTREQ and p.encoding in _X509
    }
    if not wanted or b"" in wanted:
        return None, ""
    issuers = set()
    for each in found:
        try:
            issuers.add(x509.load_der_x509_certificate(each.data).issuer.public_bytes())
        except (ValueError, x509.InvalidVersion):
            continue
    if issuers & wanted:
        return None, f"issued by an authority that the {side.other} asks for"
    names = "; ".join(name_text(w) or w.hex() for w in sorted(wanted)[:3])
    return CertificateFault("issuer", f"the {side.other} asks for certificates of another issuer ({names})"), ""


def _identity(step: Step, subject: bytes, extensions: "x509.Extensions") -> _Finding:
    """Whether the identity beside it is the subject or an alternative name of it (RFC 4945 §3.1)."""
    identity = next((p for p in step.payloads if isinstance(p, Identification)), None)
    if identity is None or identity.id_type == IdentificationType.KEY_ID:
        return None, ""
    names = _alternative_names(extensions)
    said = f"{identity.id_type.label} {identity.text}"
    if identity.id_type == IdentificationType.DER_ASN1_DN:
        if identity.data == subject:
            return None, "its subject is the identity"
        return CertificateFault("identity", f"its subject is not the identity that was sent ({said})"), ""
    if identity.text.lower() in names:
        return None, "an alternative name is the identity"
    listed = ", ".join(sorted(names)[:6]) or "none"
    text = f"none of its alternative names ({listed}) is the identity that was sent ({said})"
    return CertificateFault("identity", text), ""


def _alternative_names(extensions: "x509.Extensions") -> set[str]:
    from cryptography import x509

    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    found = {printable(n.value.encode()).lower() for n in names if isinstance(n, x509.DNSName | x509.RFC822Name)}
    for name in names:
        if isinstance(name, x509.IPAddress):
            found.add(str(ip_address(str(name.value))) if "/" not in str(name.value) else str(name.value))
    return found
