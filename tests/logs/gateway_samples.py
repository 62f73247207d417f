"""Rebuilt logs of Palo Alto, Juniper SRX, Azure and AWS: the devices' own fixed phrases, around addresses of ours."""

import json

from tests.logs.sample import ANSWER, COOKIE, HERE, PEER, ZERO, Sample

ENDS = f"{HERE}[500]-{PEER}[500]"


def paloalto(*events: tuple[str, str], about: str = "gw-hq") -> str:
    """Rows of the system log, a second apart: the name of the event and its description."""
    rows = (
        f"<14>Nov  9 19:53:{s:02d} fw-2 1,2019/11/09 19:53:{s:02d},009732949126,SYSTEM,vpn,0,2019/11/09 19:53:{s:02d},,"
        f'{name},{about},0,0,general,informational,"{text}",18249042,0x8000000000000000,0,0,0,0,,fw-2\n'
        for s, (name, text) in enumerate(events, 1)
    )
    return "".join(rows)


def ikemgr(*lines: str) -> str:
    """Lines of ikemgr.log, as racoon2 begins them."""
    return "".join(
        f"2019-11-09 19:53:{s:02d} [PROTO_ERR]: {HERE}[500] - {PEER}[500]:0x1f0a6d0:{line}\n"
        for s, line in enumerate(lines, 1)
    )


STARTED_2 = (
    "ikev2-nego-ike-start",
    f"IKEv2 IKE SA negotiation is started as {{}}, non-rekey. Initiated SA: {ENDS} SPI:{COOKIE}:{{}}.",
)


def started(role: str, answer: str = ANSWER) -> tuple[str, str]:
    """How IKEv2 begins, at that end."""
    return STARTED_2[0], STARTED_2[1].format(role, answer)


PALOALTO = (
    Sample(
        "completed", "paloalto",
        paloalto(
            started("responder"),
            ("ikev2-nego-ike-succ", "IKEv2 IKE SA negotiation is succeeded as responder, non-rekey. "
             f"Established SA: {ENDS} SPI:{COOKIE}:{ANSWER} lifetime 28800 Sec."),
            ("ikev2-nego-child-succ", "IKEv2 child SA negotiation is succeeded as responder, non-rekey. "
             f"Established SA: {ENDS} message id:0x00000001, SPI:0xA1CD910F/0xA1CD9110."),
        ),
        "completed", "up", (), (), (), "responder",
    ),
    Sample(
        "no answer to message 1", "paloalto",
        paloalto(("ike-nego-p1-fail", "IKE phase-1 negotiation is failed as initiator, main mode. "
                  f"Failed SA: {ENDS} cookie:{COOKIE}:{ZERO} due to timeout.")),
        "stalled", "down", ("MM_WAIT_MSG2",), (("peer-unreachable", "possible"),), (), "initiator",
    ),
    Sample(
        "encryption of the profile is not offered", "paloalto",
        paloalto(
            started("responder"),
            ("ikev2-nego-enc-mismatch", "Configured encryption algorithm 'AES256-CBC' was not presented in the IKE "
             "proposal. Please ensure that matching proposals are configured on both sides."),
            ("ike-generic-event", "no proposal chosen."),
        ),
        "rejected", "down", (), (("phase1-policy-mismatch", "confirmed"),), (), "responder",
    ),
    Sample(
        "the identity is another", "paloalto",
        ikemgr("received ID_I (type ipaddr [10.222.191.127]) does not match peers id"),
        "rejected", "down", (), (("identity-mismatch", "confirmed"),),
    ),
    Sample(
        "nobody knows the peer", "paloalto",
        paloalto(("ike-nego-p1-fail", "IKE phase 1 negotiation is failed. Couldn't find configuration for IKE phase-1 "
                  f"request for peer IP {PEER}[500]")),
        "rejected", "down", (), (("unknown-peer", "confirmed"),),
    ),
    Sample(
        "the key of the peer is refused", "paloalto",
        ikemgr("received notify type AUTHENTICATION_FAILED"),
        "rejected", "down", (), (("psk-mismatch", "likely"),),
    ),
    Sample(
        "PFS at this end only", "paloalto",
        paloalto(started("responder"),
                 ("ikev2-nego-ike-succ", f"IKEv2 IKE SA negotiation is succeeded as responder, non-rekey. "
                  f"Established SA: {ENDS} SPI:{COOKIE}:{ANSWER}."))
        + ikemgr("message lacks KE payload"),
        "completed", "no-child", (), (("pfs-mismatch", "confirmed"),), (), "responder",
    ),
    Sample(
        "no proxy ID fits", "paloalto",
        paloalto(
            ("ike-nego-p1-succ", "IKE phase-1 negotiation is succeeded as responder, main mode. Established SA: "
             f"{ENDS} cookie:{COOKIE}:{ANSWER} lifetime 28800 Sec."),
            ("ike-nego-p2-fail", "IKE phase-2 negotiation is failed as responder, quick mode: cannot find matching "
             "phase-2 tunnel for received proxy ID."),
        ),
        "completed", "no-child", ("MM_ACTIVE",), (("phase2-selector-mismatch", "confirmed"),), (), "responder",
    ),
)  # fmt: skip


def kmd(*lines: str) -> str:
    """Lines of kmd in syslog, a second apart."""
    return "".join(f"Aug  3 10:18:{s:02d}  srx1 kmd[14162]: {line}\n" for s, line in enumerate(lines, 1))


def tail(version: int = 2, role: str = "Initiator") -> str:
    """What a line about a negotiation ends with."""
    who = f", Role: {role}" if role else ""
    return (
        f". IKE Version: {version}, VPN: vpn-1 Gateway: gw-1, Local: {HERE}/500, Remote: {PEER}/500, Local IKE-ID: "
        f"{HERE}, Remote IKE-ID: {PEER}, VR-ID: 0{who}"
    )


FAILED, CHILD = "IKE negotiation failed with error: ", "IPSec negotiation failed with error: "
DONE = f"IKE negotiation successfully completed{tail()}"
INSTALLED = (
    f"KMD_PM_SA_ESTABLISHED: Local gateway: {HERE}, Remote gateway: {PEER}, Local ID: ipv4_subnet(any:0,[0..7]="
    "0.0.0.0/0), Remote ID: ipv4_subnet(any:0,[0..7]=0.0.0.0/0), Direction: {}, SPI: 0x190695fe, AUX-SPI: 0, Mode: "
    "Tunnel, Type: dynamic, Traffic-selector:  FC Name:"
)
JUNIPER = (
    Sample(
        "completed", "juniper",
        kmd(
            INSTALLED.format("inbound"), INSTALLED.format("outbound"),
            f"KMD_VPN_UP_ALARM_USER: VPN vpn-1 from {PEER} is up. Local-ip: {HERE}, gateway name: gw-1, vpn name: "
            "vpn-1, tunnel-id: 131073, local tunnel-if: st0.0",
            DONE,
        ),
        "completed", "up", (), (), (), "initiator",
    ),
    Sample(
        "no answer", "juniper", kmd(f"{FAILED}Timed out{tail(1)}"),
        "stalled", "down", (), (("peer-unreachable", "possible"),), (), "initiator",
    ),
    Sample(
        "policies differ, at the responder", "juniper", kmd(f"{FAILED}No proposal chosen{tail(role='Responder')}"),
        "rejected", "down", (), (("phase1-policy-mismatch", "confirmed"),), (), "responder",
    ),
    Sample(
        "policies differ, at the initiator", "juniper", kmd(f"{FAILED}No proposal chosen{tail()}"),
        "rejected", "down", (), (("phase1-policy-mismatch", "likely"),), (), "initiator",
    ),
    Sample(
        "keys differ, at the responder", "juniper", kmd(f"{FAILED}Authentication failed{tail(role='Responder')}"),
        "rejected", "down", (), (("psk-mismatch", "likely"),), (), "responder",
    ),
    Sample(
        "networks differ", "juniper",
        kmd(DONE, f"{CHILD}Peer proposed traffic-selectors are not in configured range{tail(role='')}"),
        "completed", "no-child", (), (("phase2-selector-mismatch", "confirmed"),), (), "initiator",
    ),
    Sample(
        "proxy identities differ", "juniper",
        kmd(
            f"IKE negotiation successfully completed{tail(1, 'Responder')}",
            "IKE Phase-2: Failed to match the peer proxy IDs [p2_remote_proxy_id=ipv4_subnet(any:0,[0..7]="
            "10.9.0.0/16), p2_local_proxy_id=ipv4_subnet(any:0,[0..7]=10.0.0.0/16)] for local ip: "
            f"{HERE}, remote peer ip:{PEER}",
        ),
        "completed", "no-child", ("MM_ACTIVE",), (("phase2-selector-mismatch", "confirmed"),), (), "responder",
    ),
    Sample(
        "the identity is another", "juniper",
        f"[Aug  3 10:18:01][{HERE} <-> {PEER}]  Peer's IKE-ID validation failed during negotiation\n",
        "rejected", "down", (), (("identity-mismatch", "confirmed"),),
    ),
    Sample(
        "nobody knows the peer", "juniper",
        "Aug  3 10:18:01  srx1 (FPC Slot 0, PIC Slot 1) SPC0_PIC1 kmd[377]: IKE Phase-1: (Responder) Policy lookup "
        f"failed for local ip: {HERE}, remote peer ip: {PEER}\n",
        "rejected", "down", (), (("unknown-peer", "confirmed"),), (), "responder",
    ),
    Sample(
        "the peer is gone", "juniper",
        kmd(DONE, INSTALLED.format("inbound"), f"KMD_DPD_PEER_DOWN: DPD detected peer {PEER} is dead"),
        "completed", "lost", (), (("peer-lost", "confirmed"),), (), "initiator",
    ),
)  # fmt: skip

SESSION = "8cb5875d-4c80-434b-8702-d78ac5b3d154"
BETWEEN = f"Remote {PEER}:500: Local {HERE}:500: "


def azure(*messages: str, session: str = SESSION) -> str:
    """Records of IKEDiagnosticLog, a second apart, as a storage account keeps them."""
    return "".join(
        json.dumps({
            "time": f"2026-11-27T12:27:{s:02d}.767Z", "category": "IKEDiagnosticLog", "operationName": "IKELogEvent",
            "properties": {"instance": "GatewayTenantWorker_IN_0",
                           "message": f"SESSION_ID :{{{session}}} {BETWEEN}{message}"},
        }) + "\n"
        for s, message in enumerate(messages, 1)
    )  # fmt: skip


def tunnel(operation: str) -> str:
    """A record of TunnelDiagnosticLog."""
    record = {"time": "2026-11-27T12:28:01.767Z", "category": "TunnelDiagnosticLog", "operationName": operation,
              "properties": {"remoteIP": PEER}}  # fmt: skip
    return json.dumps(record) + "\n"


INITIATES = (
    f"[SEND][SA_INIT] iCookie 0x{COOKIE} rCookie 0x0",
    f"[RECEIVED][SA_INIT] iCookie 0x{COOKIE} rCookie 0x{ANSWER}",
)
RESPONDS = (
    f"[RECEIVED][SA_INIT] iCookie 0x{COOKIE} rCookie 0x0",
    f"[SEND][SA_INIT] iCookie 0x{COOKIE} rCookie 0x{ANSWER}",
)
AUTH = "[RECEIVED][SA_AUTH] Received IKE AUTH message"
SELECTORS = "[Tsid 0x729  ]Number of TSIs 1: StartAddress 10.20.0.0 EndAddress 10.20.255.255 PortStart 0 PortEnd 65535"
AZURE = (
    Sample(
        "completed", "azure",
        azure(
            *RESPONDS, AUTH, f"Received Traffic Selector payload request- {SELECTORS}",
            f"[SEND] Proposed Traffic Selector payload will be (Final Negotiated) - {SELECTORS}", "[SEND][SA_AUTH]",
        ) + tunnel("TunnelConnected"),
        "completed", "up", (), (),
        ("IKE_SA_INIT request", "IKE_SA_INIT response", "IKE_AUTH request", "IKE_AUTH response"), "responder",
    ),
    Sample(
        "keys differ, at the responder", "azure",
        azure(*RESPONDS, AUTH, "[SEND][NOTIFY] Sending Notify Message - Authentication failed"),
        "rejected", "down", (), (("psk-mismatch", "likely"),),
        ("IKE_SA_INIT request", "IKE_SA_INIT response", "IKE_AUTH request"), "responder",
    ),
    Sample(
        "keys differ, at the initiator", "azure",
        azure(
            *INITIATES, "[SEND][SA_AUTH]",
            "[ErrorCode] 0x35E9 [ErrorMessage] IKE authentication credentials are unacceptable",
        ),
        "rejected", "down", (), (("psk-mismatch", "likely"),),
        ("IKE_SA_INIT request", "IKE_SA_INIT response", "IKE_AUTH request"), "initiator",
    ),
    Sample(
        "policies differ", "azure",
        azure(RESPONDS[0], "[SEND][NOTIFY] Sending Notify Message - Policy Mismatch",
              "IkeCleanupMMNegotiation called with error 13868 and flags a"),
        "rejected", "down", (), (("phase1-policy-mismatch", "likely"),), ("IKE_SA_INIT request",), "responder",
    ),
    Sample(
        "phase 2 policies differ", "azure",
        f"{BETWEEN}{AUTH}\n{BETWEEN}[RECEIVED]Received IPSec payload: Policy1:Cipher=DESIntegrity=Md5\n"
        "IkeCleanupQMNegotiation called with error 13868 and flags a\n"
        f"{BETWEEN}[SEND][NOTIFY] Sending Notify Message - Policy Mismatch\n",
        "completed", "no-child", (), (("phase2-proposal-mismatch", "confirmed"),),
    ),
    Sample(
        "no answer", "azure",
        azure("[SEND][SA_INIT]", "[SEND][SA_INIT]", "[SEND][SA_INIT]",
              "[IkeEvent] SA_NEGOTIATION_FAILED [ErrorCode] 0x35ED [ErrorMessage] Negotiation timed out"),
        "stalled", "down", (), (("peer-unreachable", "possible"),), ("IKE_SA_INIT request",), "initiator",
    ),
    Sample(
        "an event of the filtering platform", "azure",
        "".join(f"[0]0368.03A4::02/02/2017-17:36:01.496 [ikeext] 3038|{PEER}|{text}\n" for text in (
            "IKE diagnostic event:", "Failure type: IKE/Authip Main Mode Failure", "  Failure error code:0x000035e9",
            "    IKE authentication credentials are unacceptable", "  Failure point: Remote",
        )),
        "rejected", "down", (), (("psk-mismatch", "likely"),),
    ),
    Sample(
        "the summary of errors", "azure",
        "Error: On-prem device sent invalid payload. \n"
        "\t based on log : IkeFindPayloadInPacket failed with Windows error 13843(ERROR_IPSEC_IKE_INVALID_PAYLOAD)\n",
        "stalled", "down", (), (("vendor-difference", "possible"),),
    ),
    Sample(
        "the tunnel went", "azure", tunnel("TunnelConnected") + tunnel("TunnelDisconnected"),
        "completed", "lost", (), (),
    ),
)  # fmt: skip


def aws(*records: tuple[str, str, str]) -> str:
    """Records of a tunnel, a second apart: what it says, and the states of both phases."""
    return "".join(
        json.dumps({
            "event_timestamp": 1662045130 + s, "timestamp": f"2022-09-01 15:12:{9 + s:02d}.000Z", "details": details,
            "dpd_enabled": True, "nat_t_detected": False, "ike_phase1_state": one, "ike_phase2_state": two,
        }) + "\n"
        for s, (details, one, two) in enumerate(records, 1)
    )  # fmt: skip


NOTIFYING = 'No Proposal Match Found. Notifying with "No proposal chosen"'
AWS = (
    Sample(
        "completed", "aws",
        aws(
            ("AWS tunnel processed request (id=2) for CREATE_CHILD_SA", "established", "rekeying"),
            ("AWS tunnel is sending response (id=2) for CREATE_CHILD_SA", "established", "established"),
        ),
        "completed", "up", (), (), ("CREATE_CHILD_SA request", "CREATE_CHILD_SA response"),
    ),
    Sample(
        "keys differ, IKEv2", "aws",
        aws((f"AWS tunnel detected a pre-shared key mismatch with cgw: {PEER}", "down", "down"),
            ("AWS tunnel is sending AUTHENTICATION_FAILED as the response", "down", "down")),
        "rejected", "down", (), (("psk-mismatch", "confirmed"),),
    ),
    Sample(
        "keys differ, IKEv1", "aws",
        aws(("AWS tunnel payload decryption was unsuccessful due to invalid Pre-shared Key", "negotiating", "down")),
        "stalled", "down", ("MM_WAIT_MSG5", "MM_WAIT_MSG6"), (("psk-mismatch", "likely"),),
    ),
    Sample(
        "policies differ", "aws", aws(("No Proposal Match Found by AWS", "down", "down")),
        "rejected", "down", (), (("phase1-policy-mismatch", "likely"),),
    ),
    Sample(
        "phase 2 policies differ", "aws", aws((NOTIFYING, "established", "down")),
        "completed", "no-child", (), (("phase2-proposal-mismatch", "confirmed"),),
    ),
    Sample(
        "networks refused by the peer", "aws",
        aws(("AWS: Traffic Selector: TS_UNACCEPTABLE: received from responder", "established", "down"),
            ("AWS tunnel Phase 2 was unable to establish while keeping Phase 1", "established", "down")),
        "completed", "no-child", (), (("phase2-selector-mismatch", "likely"),),
    ),
    Sample(
        "no answer", "aws",
        aws((f"AWS tunnel Timeout: deleting un-established Phase 1 IKE_SA with cgw: {PEER}", "down", "down")),
        "stalled", "down", (), (("peer-unreachable", "possible"),),
    ),
    Sample(
        "the peer is gone", "aws",
        aws(("AWS tunnel DPD timed out after 3 retransmits", "established", "established")),
        "completed", "lost", (), (("peer-lost", "confirmed"),),
    ),
)  # fmt: skip
