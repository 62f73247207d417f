"""The numbers of IKE that stand only in what is encrypted: mode-config and XAuth, CP, traffic selectors, AUTH.

Apart from `registry`, because an analysis without keys never meets them.
"""

from pcapdiag.ike.registry import Number


class AuthenticationMethodV2(Number, maximum=0xFF, private=(range(201, 256),)):
    """IKEv2 "Authentication Method" (RFC 7296 §3.8)."""

    RSA_DIGITAL_SIGNATURE = 1, "RSA signature"
    SHARED_KEY_MIC = 2, "shared key"
    DSS_DIGITAL_SIGNATURE = 3, "DSS signature"
    ECDSA_SHA2_256_P256 = 9, "ECDSA with SHA2-256 on P-256"
    ECDSA_SHA2_384_P384 = 10, "ECDSA with SHA2-384 on P-384"
    ECDSA_SHA2_512_P521 = 11, "ECDSA with SHA2-512 on P-521"
    GENERIC_SECURE_PASSWORD = 12, "secure password"
    NULL = 13, "none (NULL authentication)"
    DIGITAL_SIGNATURE = 14, "digital signature"


class ConfigurationType(Number, maximum=0xFF, private=(range(128, 256),)):
    """IKEv2 "Configuration Payload CFG Types" (RFC 7296 §3.15)."""

    CFG_REQUEST = 1
    CFG_REPLY = 2
    CFG_SET = 3
    CFG_ACK = 4


class ConfigurationTypeV1(Number, maximum=0xFF, private=(range(128, 256),)):
    """Mode-config message types of IKEv1 (draft-dukes-ike-mode-cfg §3.2), in the attribute payload."""

    REQUEST = 1, "ISAKMP_CFG_REQUEST"
    REPLY = 2, "ISAKMP_CFG_REPLY"
    SET = 3, "ISAKMP_CFG_SET"
    ACK = 4, "ISAKMP_CFG_ACK"


class ConfigurationAttribute(Number, maximum=0x7FFF, private=(range(16384, 32768),)):
    """IKEv2 "Configuration Payload Attribute Types" (RFC 7296 §3.15.1), which continue IKEv1's mode-config ones.

    9 is IKEv1's only. 16520–16529: draft-beaulieu-ike-xauth; 28672–28682: Cisco Unity; 16387–16389: Check
    Point; 23456 and 23457: Microsoft.
    """

    INTERNAL_IP4_ADDRESS = 1
    INTERNAL_IP4_NETMASK = 2
    INTERNAL_IP4_DNS = 3
    INTERNAL_IP4_NBNS = 4
    INTERNAL_ADDRESS_EXPIRY = 5
    INTERNAL_IP4_DHCP = 6
    APPLICATION_VERSION = 7
    INTERNAL_IP6_ADDRESS = 8
    INTERNAL_IP6_NETMASK = 9
    INTERNAL_IP6_DNS = 10
    INTERNAL_IP6_NBNS = 11
    INTERNAL_IP6_DHCP = 12
    INTERNAL_IP4_SUBNET = 13
    SUPPORTED_ATTRIBUTES = 14
    INTERNAL_IP6_SUBNET = 15
    MIP6_HOME_PREFIX = 16
    INTERNAL_IP6_LINK = 17
    INTERNAL_IP6_PREFIX = 18
    HOME_AGENT_ADDRESS = 19
    P_CSCF_IP4_ADDRESS = 20
    P_CSCF_IP6_ADDRESS = 21
    FTT_KAT = 22
    EXTERNAL_SOURCE_IP4_NAT_INFO = 23
    TIMEOUT_PERIOD_FOR_LIVENESS_CHECK = 24
    INTERNAL_DNS_DOMAIN = 25
    INTERNAL_DNSSEC_TA = 26
    ENCDNS_IP4 = 27
    ENCDNS_IP6 = 28
    ENCDNS_DIGEST_INFO = 29
    CHKPT_DEF_DOMAIN = 16387
    CHKPT_MAC_ADDRESS = 16388
    CHKPT_MARCIPAN_REASON_CODE = 16389
    XAUTH_TYPE = 16520
    XAUTH_USER_NAME = 16521
    XAUTH_USER_PASSWORD = 16522
    XAUTH_PASSCODE = 16523
    XAUTH_MESSAGE = 16524
    XAUTH_CHALLENGE = 16525
    XAUTH_DOMAIN = 16526
    XAUTH_STATUS = 16527
    XAUTH_NEXT_PIN = 16528
    XAUTH_ANSWER = 16529
    MICROSOFT_IP4_SERVER = 23456, "INTERNAL_IP4_SERVER"
    MICROSOFT_IP6_SERVER = 23457, "INTERNAL_IP6_SERVER"
    UNITY_BANNER = 28672
    UNITY_SAVE_PASSWD = 28673
    UNITY_DEF_DOMAIN = 28674
    UNITY_SPLIT_DOMAIN = 28675
    UNITY_SPLIT_INCLUDE = 28676
    UNITY_NATT_PORT = 28677
    UNITY_SPLIT_EXCLUDE = 28678
    UNITY_PFS = 28679
    UNITY_FW_TYPE = 28680
    UNITY_BACKUP_SERVERS = 28681
    UNITY_DDNS_HOSTNAME = 28682


class TrafficSelectorType(Number, maximum=0xFF, private=(range(241, 256),)):
    """IKEv2 "Traffic Selector Types" (RFC 7296 §3.13.1)."""

    TS_IPV4_ADDR_RANGE = 7
    TS_IPV6_ADDR_RANGE = 8
    TS_FC_ADDR_RANGE = 9
    TS_SECLABEL = 10
