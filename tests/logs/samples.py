"""Logs rebuilt for the tests: the devices' own fixed phrases, around addresses and numbers of ours.

Each sample: name, platform, the log, what is to be read out of it. No public log is copied here.
"""

from tests.logs.gateway_samples import AWS, AZURE, JUNIPER, PALOALTO
from tests.logs.sample import ANSWER, COOKIE, HERE, PEER, ZERO, Sample


def asa(*lines: str, group: bool = False, date: str = "Apr 01 11:38") -> str:
    """Lines of an ASA's console, a second apart."""
    who = f"Group = {PEER}, IP = {PEER}, " if group else f"IP = {PEER}, "
    return "".join(
        f"{date}:{second % 60:02d} {line if line.startswith(('[', '%')) else f'[IKEv1]: {who}{line}'}\n"
        for second, line in enumerate(lines, 10)
    )


def decode(verb: str, payloads: str, length: int, msgid: str = "0") -> str:
    """An IKE_DECODE line."""
    return (
        f"IKE_DECODE {verb} Message (msgid={msgid}) with payloads : HDR + {payloads} + NONE (0) total length : {length}"
    )


SA, KE, AUTH = "SA (1) + VENDOR (13) + VENDOR (13)", "KE (4) + NONCE (10) + VENDOR (13)", "ID (5) + HASH (8)"
NOTIFY = "NOTIFY (11)"
BEGIN = (
    f"IKE Initiator: New Phase 1, Intf inside, IKE Peer {PEER} local Proxy Address 10.0.0.0, remote Proxy Address "
    "10.9.0.0, Crypto map (outside_map)",
    "constructing ISAKMP SA payload",
    decode("SENDING", SA, 168),
)
TO_MM4 = (
    *BEGIN,
    decode("RECEIVED", "SA (1) + VENDOR (13)", 117),
    "processing SA payload",
    "Oakley proposal is acceptable",
    decode("SENDING", KE, 256),
    decode("RECEIVED", "KE (4) + NONCE (10)", 228),
    f"Connection landed on tunnel_group {PEER}",
    "Generating keys for Initiator...",
    decode("SENDING", AUTH, 84),
)
TO_MM6 = (*TO_MM4, decode("RECEIVED", AUTH, 64), "PHASE 1 COMPLETED")
ANSWERED = (
    decode("RECEIVED", SA, 168),
    "processing SA payload",
    "Oakley proposal is acceptable",
    decode("SENDING", "SA (1) + VENDOR (13)", 108),
    decode("RECEIVED", KE, 256),
    decode("SENDING", KE, 256),
    "Generating keys for Responder...",
)

ASA = (
    Sample(
        "completed", "asa", asa(*TO_MM6, "PHASE 2 COMPLETED (msgid=26f952ae)"), "completed", "up", ("MM_ACTIVE",), (),
        ("MM1", "MM2", "MM3", "MM4", "MM5", "MM6"), "initiator",
    ),
    Sample(
        "policies differ, at the initiator", "asa",
        asa(
            *BEGIN,
            decode("RECEIVED", NOTIFY, 56, "ce4a3ffe"),
            "Received an un-encrypted NO_PROPOSAL_CHOSEN notify message, dropping",
            "Information Exchange processing failed",
        ),
        "rejected", "down", ("MM_WAIT_MSG2",), (("phase1-policy-mismatch", "likely"),), ("MM1", "Informational"),
        "initiator",
    ),
    Sample(
        "policies differ, at the responder", "asa",
        asa(
            decode("RECEIVED", SA, 168),
            "processing SA payload",
            "Phase 1 failure:  Mismatched attribute types for class Group Description:  Rcv'd: Group 5  Cfg'd: Group 2",
            "All SA proposals found unacceptable",
        ),
        "rejected", "down", (), (("phase1-policy-mismatch", "confirmed"),), ("MM1",), "responder",
    ),
    Sample(
        "keys differ, at the initiator", "asa",
        asa(
            *TO_MM4,
            decode("RECEIVED", NOTIFY, 56, "5456d64e"),
            "Received an un-encrypted PAYLOAD_MALFORMED notify message, dropping",
            "Error, peer has indicated that something is wrong with our message.  This could indicate a pre-shared key "
            "mismatch.",
        ),
        "rejected", "down", ("MM_WAIT_MSG6",), (("psk-mismatch", "likely"),),
        ("MM1", "MM2", "MM3", "MM4", "MM5", "Informational"), "initiator",
    ),
    Sample(
        "keys differ, at the responder", "asa",
        asa(
            *ANSWERED,
            "Received encrypted Oakley Main Mode packet with invalid payloads, MessID = 0",
            "ERROR, had problems decrypting packet, probably due to mismatched pre-shared key.  Aborting",
        ),
        "stalled", "down", ("MM_WAIT_MSG5",), (("psk-mismatch", "likely"),), ("MM1", "MM2", "MM3", "MM4"), "responder",
    ),
    Sample(
        "no group for the peer", "asa",
        asa(f"%ASA-3-713138: IP = {PEER}, Group {PEER} not found and BASE GROUP default preshared key not configured"),
        "rejected", "down", (), (("unknown-peer", "confirmed"),),
    ),
    Sample(
        "no answer to message 1", "asa",
        asa(
            *BEGIN,
            decode("RESENDING", SA, 168),
            decode("RESENDING", SA, 168),
            decode("RESENDING", SA, 168),
            "IKE MM Initiator FSM error history (struct &0xcdbf2eb0)  <state>, <event>:  MM_DONE, "
            "EV_ERROR-->MM_WAIT_MSG2, EV_RETRY-->MM_WAIT_MSG2, EV_TIMEOUT",
        ),
        "stalled", "down", ("MM_WAIT_MSG2",), (("peer-unreachable", "possible"),), ("MM1",), "initiator",
    ),
    Sample(
        "networks do not mirror", "asa",
        asa(
            *TO_MM6,
            "QM FSM error (P2 struct &0x00007fda92308b10, mess id 0xc02b7a5d)!",
            "Removing peer from correlator table failed, no match!",
            "Session is being torn down. Reason: crypto map policy not found",
        ),
        "completed", "no-child", ("MM_ACTIVE",), (("phase2-selector-mismatch", "confirmed"),),
    ),
    Sample(
        "identity of the certificate", "asa",
        asa(
            "No Group found by matching OU(s) from ID payload:   Unknown",
            "Trying to find group via IP ADDR...",
            "peer ID type 2 received (FQDN)",
            "Unable to compare IKE ID against peer cert Subject Alt Name",
            "IKE MM Responder FSM error history (struct &0x00007ffd9e230670)  <state>, <event>:  MM_DONE, "
            "EV_ERROR-->MM_BLD_MSG6, EV_COMPARE_IDS-->MM_BLD_MSG6, EV_CERT_OK",
        ),
        "rejected", "down", ("MM_BLD_MSG6",), (("identity-mismatch", "confirmed"),), (), "responder",
    ),
    Sample(
        "key usage of the certificate", "asa",
        "%ASA-3-717009: Certificate validation failed. Peer certificate key usage is invalid, serial number: 6B00, "
        "subject name: hostname=r.example.com.\n"
        "%ASA-3-717027: Certificate chain failed validation. Certificate chain is either invalid or not authorized.\n",
        "rejected", "down", (), (("certificate-rejected", "confirmed"),),
    ),
    Sample(
        "IKEv2: no traffic selector fits", "asa",
        f"Jun 10 2020 17:36:05: %ASA-4-750003: Local:{HERE}:500 Remote:{PEER}:500 Username:Unknown IKEv2 Negotiation "
        "aborted due to ERROR: There was no IPSEC policy found for received TS\n",
        "completed", "no-child", (), (("phase2-selector-mismatch", "confirmed"),),
    ),
    Sample(
        "IKEv2: no key", "asa",
        f"Jun 10 2020 17:36:05: %ASA-3-751002: Local:{HERE}:500 Remote:{PEER}:500 Username:{PEER} No pre-shared key or "
        f"trustpoint configured for self in tunnel group {PEER}\n",
        "rejected", "down", (), (("psk-missing", "confirmed"),),
    ),
)  # fmt: skip


def ios(*lines: str, style: str = "isakmp") -> str:
    """Lines of a router, 10 ms apart."""
    prefix = {"isakmp": "ISAKMP:", "": ""}[style]
    whole = [line if line.startswith(("ISAKMP", "%")) else prefix + line for line in lines]
    return "".join(f"*Mar  1 00:13:{10 + n // 100:02d}.{n % 100 * 10:03d}: {line}\n" for n, line in enumerate(whole))


def sent(state: str, role: str = "I", sa: str = "0") -> str:
    """A packet that a router sends."""
    return f"ISAKMP:({sa}): sending packet to {PEER} my_port 500 peer_port 500 ({role}) {state}"


def received(state: str, role: str = "I", sa: str = "0") -> str:
    """A packet that a router receives."""
    return f"ISAKMP ({sa}): received packet from {PEER} dport 500 sport 500 Global ({role}) {state}"


IOS_TO_MM5 = (
    "(0): beginning Main Mode exchange",
    sent("MM_NO_STATE"),
    received("MM_NO_STATE"),
    "(0):atts are acceptable. Next payload is 0",
    sent("MM_SA_SETUP"),
    received("MM_SA_SETUP"),
    sent("MM_KEY_EXCH", sa="1002"),
)
IOS = (
    Sample(
        "completed", "ios",
        ios(
            *IOS_TO_MM5, received("MM_KEY_EXCH", sa="1002"),
            f"(1002):SA has been authenticated with {PEER}",
            "(1002):Old State = IKE_I_MM6  New State = IKE_P1_COMPLETE ",
            "(1002):beginning Quick Mode exchange, M-ID of -418712520",
            "(1002):Old State = IKE_QM_I_QM1  New State = IKE_QM_PHASE2_COMPLETE",
        ),
        "completed", "up", ("MM_ACTIVE",), (), ("MM1", "MM2", "MM3", "MM4", "MM5", "MM6"), "initiator",
    ),
    Sample(
        "no answer to message 1", "ios",
        ios(
            "(0): beginning Main Mode exchange", sent("MM_NO_STATE"),
            "(0): retransmitting phase 1 MM_NO_STATE...", sent("MM_NO_STATE"),
            "(0): retransmitting phase 1 MM_NO_STATE...", sent("MM_NO_STATE"),
            f'(0):deleting SA reason "Death by retransmission P1" state (I) MM_NO_STATE (peer {PEER})',
        ),
        "stalled", "down", ("MM_WAIT_MSG2",), (("peer-unreachable", "possible"),), ("MM1",), "initiator",
    ),
    Sample(
        "keys differ, at the initiator", "ios",
        ios(
            *IOS_TO_MM5, "(1002): retransmitting phase 1 MM_KEY_EXCH...", sent("MM_KEY_EXCH", sa="1002"),
            f"%CRYPTO-4-IKMP_BAD_MESSAGE: IKE message from {PEER} failed its sanity check or is malformed",
        ),
        "stalled", "down", ("MM_WAIT_MSG6",), (("psk-mismatch", "likely"),), ("MM1", "MM2", "MM3", "MM4", "MM5"),
        "initiator",
    ),
    Sample(
        "policies differ, at the responder", "ios",
        ios(
            received("MM_NO_STATE", "R"),
            "(0):Encryption algorithm offered does not match policy!",
            "(0):atts are not acceptable. Next payload is 0",
            "(0):no offers accepted!",
            f"(0): phase 1 SA policy not acceptable! (local {HERE} remote {PEER})",
        ),
        "rejected", "down", (), (("phase1-policy-mismatch", "confirmed"),), ("MM1",), "responder",
    ),
    Sample(
        "no key for the peer", "ios",
        ios(
            f"ISAKMP: (0):Created a peer struct for {PEER}, peer port 500",
            f"ISAKMP-ERROR: (0):No pre-shared key with {PEER}!",
            "ISAKMP-ERROR: (0):No Cert or pre-shared address key.",
            "ISAKMP-ERROR: (0):construct_initial_message: Can not start Main mode",
        ),
        "rejected", "down", (), (("psk-missing", "confirmed"),),
    ),
    Sample(
        "phase 2 refused by the peer", "ios",
        ios(
            *IOS_TO_MM5, received("MM_KEY_EXCH", sa="1002"),
            "(1002):Old State = IKE_I_MM6  New State = IKE_P1_COMPLETE ",
            sent("QM_IDLE", sa="1002"), received("QM_IDLE", sa="1002"),
            "(1002): processing NOTIFY PROPOSAL_NOT_CHOSEN protocol 3",
            "(1002):peer does not do paranoid keepalives.",
            f'(1002):deleting SA reason "No reason" state (I) QM_IDLE       (peer {PEER})',
        ),
        "completed", "no-child", ("MM_ACTIVE",), (("phase2-proposal-mismatch", "likely"),), (), "initiator",
    ),
    Sample(
        "networks refused here", "ios",
        ios(
            received("MM_NO_STATE", "R"), sent("MM_SA_SETUP", "R"), received("MM_SA_SETUP", "R"),
            sent("MM_KEY_EXCH", "R"), received("MM_KEY_EXCH", "R", "1001"), sent("MM_KEY_EXCH", "R", "1001"),
            "(1001):Old State = IKE_R_MM5  New State = IKE_P1_COMPLETE ",
            "ISAKMP:(1001): IPSec policy invalidated proposal with error 32",
            f"(1001): phase 2 SA policy not acceptable! (local {HERE} remote {PEER})",
            "IPSEC(ipsec_process_proposal): proxy identities not supported",
        ),
        "completed", "no-child", ("MM_ACTIVE",), (("phase2-selector-mismatch", "confirmed"),),
        ("MM1", "MM2", "MM3", "MM4", "MM5", "MM6"), "responder",
    ),
)  # fmt: skip


def charon(*lines: str, prefix: str = "Oct 27 17:23:{s:02d} edge charon: ") -> str:
    """Lines of charon in syslog, a second apart."""
    return "".join(prefix.format(s=s % 60) + line + "\n" for s, line in enumerate(lines, 1))


def out(size: int, thread: str = "05", port: int = 500) -> str:
    """A packet that charon sends."""
    return f"{thread}[NET] <vpn|7> sending packet: from {HERE}[{port}] to {PEER}[{port}] ({size} bytes)"


def came(size: int, thread: str = "05", port: int = 500, name: str = "<vpn|7> ") -> str:
    """A packet that charon receives."""
    return f"{thread}[NET] {name}received packet: from {PEER}[{port}] to {HERE}[{port}] ({size} bytes)"


def enc(what: str, thread: str = "05", name: str = "<vpn|7> ") -> str:
    """A message that charon builds or has read."""
    return f"{thread}[ENC] {name}{what}"


CHARON_MAIN = (
    f"05[IKE] <vpn|7> initiating Main Mode IKE_SA vpn[7] to {PEER}",
    enc("generating ID_PROT request 0 [ SA V V V ]"),
    out(180),
    came(140),
    enc("parsed ID_PROT response 0 [ SA V V ]"),
    "05[CFG] <vpn|7> selected proposal: IKE:AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048",
    enc("generating ID_PROT request 0 [ KE No NAT-D NAT-D ]"),
    out(372),
    came(372),
    enc("parsed ID_PROT response 0 [ KE No NAT-D NAT-D ]"),
    enc("generating ID_PROT request 0 [ ID HASH N(INITIAL_CONTACT) ]"),
    out(108),
)
STRONGSWAN = (
    Sample(
        "completed", "strongswan",
        charon(
            *CHARON_MAIN, came(92), enc("parsed ID_PROT response 0 [ ID HASH ]"),
            f"05[IKE] <vpn|7> IKE_SA vpn[7] established between {HERE}[{HERE}]...{PEER}[{PEER}]",
            enc("generating QUICK_MODE request 3169487425 [ HASH SA No ID ID ]"), out(204),
            "05[IKE] <vpn|7> CHILD_SA net{1} established with SPIs c0000001_i c0000002_o and TS 10.0.0.0/8 === any",
        ),
        "completed", "up", ("MM_ACTIVE",), (), ("MM1", "MM2", "MM3", "MM4", "MM5", "MM6", "QM1"), "initiator",
    ),
    Sample(
        "keys differ, at the responder", "strongswan",
        charon(
            came(180, name=""), enc("parsed ID_PROT request 0 [ SA V V ]", name=""),
            f"05[IKE] <7> {PEER} is initiating a Main Mode IKE_SA",
            enc("generating ID_PROT response 0 [ SA V V ]", name="<7> "), out(140),
            came(372), enc("parsed ID_PROT request 0 [ KE No NAT-D NAT-D ]"),
            enc("generating ID_PROT response 0 [ KE No NAT-D NAT-D ]"), out(372),
            came(108), "05[ENC] <vpn|7> invalid ID_V1 payload length, decryption failed?",
            "05[ENC] <vpn|7> could not decrypt payloads", "05[IKE] <vpn|7> message parsing failed",
            enc("generating INFORMATIONAL_V1 request 2983146746 [ HASH N(PLD_MAL) ]"), out(76),
        ),
        "rejected", "down", ("MM_WAIT_MSG5",), (("psk-mismatch", "likely"),),
        ("MM1", "MM2", "MM3", "MM4", "Informational"), "responder",
    ),
    Sample(
        "no connection for the peer", "strongswan",
        charon(
            came(180, name=""), enc("parsed ID_PROT request 0 [ SA V V ]", name=""),
            f"05[IKE] no IKE config found for {HERE}...{PEER}, sending NO_PROPOSAL_CHOSEN",
        ),
        "rejected", "down", (), (("unknown-peer", "confirmed"),), ("MM1",), "responder",
    ),
    Sample(
        "proposals differ, at the initiator", "strongswan",
        charon(
            *CHARON_MAIN[:3], came(56), enc("parsed INFORMATIONAL_V1 request 123456 [ N(NO_PROP) ]"),
            "05[IKE] <vpn|7> received NO_PROPOSAL_CHOSEN error notify",
        ),
        "rejected", "down", ("MM_WAIT_MSG2",), (("phase1-policy-mismatch", "possible"),), ("MM1", "Informational"),
        "initiator",
    ),
    Sample(
        "no answer", "strongswan",
        charon(
            *CHARON_MAIN[:3],
            "06[IKE] <vpn|7> sending retransmit 1 of request message ID 0, seq 1", out(180, "06"),
            "07[IKE] <vpn|7> giving up after 5 retransmits",
            "07[IKE] <vpn|7> establishing IKE_SA failed, peer not responding",
        ),
        "stalled", "down", ("MM_WAIT_MSG2",), (("peer-unreachable", "possible"),), ("MM1",), "initiator",
    ),
    Sample(
        "IKEv2: keys differ, at the responder", "strongswan",
        charon(
            came(464, name=""), enc("parsed IKE_SA_INIT request 0 [ SA KE No N(NATD_S_IP) N(NATD_D_IP) ]", name=""),
            f"05[IKE] <7> {PEER} is initiating an IKE_SA",
            enc("generating IKE_SA_INIT response 0 [ SA KE No N(NATD_S_IP) N(NATD_D_IP) ]", name="<7> "), out(472),
            came(256, port=4500), enc("parsed IKE_AUTH request 1 [ IDi AUTH SA TSi TSr ]"),
            f"05[IKE] <vpn|7> tried 1 shared key for '{HERE}' - '{PEER}', but MAC mismatched",
            enc("generating IKE_AUTH response 1 [ N(AUTH_FAILED) ]"), out(80, port=4500),
        ),
        "rejected", "down", (), (("psk-mismatch", "confirmed"),),
        ("IKE_SA_INIT request", "IKE_SA_INIT response", "IKE_AUTH request", "IKE_AUTH response"), "responder",
    ),
    Sample(
        "IKEv2: networks refused", "strongswan",
        charon(
            f"05[IKE] <vpn|7> initiating IKE_SA vpn[7] to {PEER}",
            enc("generating IKE_SA_INIT request 0 [ SA KE No ]"), out(464),
            came(472), enc("parsed IKE_SA_INIT response 0 [ SA KE No ]"),
            enc("generating IKE_AUTH request 1 [ IDi AUTH SA TSi TSr ]"), out(256, port=4500),
            came(160, port=4500), enc("parsed IKE_AUTH response 1 [ IDr AUTH N(TS_UNACCEPT) ]"),
            f"05[IKE] <vpn|7> IKE_SA vpn[7] established between {HERE}[{HERE}]...{PEER}[{PEER}]",
            "05[IKE] <vpn|7> received TS_UNACCEPTABLE notify, no CHILD_SA built",
        ),
        "completed", "no-child", (), (("phase2-selector-mismatch", "likely"),), (), "initiator",
    ),
)  # fmt: skip


def pluto(*lines: str, number: int = 1, prefix: str = "Jun 18 04:06:{s:02d}.183785: ") -> str:
    """Lines of pluto, a second apart."""
    rows = (line if line.startswith(("|", "*", "packet")) else f'"branch" #{number}: {line}' for line in lines)
    return "".join(prefix.format(s=s % 60) + row + "\n" for s, row in enumerate(rows, 1))


LIBRESWAN = (
    Sample(
        "completed", "libreswan",
        pluto(
            "initiating IKEv1 Main Mode connection", "sent Main Mode request", "sent Main Mode I2", "sent Main Mode I3",
            "Peer ID is ID_IPV4_ADDR: '192.0.2.1'",
            "ISAKMP SA established {auth=PRESHARED_KEY cipher=AES_CBC_256 integ=HMAC_SHA2_256 group=MODP2048}",
            "IPsec SA established tunnel mode {ESP=>0x0000000a <0x0000000b xfrm=AES_CBC_128-HMAC_SHA1_96}",
        ),
        "completed", "up", ("MM_ACTIVE",), (), ("MM1", "MM3", "MM5"), "initiator",
    ),
    Sample(
        "no answer to message 5", "libreswan",
        pluto(
            "initiating IKEv1 Main Mode connection", "sent Main Mode request", "sent Main Mode I2", "sent Main Mode I3",
            "STATE_MAIN_I3: retransmission; will wait 0.5 seconds for response",
            "STATE_MAIN_I3: 60 second timeout exceeded after 7 retransmits.  Possible authentication failure: no "
            "acceptable response to our first encrypted message",
        ),
        "stalled", "down", ("MM_WAIT_MSG6",), (("psk-mismatch", "possible"),), ("MM1", "MM3", "MM5"), "initiator",
    ),
    Sample(
        "message 6 did not arrive", "libreswan",
        pluto(
            "responding to Main Mode from unknown peer 192.0.2.1:500", "sent Main Mode R1", "sent Main Mode R2",
            "ISAKMP SA established {auth=PRESHARED_KEY cipher=AES_CBC_256 integ=HMAC_SHA2_256 group=MODP2048}",
            "retransmitting in response to duplicate packet; already STATE_MAIN_R3",
        ),
        "completed", "unknown", ("MM_ACTIVE",), (), ("MM2", "MM4"), "responder",
    ),
    Sample(
        "IKEv2: keys differ, at the responder", "libreswan",
        pluto(
            "sent IKE_SA_INIT reply {cipher=AES_CBC_256 integ=HMAC_SHA2_256_128 prf=HMAC_SHA2_256 group=MODP2048}",
            "processing decrypted IKE_AUTH request: SK{IDi,AUTH,SA,TSi,TSr}",
            "authentication failed: computed hash does not match hash received from peer ID_IPV4_ADDR '192.0.2.1'",
            "responding to IKE_AUTH message (ID 1) from 192.0.2.1:500 with encrypted notification "
            "AUTHENTICATION_FAILED",
            "encountered fatal error in state STATE_V2_PARENT_R1",
        ),
        "rejected", "down", (), (("psk-mismatch", "confirmed"),),
        ("IKE_SA_INIT response", "IKE_AUTH request", "IKE_AUTH response"), "responder",
    ),
    Sample(
        "IKEv2: the initiator ignores the refusal", "libreswan",
        pluto(
            "initiating IKEv2 connection", "sent IKE_SA_INIT request to 192.0.2.1:500",
            "STATE_PARENT_I1: received unauthenticated v2N_NO_PROPOSAL_CHOSEN - ignored",
            "STATE_PARENT_I1: retransmission; will wait 0.5 seconds for response",
            "STATE_PARENT_I1: 60 second timeout exceeded after 7 retransmits.  No response (or no acceptable response) "
            "to our first IKEv2 message",
        ),
        "rejected", "down", (), (("phase1-policy-mismatch", "likely"),), ("IKE_SA_INIT request",), "initiator",
    ),
    Sample(
        "networks refused here", "libreswan",
        pluto(
            "responding to Main Mode from unknown peer 192.0.2.1:500", "sent Main Mode R1", "sent Main Mode R2",
            "ISAKMP SA established {auth=PRESHARED_KEY cipher=AES_CBC_256 integ=HMAC_SHA2_256 group=MODP2048}",
            "cannot respond to IPsec SA request because no connection is known for 10.0.0.0/8===198.51.100.2",
            "sending encrypted notification INVALID_ID_INFORMATION to 192.0.2.1:500",
        ),
        "completed", "no-child", ("MM_ACTIVE",), (("phase2-selector-mismatch", "confirmed"),), (), "responder",
    ),
)  # fmt: skip


def fortigate(*lines: str, stamp: bool = True) -> str:
    """Lines of a FortiGate's debug."""
    return "".join(
        (f"2025-01-15 08:59:{s % 60:02d}.145925 " if stamp else "") + f"ike V=root:0:{line}\n"
        for s, line in enumerate(lines, 1)
    )


def forti_came(exchange: str, length: int, version: int = 1, msgid: str = "", answer: str = ANSWER) -> tuple[str, str]:
    """What a FortiGate says of a message that arrives."""
    ends = f" comes {PEER}:500->{HERE}:500,ifindex=6,vrf=0,len={length}...."
    return ends, f" IKEv{version} exchange={exchange} id={COOKIE}/{answer}{msgid} len={length} vrf=0"


def forti_sent(name: str, length: int, answer: str = ANSWER, gateway: str = "branch:35404") -> str:
    """What a FortiGate says of a message that it sends."""
    return f"{gateway}: sent IKE msg ({name}): {HERE}:500->{PEER}:500, len={length}, vrf=0, id={COOKIE}/{answer}"


FORTIGATE = (
    Sample(
        "completed", "fortigate",
        fortigate(
            forti_sent("SA_INIT", 464, ZERO), *forti_came("SA_INIT_RESPONSE", 432, 2),
            "branch:35404: initiator received SA_INIT response", forti_sent("AUTH", 272),
            *forti_came("AUTH_RESPONSE", 224, 2, ":00000001"), "branch:35404: auth verify done",
            "branch:35404: PSK authentication succeeded", "branch:35404: authentication OK",
            f"branch:35404: established IKE SA {COOKIE}/{ANSWER}",
            "branch:35404:branch:1234: added IPsec SA: SPIs=0a0b0c0d/01020304",
        ),
        "completed", "up", (), (), ("IKE_SA_INIT request", "IKE_AUTH request"), "initiator",
    ),
    Sample(
        "keys differ, IKEv2", "fortigate",
        fortigate(
            *forti_came("SA_INIT", 641, 2, answer=ZERO), f"{COOKIE}/{ZERO}:35404: responder received SA_INIT msg",
            f"{COOKIE}/{ZERO}:35404: SA proposal chosen, matched gateway branch", forti_sent("SA_INIT_RESPONSE", 432),
            *forti_came("AUTH", 272, 2, ":00000001"), "branch:35404: responder received AUTH msg",
            "branch:35404: authentication failed",
            "branch:35404: PSK auth failed: probable pre-shared key mismatch",
            "branch: connection expiring due to phase1 down",
        ),
        "rejected", "down", (), (("psk-mismatch", "confirmed"),), ("IKE_SA_INIT response",), "responder",
    ),
    Sample(
        "no answer", "fortigate",
        fortigate(
            forti_sent("ident_i1send", 556, ZERO), forti_sent("P1_RETRANSMIT", 556, ZERO),
            forti_sent("P1_RETRANSMIT", 556, ZERO), "branch:35404: negotiation timeout, deleting",
        ),
        "stalled", "down", ("MM_WAIT_MSG2",), (("peer-unreachable", "possible"),), ("MM1",), "initiator",
    ),
    Sample(
        "proposals differ", "fortigate",
        fortigate(
            *forti_came("Identity Protection", 408, answer=ZERO),
            f"{COOKIE}/{ZERO}:35404: responder: main mode get 1st message...",
            f"{COOKIE}/{ZERO}:35404: negotiation failure",
        ) + f"ike Negotiate ISAKMP SA Error: ike 0:{COOKIE}/{ZERO}:35404: no SA proposal chosen\n",
        "rejected", "down", (), (("phase1-policy-mismatch", "confirmed"),), (), "responder",
    ),
    Sample(
        "networks do not fit", "fortigate",
        fortigate(
            *forti_came("AUTH", 272, 2, ":00000001"), "branch:35404: responder received AUTH msg",
            "branch:35404: authentication succeeded", "branch:35404:77: failed to match peer selectors",
            f"branch:35404: established IKE SA {COOKIE}/{ANSWER}", forti_sent("AUTH_RESPONSE", 144),
            "branch:35404:77: traffic selectors unacceptable",
        ),
        "completed", "no-child", (), (("phase2-selector-mismatch", "confirmed"),), (), "responder",
    ),
    Sample(
        "no firewall policy", "fortigate",
        fortigate("branch:branch: ignoring request to establish IPsec SA, no policy configured"),
        "rejected", "down", (), (("no-interesting-traffic", "confirmed"),),
    ),
    Sample(
        "event log", "fortigate",
        'date=2024-12-20 time=14:56:10 eventtime=1734724570250926112 tz="-0500" logid="0101037124" type="event" '
        'subtype="vpn" level="error" vd="root" logdesc="IPsec phase 1 error" msg="IPsec phase 1 error" '
        f'action="negotiate" remip={PEER} locip={HERE} remport=500 locport=500 cookies="{COOKIE}/{ZERO}" '
        'vpntunnel="branch" status="negotiate_error" reason="peer SA proposal not match local policy" '
        'peer_notif="NOT-APPLICABLE"\n',
        "rejected", "down", (), (("phase1-policy-mismatch", "confirmed"),),
    ),
)  # fmt: skip


def racoon(*lines: str) -> str:
    """Lines of racoon."""
    return "".join(f"2015-03-07 17:41:{s % 60:02d}: {line}\n" for s, line in enumerate(lines, 1))


BETWEEN = f"{HERE}[500]<=>{PEER}[500]"
RACOON = (
    Sample(
        "completed", "racoon",
        racoon(
            f"INFO: initiate new phase 1 negotiation: {BETWEEN}", "INFO: begin Identity Protection mode.",
            f"INFO: ISAKMP-SA established {HERE}[500]-{PEER}[500] spi:{COOKIE}:{ANSWER}",
            f"INFO: initiate new phase 2 negotiation: {BETWEEN}",
            f"INFO: IPsec-SA established: ESP/Tunnel {PEER}[500]->{HERE}[500] spi=123(0x7b)",
        ),
        "completed", "up", ("MM_ACTIVE",), (), (), "initiator",
    ),
    Sample(
        "no answer", "racoon",
        racoon(
            f"INFO: initiate new phase 1 negotiation: {BETWEEN}", f"DEBUG: resend phase1 packet {COOKIE}:{ZERO}",
            f"ERROR: phase1 negotiation failed due to time up. {COOKIE}:{ZERO}",
        ),
        "stalled", "down", (), (("peer-unreachable", "possible"),), (), "initiator",
    ),
    Sample(
        "proposals differ", "racoon",
        racoon(
            f"INFO: respond new phase 1 negotiation: {BETWEEN}",
            "ERROR: rejected enctype: DB(prop#1:trns#1):Peer(prop#1:trns#1) = 3DES-CBC:AES-CBC",
            "ERROR: no suitable proposal found.", "ERROR: failed to get valid proposal.",
            "ERROR: failed to pre-process ph1 packet (side: 1, status 1).",
        ),
        "rejected", "down", (), (("phase1-policy-mismatch", "confirmed"),), (), "responder",
    ),
    Sample(
        "no key", "racoon",
        racoon(f"INFO: respond new phase 1 negotiation: {BETWEEN}", f"ERROR: couldn't find the pskey for {PEER}."),
        "rejected", "down", (), (("psk-missing", "confirmed"),), (), "responder",
    ),
    Sample(
        "PFS at one end", "racoon",
        racoon(
            f"INFO: ISAKMP-SA established {HERE}[500]-{PEER}[500] spi:{COOKIE}:{ANSWER}",
            f"INFO: respond new phase 2 negotiation: {BETWEEN}", "ERROR: pfs group mismatched: my:2 peer:0",
            "ERROR: failed to pre-process ph2 packet (side: 1, status 1).",
        ),
        "completed", "no-child", ("MM_ACTIVE",), (("pfs-mismatch", "confirmed"),),
    ),
    Sample(
        "the peer is gone", "racoon",
        racoon(
            f"INFO: ISAKMP-SA established {HERE}[500]-{PEER}[500] spi:{COOKIE}:{ANSWER}",
            f"INFO: DPD: remote (ISAKMP-SA spi={COOKIE}:{ANSWER}) seems to be dead.",
        ),
        "completed", "lost", ("MM_ACTIVE",), (("peer-lost", "confirmed"),),
    ),
)  # fmt: skip


def iked(*lines: str) -> str:
    """Lines of iked, each with the SPI unless it names a function."""
    return "".join(
        f"2026-11-27T12:15:{s % 60:02d}.840 {line if line.startswith('ikev2_') else f'spi=0x{COOKIE}: {line}'}\n"
        for s, line in enumerate(lines, 1)
    )


IKED_ENDS = f"peer {PEER}:500 local {HERE}:500"
OPENIKED = (
    Sample(
        "completed", "openiked",
        iked(
            f"send IKE_SA_INIT req 0 {IKED_ENDS}, 462 bytes",
            f"recv IKE_SA_INIT res 0 {IKED_ENDS}, 464 bytes, policy 'vpn'",
            f"send IKE_AUTH req 1 {IKED_ENDS}, 224 bytes", f"recv IKE_AUTH res 1 {IKED_ENDS}, 224 bytes, policy 'vpn'",
            f"sa_state: VALID -> ESTABLISHED from {PEER}:500 to {HERE}:500 policy 'vpn'",
            "ikev2_childsa_enable: loaded SPIs: 0x0a0b0c0d, 0x01020304 (enc aes-256 auth hmac-sha1)",
        ),
        "completed", "up", (), (),
        ("IKE_SA_INIT request", "IKE_SA_INIT response", "IKE_AUTH request", "IKE_AUTH response"), "initiator",
    ),
    Sample(
        "keys differ", "openiked",
        iked(
            f"recv IKE_SA_INIT req 0 {IKED_ENDS}, 464 bytes, policy 'vpn'",
            f"send IKE_SA_INIT res 0 {IKED_ENDS}, 462 bytes",
            f"recv IKE_AUTH req 1 {IKED_ENDS}, 272 bytes, policy 'vpn'", "ikev2_msg_authverify: authentication failed",
            "ikev2_send_auth_failed: authentication failed for IPV4/192.0.2.1",
            f"send IKE_AUTH res 1 {IKED_ENDS}, 80 bytes, NAT-T", "sa_state: AUTH_REQUEST -> CLOSING",
        ),
        "rejected", "down", (), (("psk-mismatch", "likely"),),
        ("IKE_SA_INIT request", "IKE_SA_INIT response", "IKE_AUTH request", "IKE_AUTH response"), "responder",
    ),
    Sample(
        "phase 2 proposals differ", "openiked",
        iked(
            f"recv IKE_AUTH req 1 {IKED_ENDS}, 272 bytes, policy 'vpn'", "ikev2_ike_auth_recv: no proposal chosen",
            "ikev2_add_error: NO_PROPOSAL_CHOSEN", f"send IKE_AUTH res 1 {IKED_ENDS}, 80 bytes, NAT-T",
        ),
        "completed", "no-child", (), (("phase2-proposal-mismatch", "confirmed"),), (), "responder",
    ),
    Sample(
        "no answer", "openiked",
        iked(
            f"send IKE_SA_INIT req 0 {IKED_ENDS}, 462 bytes", f"retransmit 1 IKE_SA_INIT req 0 {IKED_ENDS}",
            "sa_free: retransmit limit reached",
        ),
        "stalled", "down", (), (("peer-unreachable", "possible"),), ("IKE_SA_INIT request",), "initiator",
    ),
    Sample(
        "no policy", "openiked",
        iked(
            f"recv IKE_AUTH req 1 {IKED_ENDS}, 272 bytes, policy 'vpn'",
            "ikev2_ike_auth_recv: no compatible policy found",
        ),
        "rejected", "down", (), (("unknown-peer", "confirmed"),), (), "responder",
    ),
)  # fmt: skip

SAMPLES = (
    *ASA, *IOS, *STRONGSWAN, *LIBRESWAN, *FORTIGATE, *RACOON, *OPENIKED, *PALOALTO, *JUNIPER, *AZURE, *AWS,
)  # fmt: skip
