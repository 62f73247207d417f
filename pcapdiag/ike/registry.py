"""The numbers of IKE: each registry that a message refers to, as an enumeration that prints unlisted values too.

The tables follow IANA's "Internet Security Association and Key Management Protocol (ISAKMP) Identifiers"
(isakmp-registry), "Internet Key Exchange (IKE) Attributes" (ipsec-registry) and "Internet Key Exchange Version 2
(IKEv2) Parameters" (ikev2-parameters). Private numbers stand in a table only where their sender is known.

An entry is ``NAME = number`` or ``NAME = number, "what a person reads"``. Names are the registry's, with
underscores; where both versions of IKE use one name for two numbers, the IKEv2 name ends in ``2``.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, IntFlag
from typing import Self

_KEPT_MAXIMUM = 0xFFFF  # unlisted values of wider fields are not kept: a hostile capture could show billions


class Number(IntEnum):
    """A number out of a registry; one that the registry does not list is a value too.

    ``Group(77)`` has the name ``UNKNOWN_77``; a number that the registry leaves to private use gives
    ``PRIVATE_USE_…``. Such values behave as members do, but iterating over the class does not show them.
    Each is made once and kept, so a class holds as many of them as its field on the wire can say, at most.

    A table is a subclass; ``maximum`` is the largest value of the field, ``private`` the ranges for private use.

    Raises:
        ValueError: when called with what the field cannot hold: a number out of range, or no integer.
    """

    _text: str
    _maximum: int
    _private: tuple[range, ...]
    _unlisted: dict[int, Self]

    def __new__(cls, value: int, text: str = "") -> Self:
        """Make a member from a line of the table."""
        member = int.__new__(cls, value)
        member._value_ = value
        member._text = text
        return member

    def __init_subclass__(cls, *, maximum: int = 0xFFFF, private: tuple[range, ...] = ()) -> None:
        """Keep what the table's header says of the field."""
        super().__init_subclass__()
        cls._maximum = maximum
        cls._private = private
        cls._unlisted = {}

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int) or not 0 <= value <= cls._maximum:
            return None
        # Not kept in enum's own map of values: ``77 in Doi`` has to stay false however often 77 was seen.
        member = cls._unlisted.get(value)
        if member is None:
            member = int.__new__(cls, value)
            member._name_ = f"{'PRIVATE_USE' if cls.is_private(value) else 'UNKNOWN'}_{value:d}"
            member._value_ = int(value)
            member._text = ""
            if cls._maximum <= _KEPT_MAXIMUM:
                member = cls._unlisted.setdefault(member._value_, member)
        return member

    @classmethod
    def is_private(cls, value: int) -> bool:
        """Tell whether the registry leaves this number to private use."""
        return any(value in numbers for numbers in cls._private)

    @property
    def is_listed(self) -> bool:
        """Whether the table has an entry for this number."""
        return self._name_ in type(self).__members__

    @property
    def label(self) -> str:
        """What a person reads, such as ``AES-CBC``; the name where the table says nothing else."""
        return self._text or self._name_

    def __str__(self) -> str:
        """Give the name."""
        return self._name_

    def __format__(self, format_spec: str) -> str:
        """Format the name, or the number when the specification is one for integers (``d``, ``x`` …)."""
        if format_spec[-1:] in tuple("bcdnoxX"):
            return format(self._value_, format_spec)
        return format(self._name_, format_spec)

    def __reduce_ex__(self, protocol: object) -> tuple[Callable[[int], Self], tuple[int]]:
        """Pickle as class and number: an unlisted value has no name to be found by."""
        return type(self), (self._value_,)


class HeaderFlag(IntFlag):
    """Flags of the ISAKMP header: three of IKEv1 (RFC 2408 §3.1), three of IKEv2 (RFC 7296 §3.1)."""

    ENCRYPTION = 1
    COMMIT = 2
    AUTHENTICATION_ONLY = 4
    INITIATOR = 8
    VERSION = 16
    RESPONSE = 32


class ExchangeType(Number, maximum=0xFF, private=(range(240, 256),)):
    """ISAKMP "Exchange Type Values" (RFC 2408 §3.1, RFC 2409 appendix A) and "IKEv2 Exchange Types".

    243–246 are Microsoft's AuthIP ([MS-AIPS]), which otherwise looks like IKEv1.
    """

    NONE = 0
    BASE = 1, "Base"
    MAIN = 2, "Main Mode"
    AUTHENTICATION_ONLY = 3, "Authentication Only"
    AGGRESSIVE = 4, "Aggressive Mode"
    INFORMATIONAL = 5, "Informational"
    TRANSACTION = 6, "Transaction"
    QUICK = 32, "Quick Mode"
    NEW_GROUP = 33, "New Group Mode"
    IKE_SA_INIT = 34
    IKE_AUTH = 35
    CREATE_CHILD_SA = 36
    INFORMATIONAL_V2 = 37, "INFORMATIONAL"
    IKE_SESSION_RESUME = 38
    GSA_AUTH = 39
    GSA_REGISTRATION = 40
    GSA_REKEY = 41
    GSA_INBAND_REKEY = 42
    IKE_INTERMEDIATE = 43
    IKE_FOLLOWUP_KE = 44
    AUTHIP_MAIN = 243, "AuthIP Main Mode"
    AUTHIP_QUICK = 244, "AuthIP Quick Mode"
    AUTHIP_EXTENDED = 245, "AuthIP Extended Mode"
    AUTHIP_NOTIFY = 246, "AuthIP Notify"


class PayloadType(Number, maximum=0xFF, private=(range(128, 256),)):
    """ISAKMP "Next Payload Types" (RFC 2408 §3.1) and "IKEv2 Payload Types" (RFC 7296 §3.2).

    Labels are the RFCs' notation. 15 was NAT-D in drafts 04–08 of NAT traversal and is the SA KEK payload in GDOI
    (RFC 6407); the first is what a phase 1 exchange carries. 130–132 are private numbers that many vendors share.
    """

    NONE = 0
    SA = 1
    PROPOSAL = 2, "P"
    TRANSFORM = 3, "T"
    KE = 4
    ID = 5
    CERT = 6
    CERTREQ = 7
    HASH = 8
    SIG = 9
    NONCE = 10
    NOTIFY = 11, "N"
    DELETE = 12, "D"
    VENDOR_ID = 13, "VID"
    ATTRIBUTES = 14, "ATTR"
    NAT_D_DRAFT_OLD = 15, "NAT-D"
    SA_KEK = 15
    SA_TEK = 16, "SAT"
    KEY_DOWNLOAD = 17, "KD"
    SEQUENCE_NUMBER = 18, "SEQ"
    PROOF_OF_POSSESSION = 19, "POP"
    NAT_D = 20, "NAT-D"
    NAT_OA = 21, "NAT-OA"
    GROUP_ASSOCIATED_POLICY = 22, "GAP"
    SA2 = 33, "SA"
    KE2 = 34, "KE"
    IDI = 35, "IDi"
    IDR = 36, "IDr"
    CERT2 = 37, "CERT"
    CERTREQ2 = 38, "CERTREQ"
    AUTH = 39
    NONCE2 = 40, "NONCE"
    NOTIFY2 = 41, "N"
    DELETE2 = 42, "D"
    VENDOR_ID2 = 43, "VID"
    TSI = 44, "TSi"
    TSR = 45, "TSr"
    SK = 46
    CP = 47
    EAP = 48
    GSPM = 49
    IDG = 50, "IDg"
    GSA = 51
    KEY_DOWNLOAD2 = 52, "KD"
    SKF = 53
    PS = 54
    NAT_D_DRAFT = 130, "NAT-D"
    NAT_OA_DRAFT = 131, "NAT-OA"
    FRAGMENT = 132, "FRAG"


class Doi(Number, maximum=0xFFFFFFFF):
    """ISAKMP "Domain of Interpretation" (RFC 2408 §3.4); a field of 32 bits."""

    ISAKMP = 0
    IPSEC = 1, "IPsec"
    GDOI = 2


class Protocol(Number, maximum=0xFF, private=(range(249, 256),)):
    """IPsec DOI "IPSEC Security Protocol Identifiers" (RFC 2407 §4.4.1), IKEv1."""

    NONE = 0
    ISAKMP = 1
    AH = 2
    ESP = 3
    IPCOMP = 4, "IPComp"
    GIGABEAM_RADIO = 5


class ProtocolV2(Number, maximum=0xFF, private=(range(201, 256),)):
    """IKEv2 "Security Protocol Identifiers" (RFC 7296 §3.3.1); 0 where a notify concerns no SA."""

    NONE = 0
    IKE = 1
    AH = 2
    ESP = 3
    FC_ESP_HEADER = 4
    FC_CT_AUTHENTICATION = 5
    GIKE_UPDATE = 6


class NotifyType(Number, private=(range(8192, 16384), range(32768, 40960))):
    """ISAKMP "Notify Message Types" (RFC 2408 §3.14.1).

    24576–24578: RFC 2407 §4.6.3; 36136 and 36137: RFC 3706 §5. The rest are Cisco's (30000–30002 stand in a
    reserved range), NetScreen's 40001 and Microsoft's 12345.
    """

    INVALID_PAYLOAD_TYPE = 1
    DOI_NOT_SUPPORTED = 2
    SITUATION_NOT_SUPPORTED = 3
    INVALID_COOKIE = 4
    INVALID_MAJOR_VERSION = 5
    INVALID_MINOR_VERSION = 6
    INVALID_EXCHANGE_TYPE = 7
    INVALID_FLAGS = 8
    INVALID_MESSAGE_ID = 9
    INVALID_PROTOCOL_ID = 10
    INVALID_SPI = 11
    INVALID_TRANSFORM_ID = 12
    ATTRIBUTES_NOT_SUPPORTED = 13
    NO_PROPOSAL_CHOSEN = 14
    BAD_PROPOSAL_SYNTAX = 15
    PAYLOAD_MALFORMED = 16
    INVALID_KEY_INFORMATION = 17
    INVALID_ID_INFORMATION = 18
    INVALID_CERT_ENCODING = 19
    INVALID_CERTIFICATE = 20
    CERT_TYPE_UNSUPPORTED = 21
    INVALID_CERT_AUTHORITY = 22
    INVALID_HASH_INFORMATION = 23
    AUTHENTICATION_FAILED = 24
    INVALID_SIGNATURE = 25
    ADDRESS_NOTIFICATION = 26
    NOTIFY_SA_LIFETIME = 27
    CERTIFICATE_UNAVAILABLE = 28
    UNSUPPORTED_EXCHANGE_TYPE = 29
    UNEQUAL_PAYLOAD_LENGTHS = 30
    MICROSOFT_STATUS = 12345
    CONNECTED = 16384
    RESPONDER_LIFETIME = 24576
    REPLAY_STATUS = 24577
    INITIAL_CONTACT = 24578
    CISCO_HELLO = 30000
    CISCO_WWTEBR = 30001
    CISCO_SHUT_UP = 30002
    IOS_KEEP_ALIVE_REQUEST = 32768
    IOS_KEEP_ALIVE_ACK = 32769
    R_U_THERE = 36136
    R_U_THERE_ACK = 36137
    NETSCREEN_NHTB_INFORM = 40001
    UNITY_LOAD_BALANCE = 40501
    UNITY_UNKNOWN = 40502
    UNITY_GROUP_HASH = 40503

    @property
    def is_error(self) -> bool:
        """Whether the type reports an error: 1–16383, private ones from 8192 on (RFC 2408 §3.14.1)."""
        return 0 < self._value_ < 16384


class NotifyTypeV2(Number, private=(range(8192, 16384), range(40960, 65536))):
    """IKEv2 "Notify Message Error Types" and "Notify Message Status Types" (RFC 7296 §3.10.1).

    Private: 12345 is Microsoft's, 40960 libreswan's, 40961–40969 are strongSwan's.
    """

    UNSUPPORTED_CRITICAL_PAYLOAD = 1
    INVALID_IKE_SPI = 4
    INVALID_MAJOR_VERSION = 5
    INVALID_SYNTAX = 7
    INVALID_MESSAGE_ID = 9
    INVALID_SPI = 11
    NO_PROPOSAL_CHOSEN = 14
    INVALID_KE_PAYLOAD = 17
    AUTHENTICATION_FAILED = 24
    SINGLE_PAIR_REQUIRED = 34
    NO_ADDITIONAL_SAS = 35
    INTERNAL_ADDRESS_FAILURE = 36
    FAILED_CP_REQUIRED = 37
    TS_UNACCEPTABLE = 38
    INVALID_SELECTORS = 39
    UNACCEPTABLE_ADDRESSES = 40
    UNEXPECTED_NAT_DETECTED = 41
    USE_ASSIGNED_HOA = 42, "USE_ASSIGNED_HoA"
    TEMPORARY_FAILURE = 43
    CHILD_SA_NOT_FOUND = 44
    INVALID_GROUP_ID = 45
    AUTHORIZATION_FAILED = 46
    STATE_NOT_FOUND = 47
    TS_MAX_QUEUE = 48
    REGISTRATION_FAILED = 49
    MICROSOFT_STATUS = 12345
    INITIAL_CONTACT = 16384
    SET_WINDOW_SIZE = 16385
    ADDITIONAL_TS_POSSIBLE = 16386
    IPCOMP_SUPPORTED = 16387
    NAT_DETECTION_SOURCE_IP = 16388
    NAT_DETECTION_DESTINATION_IP = 16389
    COOKIE = 16390
    USE_TRANSPORT_MODE = 16391
    HTTP_CERT_LOOKUP_SUPPORTED = 16392
    REKEY_SA = 16393
    ESP_TFC_PADDING_NOT_SUPPORTED = 16394
    NON_FIRST_FRAGMENTS_ALSO = 16395
    MOBIKE_SUPPORTED = 16396
    ADDITIONAL_IP4_ADDRESS = 16397
    ADDITIONAL_IP6_ADDRESS = 16398
    NO_ADDITIONAL_ADDRESSES = 16399
    UPDATE_SA_ADDRESSES = 16400
    COOKIE2 = 16401
    NO_NATS_ALLOWED = 16402
    AUTH_LIFETIME = 16403
    MULTIPLE_AUTH_SUPPORTED = 16404
    ANOTHER_AUTH_FOLLOWS = 16405
    REDIRECT_SUPPORTED = 16406
    REDIRECT = 16407
    REDIRECTED_FROM = 16408
    TICKET_LT_OPAQUE = 16409
    TICKET_REQUEST = 16410
    TICKET_ACK = 16411
    TICKET_NACK = 16412
    TICKET_OPAQUE = 16413
    LINK_ID = 16414
    USE_WESP_MODE = 16415
    ROHC_SUPPORTED = 16416
    EAP_ONLY_AUTHENTICATION = 16417
    CHILDLESS_IKEV2_SUPPORTED = 16418
    QUICK_CRASH_DETECTION = 16419
    IKEV2_MESSAGE_ID_SYNC_SUPPORTED = 16420
    IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED = 16421
    IKEV2_MESSAGE_ID_SYNC = 16422
    IPSEC_REPLAY_COUNTER_SYNC = 16423
    SECURE_PASSWORD_METHODS = 16424
    PSK_PERSIST = 16425
    PSK_CONFIRM = 16426
    ERX_SUPPORTED = 16427
    IFOM_CAPABILITY = 16428
    GROUP_SENDER = 16429
    SENDER_REQUEST_ID = 16429
    IKEV2_FRAGMENTATION_SUPPORTED = 16430
    SIGNATURE_HASH_ALGORITHMS = 16431
    CLONE_IKE_SA_SUPPORTED = 16432
    CLONE_IKE_SA = 16433
    PUZZLE = 16434
    USE_PPK = 16435
    PPK_IDENTITY = 16436
    NO_PPK_AUTH = 16437
    INTERMEDIATE_EXCHANGE_SUPPORTED = 16438
    IP4_ALLOWED = 16439
    IP6_ALLOWED = 16440
    ADDITIONAL_KEY_EXCHANGE = 16441
    USE_AGGFRAG = 16442
    SUPPORTED_AUTH_METHODS = 16443
    SA_RESOURCE_INFO = 16444
    USE_PPK_INT = 16445
    PPK_IDENTITY_KEY = 16446
    NULL_AUTH = 40960
    USE_BEET_MODE = 40961
    ME_MEDIATION = 40962
    ME_ENDPOINT = 40963
    ME_CALLBACK = 40964
    ME_CONNECTID = 40965
    ME_CONNECTKEY = 40966
    ME_CONNECTAUTH = 40967
    ME_RESPONSE = 40968
    RADIUS_ATTRIBUTE = 40969

    @property
    def is_error(self) -> bool:
        """Whether the type reports an error: 1–16383, private ones from 8192 on (RFC 7296 §3.10.1)."""
        return 0 < self._value_ < 16384


class IdentificationType(Number, maximum=0xFF, private=(range(249, 256),)):
    """IPsec DOI "IPSEC Identification Type" (RFC 2407 §4.6.2.1), IKEv2 "Identification Payload ID Types".

    The two agree but for 12: a list of identities (RFC 3554) in IKEv1, a Fibre Channel name (RFC 4595) in
    IKEv2.
    """

    RESERVED = 0
    IPV4_ADDR = 1
    FQDN = 2
    USER_FQDN = 3
    RFC822_ADDR = 3
    IPV4_ADDR_SUBNET = 4
    IPV6_ADDR = 5
    IPV6_ADDR_SUBNET = 6
    IPV4_ADDR_RANGE = 7
    IPV6_ADDR_RANGE = 8
    DER_ASN1_DN = 9
    DER_ASN1_GN = 10
    KEY_ID = 11
    FC_NAME = 12
    LIST = 12
    NULL = 13


class CertificateEncoding(Number, maximum=0xFF, private=(range(201, 256),)):
    """Certificate types of RFC 2408 §3.9 (0–10) and IKEv2 "Certificate Encodings" (RFC 7296 §3.6)."""

    NONE = 0
    PKCS7_WRAPPED_X509 = 1, "PKCS #7 wrapped X.509 certificate"
    PGP = 2, "PGP certificate"
    DNS_SIGNED_KEY = 3, "DNS signed key"
    X509_SIGNATURE = 4, "X.509 certificate (signature)"
    X509_KEY_EXCHANGE = 5, "X.509 certificate (key exchange)"
    KERBEROS_TOKENS = 6, "Kerberos tokens"
    CRL = 7, "certificate revocation list"
    ARL = 8, "authority revocation list"
    SPKI = 9, "SPKI certificate"
    X509_ATTRIBUTE = 10, "X.509 certificate (attribute)"
    RAW_RSA_KEY = 11, "raw RSA key"
    HASH_AND_URL_OF_X509_CERTIFICATE = 12, "hash and URL of X.509 certificate"
    HASH_AND_URL_OF_X509_BUNDLE = 13, "hash and URL of X.509 bundle"
    OCSP_CONTENT = 14, "OCSP content"
    RAW_PUBLIC_KEY = 15, "raw public key"


class OakleyAttribute(Number, maximum=0x7FFF, private=(range(16384, 32768),)):
    """IKEv1 phase 1 "IKE Attributes" classes (RFC 2409 appendix A); the format bit is not part of the number.

    17 and 20 come from China's GM/T 0022; 16384 is Microsoft's name for the GSS-API identity.
    """

    ENCRYPTION = 1, "encryption algorithm"
    HASH = 2, "hash algorithm"
    AUTHENTICATION = 3, "authentication method"
    GROUP = 4, "group"
    GROUP_TYPE = 5, "group type"
    GROUP_PRIME = 6, "group prime"
    GROUP_GENERATOR_ONE = 7, "group generator one"
    GROUP_GENERATOR_TWO = 8, "group generator two"
    GROUP_CURVE_A = 9, "group curve A"
    GROUP_CURVE_B = 10, "group curve B"
    LIFE_TYPE = 11, "life type"
    LIFE_DURATION = 12, "life duration"
    PRF = 13
    KEY_LENGTH = 14, "key length"
    FIELD_SIZE = 15, "field size"
    GROUP_ORDER = 16, "group order"
    BLOCK_SIZE = 17, "block size"
    ASYMMETRIC_ALGORITHM = 20, "asymmetric algorithm"
    GSS_IDENTITY = 16384, "GSS identity name"


class EncryptionAlgorithm(Number, private=(range(65001, 65536),)):
    """IKEv1 phase 1 "Encryption Algorithm" (RFC 2409 appendix A).

    127–129 come from China's GM/T 0022; 65001–65289 are the private numbers of the FreeS/WAN family and SSH.
    """

    DES_CBC = 1, "DES-CBC"
    IDEA_CBC = 2, "IDEA-CBC"
    BLOWFISH_CBC = 3, "Blowfish-CBC"
    RC5_R16_B64_CBC = 4, "RC5-R16-B64-CBC"
    TRIPLE_DES_CBC = 5, "3DES-CBC"
    CAST_CBC = 6, "CAST-CBC"
    AES_CBC = 7, "AES-CBC"
    CAMELLIA_CBC = 8, "Camellia-CBC"
    SM4_CBC_OLD = 127, "SM4-CBC (old number)"
    SM1_CBC = 128, "SM1-CBC"
    SM4_CBC = 129, "SM4-CBC"
    MARS_CBC = 65001, "MARS-CBC"
    RC6_CBC = 65002, "RC6-CBC"
    SERPENT_CBC = 65004, "Serpent-CBC"
    TWOFISH_CBC = 65005, "Twofish-CBC"
    TWOFISH_CBC_SSH = 65289, "Twofish-CBC (SSH)"


class HashAlgorithm(Number, private=(range(65001, 65536),)):
    """IKEv1 phase 1 "Hash Algorithm" (RFC 2409 appendix A); 20 comes from China's GM/T 0022."""

    MD5 = 1
    SHA1 = 2
    TIGER = 3, "Tiger"
    SHA2_256 = 4, "SHA2-256"
    SHA2_384 = 5, "SHA2-384"
    SHA2_512 = 6, "SHA2-512"
    SM3 = 20


class AuthenticationMethod(Number, private=(range(65001, 65536),)):
    """IKEv1 phase 1 "IPSEC Authentication Methods" (RFC 2409 appendix A).

    Hybrid: draft-ietf-ipsec-isakmp-hybrid-auth; XAuth: draft-beaulieu-ike-xauth. 65001 was also Microsoft's
    GSS-API method; the vendor IDs tell which.
    """

    PRE_SHARED_KEY = 1, "pre-shared key"
    DSS_SIGNATURES = 2, "DSS signatures"
    RSA_SIGNATURES = 3, "RSA signatures"
    RSA_ENCRYPTION = 4, "RSA encryption"
    RSA_REVISED_ENCRYPTION = 5, "revised RSA encryption"
    ELGAMAL_ENCRYPTION = 6, "ElGamal encryption"
    ELGAMAL_REVISED_ENCRYPTION = 7, "revised ElGamal encryption"
    ECDSA_SIGNATURES = 8, "ECDSA signatures"
    ECDSA_SHA2_256_P256 = 9, "ECDSA with SHA2-256 on P-256"
    ECDSA_SHA2_384_P384 = 10, "ECDSA with SHA2-384 on P-384"
    ECDSA_SHA2_512_P521 = 11, "ECDSA with SHA2-512 on P-521"
    HYBRID_INIT_RSA = 64221, "hybrid, initiator, RSA"
    HYBRID_RESP_RSA = 64222, "hybrid, responder, RSA"
    HYBRID_INIT_DSS = 64223, "hybrid, initiator, DSS"
    HYBRID_RESP_DSS = 64224, "hybrid, responder, DSS"
    XAUTH_INIT_PRE_SHARED_KEY = 65001, "XAuth with pre-shared key, initiator"
    XAUTH_RESP_PRE_SHARED_KEY = 65002, "XAuth with pre-shared key, responder"
    XAUTH_INIT_DSS = 65003, "XAuth with DSS signatures, initiator"
    XAUTH_RESP_DSS = 65004, "XAuth with DSS signatures, responder"
    XAUTH_INIT_RSA = 65005, "XAuth with RSA signatures, initiator"
    XAUTH_RESP_RSA = 65006, "XAuth with RSA signatures, responder"
    XAUTH_INIT_RSA_ENCRYPTION = 65007, "XAuth with RSA encryption, initiator"
    XAUTH_RESP_RSA_ENCRYPTION = 65008, "XAuth with RSA encryption, responder"
    XAUTH_INIT_RSA_REVISED_ENCRYPTION = 65009, "XAuth with revised RSA encryption, initiator"
    XAUTH_RESP_RSA_REVISED_ENCRYPTION = 65010, "XAuth with revised RSA encryption, responder"


class Group(Number, private=(range(32768, 65536),)):
    """IKEv1 "Group Description" (RFC 2409 appendix A), IKEv2 "Transform Type 4 – Key Exchange Method".

    One numbering: IKEv2 leaves 3, 4 and 6–13 out, IKEv1 ends at 30. The label ends in the number that people
    configure.
    """

    NONE = 0
    MODP768 = 1, "modp768"
    MODP1024 = 2, "modp1024"
    EC2N_GP155 = 3, "ec2n155"
    EC2N_GP185 = 4, "ec2n185"
    MODP1536 = 5, "modp1536"
    EC2N_163_RANDOM = 6, "ec2n163"
    EC2N_163_KOBLITZ = 7, "ec2n163"
    EC2N_283_RANDOM = 8, "ec2n283"
    EC2N_283_KOBLITZ = 9, "ec2n283"
    EC2N_409_RANDOM = 10, "ec2n409"
    EC2N_409_KOBLITZ = 11, "ec2n409"
    EC2N_571_RANDOM = 12, "ec2n571"
    EC2N_571_KOBLITZ = 13, "ec2n571"
    MODP2048 = 14, "modp2048"
    MODP3072 = 15, "modp3072"
    MODP4096 = 16, "modp4096"
    MODP6144 = 17, "modp6144"
    MODP8192 = 18, "modp8192"
    ECP256 = 19, "ecp256"
    ECP384 = 20, "ecp384"
    ECP521 = 21, "ecp521"
    MODP1024_S160 = 22, "modp1024s160"
    MODP2048_S224 = 23, "modp2048s224"
    MODP2048_S256 = 24, "modp2048s256"
    ECP192 = 25, "ecp192"
    ECP224 = 26, "ecp224"
    BRAINPOOL_P224R1 = 27, "brainpoolP224r1"
    BRAINPOOL_P256R1 = 28, "brainpoolP256r1"
    BRAINPOOL_P384R1 = 29, "brainpoolP384r1"
    BRAINPOOL_P512R1 = 30, "brainpoolP512r1"
    CURVE25519 = 31, "curve25519"
    CURVE448 = 32, "curve448"
    GOST3410_2012_256 = 33
    GOST3410_2012_512 = 34
    ML_KEM_512 = 35, "ml-kem-512"
    ML_KEM_768 = 36, "ml-kem-768"
    ML_KEM_1024 = 37, "ml-kem-1024"

    @property
    def label(self) -> str:
        """What a person reads: ``modp2048 (group 14)``; ``group 99`` where the table has no entry."""
        if not self.is_listed:
            return f"group {self._value_}"
        return f"{super().label} (group {self._value_})" if self._value_ else "none"


class GroupType(Number, private=(range(65001, 65536),)):
    """IKEv1 "Group Type" (RFC 2409 appendix A)."""

    MODP = 1
    ECP = 2
    EC2N = 3


class LifeType(Number, private=(range(61440, 65536),)):
    """IKEv1 "Life Type" (RFC 2409 appendix A) and IPsec DOI "SA Life Type" (RFC 2407 §4.5)."""

    SECONDS = 1, "seconds"
    KILOBYTES = 2, "kilobytes"


class IpsecAttribute(Number, maximum=0x7FFF, private=(range(32001, 32768),)):
    """IPsec DOI "IPSEC Security Association Attributes" (RFC 2407 §4.5), IKEv1 phase 2."""

    LIFE_TYPE = 1, "life type"
    LIFE_DURATION = 2, "life duration"
    GROUP = 3, "group"
    ENCAPSULATION_MODE = 4, "encapsulation mode"
    AUTHENTICATION = 5, "authentication algorithm"
    KEY_LENGTH = 6, "key length"
    KEY_ROUNDS = 7, "key rounds"
    COMPRESS_DICTIONARY_SIZE = 8, "compress dictionary size"
    COMPRESS_PRIVATE_ALGORITHM = 9, "compress private algorithm"
    ECN_TUNNEL = 10, "ECN tunnel"
    EXTENDED_SEQUENCE_NUMBER = 11, "extended sequence number"
    AUTHENTICATION_KEY_LENGTH = 12, "authentication key length"
    SIGNATURE_ENCODING = 13, "signature encoding algorithm"
    ADDRESS_PRESERVATION = 14, "address preservation"
    SA_DIRECTION = 15, "SA direction"
    SECURITY_CONTEXT = 32001, "security context"


class EncapsulationMode(Number, private=(range(61440, 65536),)):
    """IPsec DOI "Encapsulation Mode" (RFC 2407 §4.5; 3 and 4: RFC 3947 §5.1; 61443 and 61444: its drafts)."""

    TUNNEL = 1, "tunnel"
    TRANSPORT = 2, "transport"
    UDP_TUNNEL = 3, "UDP-encapsulated tunnel"
    UDP_TRANSPORT = 4, "UDP-encapsulated transport"
    CHECK_POINT_UDP = 61440, "Check Point UDP encapsulation"
    UDP_TUNNEL_DRAFT = 61443, "UDP-encapsulated tunnel (draft)"
    UDP_TRANSPORT_DRAFT = 61444, "UDP-encapsulated transport (draft)"


class IpsecAuthentication(Number, private=(range(61440, 65536),)):
    """IPsec DOI "Authentication Algorithm" (RFC 2407 §4.5), IKEv1 phase 2."""

    NONE = 0
    HMAC_MD5 = 1, "HMAC-MD5"
    HMAC_SHA1 = 2, "HMAC-SHA1"
    DES_MAC = 3, "DES-MAC"
    KPDK = 4
    HMAC_SHA2_256 = 5, "HMAC-SHA2-256"
    HMAC_SHA2_384 = 6, "HMAC-SHA2-384"
    HMAC_SHA2_512 = 7, "HMAC-SHA2-512"
    HMAC_RIPEMD = 8, "HMAC-RIPEMD"
    AES_XCBC_MAC = 9, "AES-XCBC-MAC"
    SIG_RSA = 10, "SIG-RSA"
    AES_128_GMAC = 11, "AES-128-GMAC"
    AES_192_GMAC = 12, "AES-192-GMAC"
    AES_256_GMAC = 13, "AES-256-GMAC"


class EspTransform(Number, maximum=0xFF, private=(range(249, 256),)):
    """IPsec DOI "IPSEC ESP Transform Identifiers" (RFC 2407 §4.4.4), IKEv1 phase 2."""

    RESERVED = 0
    DES_IV64 = 1, "DES-IV64"
    DES = 2
    TRIPLE_DES = 3, "3DES"
    RC5 = 4
    IDEA = 5
    CAST = 6
    BLOWFISH = 7, "Blowfish"
    TRIPLE_IDEA = 8, "3IDEA"
    DES_IV32 = 9, "DES-IV32"
    RC4 = 10
    NULL = 11
    AES_CBC = 12, "AES-CBC"
    AES_CTR = 13, "AES-CTR"
    AES_CCM_8 = 14, "AES-CCM-8"
    AES_CCM_12 = 15, "AES-CCM-12"
    AES_CCM_16 = 16, "AES-CCM-16"
    AES_GCM_8 = 18, "AES-GCM-8"
    AES_GCM_12 = 19, "AES-GCM-12"
    AES_GCM_16 = 20, "AES-GCM-16"
    SEED_CBC = 21, "SEED-CBC"
    CAMELLIA_CBC = 22, "Camellia-CBC"
    NULL_AUTH_AES_GMAC = 23, "NULL-AUTH-AES-GMAC"
    SERPENT = 252, "Serpent"
    TWOFISH = 253, "Twofish"


class AhTransform(Number, maximum=0xFF, private=(range(249, 256),)):
    """IPsec DOI "IPSEC AH Transform Identifiers" (RFC 2407 §4.4.3), IKEv1 phase 2."""

    RESERVED = 0
    MD5 = 2
    SHA1 = 3
    DES = 4
    SHA2_256 = 5, "SHA2-256"
    SHA2_384 = 6, "SHA2-384"
    SHA2_512 = 7, "SHA2-512"
    RIPEMD = 8
    AES_XCBC_MAC = 9, "AES-XCBC-MAC"
    RSA = 10
    AES_128_GMAC = 11, "AES-128-GMAC"
    AES_192_GMAC = 12, "AES-192-GMAC"
    AES_256_GMAC = 13, "AES-256-GMAC"


class IpcompTransform(Number, maximum=0xFF, private=(range(48, 64),)):
    """IPsec DOI "IPSEC IPCOMP Transform Identifiers" (RFC 2407 §4.4.5), the same in IKEv2 (RFC 7296 §3.10.1)."""

    RESERVED = 0
    OUI = 1
    DEFLATE = 2
    LZS = 3
    LZJH = 4


class TransformTypeV2(Number, maximum=0xFF, private=(range(241, 256),)):
    """IKEv2 "Transform Type Values" (RFC 7296 §3.3.2; RFC 9370 for 6–12, G-IKEv2 for 13 and 14)."""

    ENCR = 1
    PRF = 2
    INTEG = 3
    KE = 4
    DH = 4
    SN = 5
    ESN = 5
    ADDKE1 = 6
    ADDKE2 = 7
    ADDKE3 = 8
    ADDKE4 = 9
    ADDKE5 = 10
    ADDKE6 = 11
    ADDKE7 = 12
    KWA = 13
    GCAUTH = 14


class EncryptionV2(Number, private=(range(1024, 65536),)):
    """IKEv2 "Transform Type 1 – Encryption Algorithm Transform IDs" (RFC 7296 §3.3.2).

    65004 and above are private numbers of the FreeS/WAN family and SSH.
    """

    DES_IV64 = 1, "DES-IV64"
    DES = 2
    TRIPLE_DES = 3, "3DES-CBC"
    RC5 = 4
    IDEA = 5
    CAST = 6
    BLOWFISH = 7, "Blowfish"
    TRIPLE_IDEA = 8, "3IDEA"
    DES_IV32 = 9, "DES-IV32"
    NULL = 11
    AES_CBC = 12, "AES-CBC"
    AES_CTR = 13, "AES-CTR"
    AES_CCM_8 = 14, "AES-CCM-8"
    AES_CCM_12 = 15, "AES-CCM-12"
    AES_CCM_16 = 16, "AES-CCM-16"
    AES_GCM_8 = 18, "AES-GCM-8"
    AES_GCM_12 = 19, "AES-GCM-12"
    AES_GCM_16 = 20, "AES-GCM-16"
    NULL_AUTH_AES_GMAC = 21, "NULL-AUTH-AES-GMAC"
    XTS_AES = 22, "XTS-AES (reserved)"
    CAMELLIA_CBC = 23, "Camellia-CBC"
    CAMELLIA_CTR = 24, "Camellia-CTR"
    CAMELLIA_CCM_8 = 25, "Camellia-CCM-8"
    CAMELLIA_CCM_12 = 26, "Camellia-CCM-12"
    CAMELLIA_CCM_16 = 27, "Camellia-CCM-16"
    CHACHA20_POLY1305 = 28, "ChaCha20-Poly1305"
    AES_CCM_8_IIV = 29, "AES-CCM-8-IIV"
    AES_GCM_16_IIV = 30, "AES-GCM-16-IIV"
    CHACHA20_POLY1305_IIV = 31, "ChaCha20-Poly1305-IIV"
    KUZNYECHIK_MGM_KTREE = 32
    MAGMA_MGM_KTREE = 33
    KUZNYECHIK_MGM_MAC_KTREE = 34
    MAGMA_MGM_MAC_KTREE = 35
    SERPENT_CBC = 65004, "Serpent-CBC"
    TWOFISH_CBC = 65005, "Twofish-CBC"
    TWOFISH_CBC_SSH = 65289, "Twofish-CBC (SSH)"


class PrfV2(Number, private=(range(1024, 65536),)):
    """IKEv2 "Transform Type 2 – Pseudorandom Function Transform IDs" (RFC 7296 §3.3.2)."""

    HMAC_MD5 = 1, "HMAC-MD5"
    HMAC_SHA1 = 2, "HMAC-SHA1"
    HMAC_TIGER = 3, "HMAC-Tiger"
    AES128_XCBC = 4, "AES128-XCBC"
    HMAC_SHA2_256 = 5, "HMAC-SHA2-256"
    HMAC_SHA2_384 = 6, "HMAC-SHA2-384"
    HMAC_SHA2_512 = 7, "HMAC-SHA2-512"
    AES128_CMAC = 8, "AES128-CMAC"
    HMAC_STREEBOG_512 = 9, "HMAC-Streebog-512"


class IntegrityV2(Number, private=(range(1024, 65536),)):
    """IKEv2 "Transform Type 3 – Integrity Algorithm Transform IDs" (RFC 7296 §3.3.2)."""

    NONE = 0
    HMAC_MD5_96 = 1, "HMAC-MD5-96"
    HMAC_SHA1_96 = 2, "HMAC-SHA1-96"
    DES_MAC = 3, "DES-MAC"
    KPDK_MD5 = 4, "KPDK-MD5"
    AES_XCBC_96 = 5, "AES-XCBC-96"
    HMAC_MD5_128 = 6, "HMAC-MD5-128"
    HMAC_SHA1_160 = 7, "HMAC-SHA1-160"
    AES_CMAC_96 = 8, "AES-CMAC-96"
    AES_128_GMAC = 9, "AES-128-GMAC"
    AES_192_GMAC = 10, "AES-192-GMAC"
    AES_256_GMAC = 11, "AES-256-GMAC"
    HMAC_SHA2_256_128 = 12, "HMAC-SHA2-256-128"
    HMAC_SHA2_384_192 = 13, "HMAC-SHA2-384-192"
    HMAC_SHA2_512_256 = 14, "HMAC-SHA2-512-256"


class SequenceNumbersV2(Number, private=(range(1024, 65536),)):
    """IKEv2 "Transform Type 5 – Sequence Numbers Transform IDs" (RFC 7296 §3.3.2, renamed by RFC 9827)."""

    SEQUENTIAL_32 = 0, "no ESN"
    PARTIALLY_TRANSMITTED_64 = 1, "ESN"
    UNSPECIFIED_32 = 2, "32-bit unspecified"
