"""What lines of a known format have in them, and what stops a scan over lines."""

MAX_LINE = 1 << 18
"""Characters of one line that are kept; a message of 64 KiB in hexadecimal has half of that."""

MARKS = (
    "%ASA-", "%PIX-", "%FTD-", "[IKE", "IKEv2", "ISAKMP", "IPSEC", "CRYPTO",
    "[NET", "[ENC", "[CFG", "[MGR", "[JOB", "[KNL", "[LIB", "[DMN", "[CHD", "[ASN", "[APP", "[TNC", "[ESP", "[IM",
    "[PTS", "[TLS", '"group"', "pluto", '": ', '" #', "| ", "packet from", '"[', "ike ", "logid=",
    "racoon", "INFO: ", "ERROR: ", "DEBUG", "WARNING: ", "NOTIFY: ", " ipsec", "_ERR]",
    "SESSION_ID", ": Local ", "DiagnosticLog", "IkeCleanup", "based on log :", "Error: Authentication failed. Check",
    "Error: On-prem", "TunnelConnected", "TunnelDisconnected", "[ikeext]", "[SEND]", "[RECEIVED]", "[LOCAL",
    "[IkeEvent]", "[ErrorCode]", "IKE Tunnel ", "ike_phase1_state", "kmd", "KMD_", " <-> ", ",SYSTEM,vpn,",
    "|vpn|SYSTEM|", " ike-", " tunnel-", "[PROTO_", "[INTERNAL_", "[INFO]: ", "[DEBUG]: ", "[WARNING]: ", "[PERR]: ",
    "[PNTF]: ", "[PWRN]: ", "[DEBG]: ",
    "spi=0x", "ikev2", "iked", "create_ike", "sa_", "ca_", "config_", "policy_", "proposals_",
)  # fmt: skip
"""Every line that a reader takes has one of these; most lines of a syslog have none."""

OVER, SLOW, GIVEN, SETTLE = 0, 1, 2, 3
"""What stops a scan: the block is over; a line to be read in full; the one before, which does not go on and whose text
is known; a line before which the one that waits does not go on."""
ANY, ASA, CHARON = 0, 1, 2
"""Formats whose lines are taken apart here; those of `ANY` are not."""
