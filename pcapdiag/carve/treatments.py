"""What is done to each part of an IKE message when it is anonymized, and why: the tables."""

from enum import Enum, auto

from pcapdiag.ike.registry import IdentificationType, NotifyType, NotifyTypeV2, OakleyAttribute, PayloadType


class Treatment(Enum):
    """What is done to the body of a payload, or to the data in it. What does not fit its form is scrambled whole."""

    KEEP = auto()
    SCRAMBLE = auto()
    """Other octets, as many; the same for the same."""
    PROPOSALS = auto()
    """Kept as far as it is proposals, transforms and attributes that the registries list."""
    GROUP_AND_VALUE = auto()
    """IKEv2 puts the group in front of the public value: that stays."""
    IDENTITY = auto()
    CERTIFICATE = auto()
    """The encoding stays, the rest is scrambled."""
    ISSUER = auto()
    """The encoding stays, and of a name its structure."""
    AUTHENTICATION = auto()
    """The method stays, the rest is scrambled."""
    NOTIFY = auto()
    """Type, protocol and SPI stay; for the data see NOTIFY_DATA."""
    DELETE = auto()
    """Protocol and SPIs stay."""
    NAT_HASH = auto()
    """Made anew for the new address where it is that of an address that is known; else scrambled."""
    ADDRESS = auto()
    """Mapped as addresses in headers are."""
    TYPED_ADDRESS = auto()
    """An address behind its type (NAT-OA)."""
    GATEWAY = auto()
    """A gateway's address or name, and what follows it (RFC 5685 §4)."""
    SELECTORS = auto()
    """Traffic selectors: protocols and ports stay, addresses are mapped."""
    CONFIGURATION = auto()
    """Attributes: see CONFIGURATION_VALUES."""
    EAP = auto()
    """Code, identifier, length and type stay."""
    SEALED = auto()
    """Ciphertext is scrambled; the numbers of a fragment stay."""
    FRAGMENT = auto()
    """Numbers stay; the first piece is treated as the message that it begins, the others are scrambled."""


T, P = Treatment, PayloadType
PAYLOADS: dict[int, tuple[Treatment, str]] = {
    P.SA: (T.PROPOSALS, "algorithms and lifetimes are what the diagnosis is made of"),
    P.SA2: (T.PROPOSALS, "the same"),
    P.KE: (T.SCRAMBLE, "with a weak group it opens the tunnel; its length tells the group"),
    P.KE2: (T.GROUP_AND_VALUE, "the same; the group is what INVALID_KE_PAYLOAD is about"),
    P.NONCE: (T.SCRAMBLE, "what keys are derived from"),
    P.NONCE2: (T.SCRAMBLE, "the same"),
    P.ID: (T.IDENTITY, "who it is; an address stays the same address as in the headers, because a difference tells"),
    P.IDI: (T.IDENTITY, "the same"),
    P.IDR: (T.IDENTITY, "the same"),
    P.IDG: (T.IDENTITY, "the same, of a group"),
    P.CERT: (T.CERTIFICATE, "names, and who issued it"),
    P.CERT2: (T.CERTIFICATE, "the same"),
    P.CERTREQ: (T.ISSUER, "names the issuer"),
    P.CERTREQ2: (T.CERTIFICATE, "hashes of the issuers' keys, which are public"),
    P.HASH: (T.SCRAMBLE, "in Aggressive Mode it lets anybody try out pre-shared keys"),
    P.SIG: (T.SCRAMBLE, "with the signer's certificate it tells who signed"),
    P.AUTH: (T.AUTHENTICATION, "as HASH and SIG"),
    P.NOTIFY: (T.NOTIFY, "the type is the diagnosis"),
    P.NOTIFY2: (T.NOTIFY, "the same"),
    P.DELETE: (T.DELETE, "SPIs are drawn by chance and tell which SA is meant"),
    P.DELETE2: (T.DELETE, "the same"),
    P.VENDOR_ID: (T.KEEP, "which software it is decides what to look for"),
    P.VENDOR_ID2: (T.KEEP, "the same"),
    P.NAT_D: (T.NAT_HASH, "shows a NAT; with 2³² tries it gives the address away"),
    P.NAT_D_DRAFT: (T.NAT_HASH, "the same, drafts 01–03"),
    P.NAT_D_DRAFT_OLD: (T.NAT_HASH, "the same, drafts 04–08"),
    P.NAT_OA: (T.TYPED_ADDRESS, "an address"),
    P.NAT_OA_DRAFT: (T.TYPED_ADDRESS, "the same, drafts 01–03"),
    P.TSI: (T.SELECTORS, "networks behind the gateways"),
    P.TSR: (T.SELECTORS, "the same"),
    P.ATTRIBUTES: (T.CONFIGURATION, "user names, passwords, inner addresses"),
    P.CP: (T.CONFIGURATION, "the same"),
    P.EAP: (T.EAP, "identities and challenges"),
    P.SK: (T.SEALED, "whoever has the keys could read it"),
    P.SKF: (T.SEALED, "the same, a piece"),
    P.FRAGMENT: (T.FRAGMENT, "a piece of another message"),
}
"""By payload type: what is done, and why. A type that is not listed is scrambled."""

N, M = NotifyType, NotifyTypeV2
NOTIFY_DATA: dict[tuple[int, int], Treatment] = {
    **{
        (1, number): T.KEEP
        for number in (
            N.NOTIFY_SA_LIFETIME,
            N.RESPONDER_LIFETIME,
            N.REPLAY_STATUS,
            N.R_U_THERE,
            N.R_U_THERE_ACK,
            N.IOS_KEEP_ALIVE_REQUEST,
            N.IOS_KEEP_ALIVE_ACK,
        )
    },
    (1, N.UNITY_LOAD_BALANCE): T.ADDRESS,
    **{
        (2, number): T.KEEP
        for number in (
            M.UNSUPPORTED_CRITICAL_PAYLOAD,
            M.INVALID_KE_PAYLOAD,
            M.INVALID_MESSAGE_ID,
            M.SET_WINDOW_SIZE,
            M.IPCOMP_SUPPORTED,
            M.AUTH_LIFETIME,
            M.SIGNATURE_HASH_ALGORITHMS,
            M.SECURE_PASSWORD_METHODS,
            M.USE_AGGFRAG,
        )
    },
    (2, M.ADDITIONAL_IP4_ADDRESS): T.ADDRESS,
    (2, M.ADDITIONAL_IP6_ADDRESS): T.ADDRESS,
    (2, M.REDIRECT): T.GATEWAY,
    (2, M.REDIRECTED_FROM): T.GATEWAY,
    (2, M.NAT_DETECTION_SOURCE_IP): T.NAT_HASH,
    (2, M.NAT_DETECTION_DESTINATION_IP): T.NAT_HASH,
}
"""By major version and type: what is done to the data of a notify. What is not listed is scrambled: there are texts,
names, tickets and cookies among it."""

I = IdentificationType  # noqa: E741 -- short, for the table
IDENTITIES: dict[int, int] = {
    I.IPV4_ADDR: 4,
    I.IPV6_ADDR: 16,
    I.IPV4_ADDR_SUBNET: 4,
    I.IPV6_ADDR_SUBNET: 16,
    I.IPV4_ADDR_RANGE: 4,
    I.IPV6_ADDR_RANGE: 16,
}
"""Identities that are addresses, or two, with the octets of one; other types are names."""

SUBNETS = frozenset((int(I.IPV4_ADDR_SUBNET), int(I.IPV6_ADDR_SUBNET)))

ATTRIBUTES: frozenset[int] = frozenset(
    int(a) for a in OakleyAttribute if a.value not in (OakleyAttribute.GSS_IDENTITY,)
)
"""Attributes of proposals that stay; the GSS identity is the name of a host."""

CONFIGURATION_VALUES: dict[int, int] = {1: 4, 2: 0, 3: 4, 4: 4, 6: 4, 8: 16, 9: 0, 10: 16, 12: 16, 13: 4, 15: 16}
"""Configuration attributes that begin with an address (draft-dukes-ike-mode-cfg §3.3, RFC 7296 §3.15.1): its octets;
0: it stays as it is, a netmask. What follows the address, a mask or a prefix length, stays. Other values are scrambled:
names, banners, and XAuth's user names and passwords."""
